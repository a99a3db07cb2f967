"""Dynamic client registration (RFC 7591) and its management (RFC 7592): rows in and out.

The registration access token is an AccessToken of the application with DCR_REGISTRATION_SCOPE and nothing else. It is
not a use of the application, and opens nothing but its registration.
"""

from __future__ import annotations

import calendar
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from ..batching import atomically
from ..generators import generate_client_secret, generate_strong_client_secret
from ..hashers import check_client_secret, is_hashed_secret
from ..models import get_access_token_model, get_application_model, set_token_value, token_checksum
from ..settings import oauth2_settings
from .client_metadata import SHARED_SECRET_METHODS, Methods, apply_metadata, check, describe
from .client_secrets import METHODS_WITH_FURTHER_SECRETS, revoke_further_secrets
from .errors import RegistrationEnded
from .inactive_applications import delete_applications
from .metadata_values import InvalidClientMetadata

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
GIVEN_BY_THE_SERVER = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""What an update must not name (RFC 7592 section 2.2)."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """An application with what its client is told once: the secret, where one was made, and the token."""

    application: Any
    client_secret: str | None
    registration_access_token: str


def register(document: Any, *, user: Any = None) -> Registration:
    """Store an application for the metadata of `document`, owned by `user` where there is one.

    Raises InvalidClientMetadata or InvalidRedirectURI; nothing is stored then.
    """
    model = get_application_model()
    application = model(user=user, registration_source=model.RegistrationSource.DCR, client_secret="")
    apply_metadata(application, document, default_method=Methods.CLIENT_SECRET_BASIC.value)
    client_secret = _settle_secret(application, is_renewed=True)
    check(application)
    with transaction.atomic(using=router.db_for_write(model)):
        application.save()
        token = _issue_token(application)
    return Registration(application=application, client_secret=client_secret, registration_access_token=token)


def find_registration(client_id: str, token: str, *, using: str | None = None) -> Any:
    """Return the application whose registration access token is `token`; None if there is none, or it has ended.

    RFC 7592 section 3: an application that is gone and a token that is wrong are not told apart. `using` is the
    database to ask, where that must be the one that is written to.
    """
    if not client_id.isprintable():
        return None
    tokens = get_access_token_model()._base_manager.using(using).select_related("application", "user")
    found = tokens.filter(
        token_checksum=token_checksum(token),
        application__client_id=client_id,
        scope=oauth2_settings.DCR_REGISTRATION_SCOPE,
    ).first()
    if found is None or found.is_expired() or (found.user is not None and not found.user.is_active):
        return None
    return found.application


def update(application: Any, document: Any, *, token: str) -> Registration:
    """Replace all metadata of `application` by `document` (RFC 7592 section 2.2); `token` is what was presented.

    The row is locked meanwhile. The secret is renewed where DCR_ROTATE_CLIENT_SECRET_ON_UPDATE says so, or the
    new way to authenticate cannot use the present one; further secrets end where it uses none of them. Nothing
    has changed where this raises InvalidClientMetadata, or RegistrationEnded because another request was faster.
    """
    is_renewed = bool(oauth2_settings.DCR_ROTATE_CLIENT_SECRET_ON_UPDATE)

    def replace() -> Registration:
        locked = _lock(application, token)
        _check_identity(locked, document)
        apply_metadata(locked, document, default_method=Methods.CLIENT_SECRET_BASIC.value)
        client_secret = _settle_secret(locked, is_renewed=is_renewed)
        check(locked)
        locked.save()
        if locked.token_endpoint_auth_method not in METHODS_WITH_FURTHER_SECRETS:
            revoke_further_secrets(locked)
        valid = token
        if oauth2_settings.DCR_ROTATE_REGISTRATION_TOKEN_ON_UPDATE:
            _tokens_of(locked).delete()
            valid = _issue_token(locked)
        return Registration(application=locked, client_secret=client_secret, registration_access_token=valid)

    return atomically(replace, using=router.db_for_write(get_application_model()))


def deregister(application: Any, *, token: str) -> None:
    """Delete the application with all that was issued to it (RFC 7592 section 2.3); `token` is what was presented.

    The row is locked first, so that an update at the same time comes before or after. Raises RegistrationEnded because
    another request was faster, ProtectedError or RestrictedError where a row of the site's holds the application.
    """

    def remove() -> None:
        delete_applications([_lock(application, token)])

    atomically(remove, using=router.db_for_write(get_application_model()))


def _lock(application: Any, token: str) -> Any:
    """Return the row of `application`, locked. Raises RegistrationEnded where it, or `token`, is gone by now."""
    model = get_application_model()
    using = router.db_for_write(model)
    locked = model._base_manager.using(using).select_for_update().filter(pk=application.pk).first()
    if locked is None or find_registration(locked.client_id, token, using=using) is None:
        raise RegistrationEnded
    return locked


def client_information(registration: Registration) -> dict[str, Any]:
    """Return the client information response without registration_client_uri (RFC 7591 3.2.1, RFC 7592 3)."""
    application = registration.application
    information = {
        "client_id": application.client_id,
        "client_id_issued_at": calendar.timegm(application.created.utctimetuple()),
        "registration_access_token": registration.registration_access_token,
        **describe(application),
    }
    if application.client_secret:
        information["client_secret_expires_at"] = 0  # REQUIRED if there is a secret; 0: it does not expire
    if registration.client_secret is not None:
        information["client_secret"] = registration.client_secret
    return information


def _check_identity(application: Any, document: Any) -> None:
    """Raise InvalidClientMetadata unless the document is about this client, and leaves alone what is the server's."""
    if not isinstance(document, dict):
        return  # apply_metadata says so
    named = [name for name in GIVEN_BY_THE_SERVER if name in document]
    if named:
        raise InvalidClientMetadata(f"An update must not have {named[0]}.")
    if document.get("client_id") != application.client_id:
        raise InvalidClientMetadata("client_id must be that of the client.")
    secret = document.get("client_secret")
    if secret is None:
        return
    stored = application.client_secret
    if not isinstance(secret, str) or not stored or not check_client_secret(secret, stored):
        raise InvalidClientMetadata("client_secret must be the present one, or be left out.")


