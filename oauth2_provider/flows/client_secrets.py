"""A client's secrets: adding one for a rotation, finding the one presented, ending one (RFC 6749 section 2.3.1).

The secret in the application's own row is the first; what signs with it (HS256, client_secret_jwt) knows no other.
Further ones are always made by this server and always under the fast salted hash, whatever CLIENT_SECRET_HASHER says:
so comparing with any number of them takes microseconds, and tells nobody how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router
from django.utils import timezone

from ..batching import atomically
from ..generators import generate_strong_client_secret
from ..hashers import check_client_secret, fast_hash
from ..models import AbstractApplication, ClientSecret, get_application_model

Methods = AbstractApplication.TokenEndpointAuthMethod
METHODS_WITH_FURTHER_SECRETS = (Methods.CLIENT_SECRET_BASIC, Methods.CLIENT_SECRET_POST)
"""Where the secret itself is presented; the others sign with one key, or have no secret."""
LIVE_AT_MOST = 10
"""Further secrets that an application may have at once, expired ones not counted."""


class TooManySecrets(Exception):  # noqa: N818 - the fact
    """The application has as many live secrets as it may; revoke one first."""


class SecretIsNeeded(Exception):  # noqa: N818 - the fact
    """The application's own secret cannot go: it is the only one, or it signs."""


@dataclass(frozen=True, kw_only=True)
class NewSecret:
    """A secret in the clear, for the one time that it is shown, and its row."""

    row: ClientSecret
    secret: str


def new_secret(*, name: str, expires: datetime | None) -> NewSecret:
    """Make a secret, not stored yet and without an application."""
    secret = generate_strong_client_secret()
    row = ClientSecret(name=name, expires=expires, secret_hash=fast_hash(secret))
    return NewSecret(row=row, secret=secret)


def add_client_secret(application: Any, *, name: str, expires: datetime | None = None) -> NewSecret:
    """Make and store a further secret of `application`.

    The application's row is locked, so that two requests cannot pass the limit. Raises TooManySecrets beyond
    LIVE_AT_MOST.
    """
    made = new_secret(name=name, expires=expires)
    made.row.application = application

    def store() -> None:
        _lock(application)
        if live_secrets(application).count() >= LIVE_AT_MOST:
            raise TooManySecrets
        made.row.save(force_insert=True)

    atomically(store, using=router.db_for_write(ClientSecret))
    return made


def live_secrets(application: Any) -> Any:
    """Return the further secrets of `application` that are not over."""
    return ClientSecret.objects.filter(application=application).live(timezone.now())


def find_presented_secret(client_id: str, secret: str) -> ClientSecret | None:
    """Return the live further secret of the client `client_id` that `secret` is; one statement, whoever that is.

    Compares with each of them, so that the time does not tell which of them it was.
    """
    found = None
    for row in ClientSecret.objects.of_client(client_id).live(timezone.now()):
        if check_client_secret(secret, row.secret_hash):
            found = row
    return found


def may_revoke_own_secret(application: Any) -> bool:
    """Tell whether the secret in the application's row can go: another one works, and nothing is signed with it."""
    signs = application.algorithm == application.HS256_ALGORITHM
    methods = application.TokenEndpointAuthMethod
    signs = signs or application.token_endpoint_auth_method == methods.CLIENT_SECRET_JWT
    return bool(application.client_secret) and not signs and live_secrets(application).exists()


def revoke_own_secret(application: Any) -> None:
    """Empty the secret in the application's row. Raises SecretIsNeeded where `may_revoke_own_secret` says no.

    The tokens of the client stay: they were not given for the secret.
    """

    def revoke() -> None:
        _lock(application)
        if not may_revoke_own_secret(application):
            raise SecretIsNeeded
        application.client_secret = ""
        application.save(update_fields=["client_secret", "updated"])

    atomically(revoke, using=router.db_for_write(get_application_model()))


def revoke_client_secret(secret: ClientSecret) -> None:
    """End a further secret. Always possible: a leaked one must go, even if it is the last."""
    secret.delete()


def revoke_further_secrets(application: Any) -> None:
    """End all further secrets of `application`: it authenticates in another way from now on.

    They would come to life again with a later change of the method.
    """
    rows = ClientSecret.objects.using(router.db_for_write(ClientSecret))
    rows.filter(application=application.pk).delete()


def _lock(application: Any) -> None:
    rows = type(application)._base_manager.using(router.db_for_write(type(application)))
    list(rows.filter(pk=application.pk).select_for_update().values_list("pk"))