def _settle_secret(application: Any, *, is_renewed: bool) -> str | None:
    """Give the application the secret that its way to authenticate needs; returns it where it was made now."""
    if application.token_endpoint_auth_method not in SHARED_SECRET_METHODS:
        application.client_secret = ""
        return None
    stored = application.client_secret
    is_usable = application.hash_client_secret or not (is_hashed_secret(stored) or _is_too_short(application))
    if stored and is_usable and not is_renewed:
        return None
    application.client_secret = generate_client_secret()
    if _is_too_short(application):  # by a generator of the site's: nothing that the client could mend
        application.client_secret = generate_strong_client_secret()
    return str(application.client_secret)


def _is_too_short(application: Any) -> bool:
    return application.algorithm == application.HS256_ALGORITHM and not application.has_long_secret


def _tokens_of(application: Any) -> Any:
    tokens = get_access_token_model()._base_manager
    return tokens.filter(application=application.pk, scope=oauth2_settings.DCR_REGISTRATION_SCOPE)


def _issue_token(application: Any) -> str:
    row = get_access_token_model()(
        user=application.user,
        application=application,
        scope=oauth2_settings.DCR_REGISTRATION_SCOPE,
        expires=_token_expires(),
    )
    token = secrets.token_urlsafe(32)
    set_token_value(row, token)
    row.save(force_insert=True)
    return token


def _token_expires() -> datetime:
    """Return the end of a token that begins now; the setting may be seconds, a timedelta, or None."""
    lifetime = oauth2_settings.DCR_REGISTRATION_TOKEN_EXPIRE_SECONDS
    if lifetime is None:
        return NEVER
    return timezone.now() + (lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime))
