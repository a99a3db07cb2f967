"""What the token endpoint stores: access and refresh tokens (RFC 6749 sections 5.1 and 6)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connections, router
from django.db.models.signals import post_save, pre_save
from django.utils import timezone
from oauthlib.oauth2 import InvalidClientError, InvalidGrantError

from ..batching import atomically, is_lost_race, with_retries
from ..flows import device, issuance
from ..flows.errors import GrantUnusable
from ..models import get_access_token_model, get_refresh_token_model, set_token_value
from .requests import kept

WRITING_HOOKS = (
    "_save_bearer_token",
    "_save_new_token",
    "_create_access_token",
    "_set_token_value",
    "load_authentication",
)
"""What runs where an access token is stored and nothing beside it; a site's own may write more."""
WITH_MORE_ROWS = ("grant", "device_grant", "refresh_token_instance", "id_token_instance")
"""What hooks keep on a request for which more than an access token is written."""


class TokenHooks:
    """Stores what is about to be issued."""

    access_token_instance: Any = None
    """The access token that this request was issued."""

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Store what is about to be sent, in one transaction. Raises invalid_grant for the loser of a race.

        Where the engine picks the transaction as the victim of a deadlock, it is run again. A single INSERT is a
        transaction of its own: BEGIN and COMMIT would be a tenth of a request for client credentials.

        The application is marked used first: whoever removes unused ones waits for that, or has removed it
        before, and then the client is invalid.
        """

        def save() -> None:
            if request.client is not None:
                request.client.mark_used(timezone.now())
            self._save_bearer_token(token, request, *args, **kwargs)

        using = router.db_for_write(get_access_token_model())
        try:
            if self._is_one_insert(token, request, using):
                with_retries(save, using=using, is_passing=is_lost_race)
            else:
                atomically(save, using=using)
        except IntegrityError as error:
            client = request.client
            if client is None or type(client)._base_manager.filter(pk=client.pk).exists():
                raise
            raise InvalidClientError(request=request) from error

    def _is_one_insert(self, token: dict[str, Any], request: Any, using: str) -> bool:
        """Tell whether `save_bearer_token` writes one row by one statement, and nothing of the site's own beside it."""
        connection, client = connections[using], request.client
        if connection.in_atomic_block or not connection.get_autocommit():
            return False
        has_more_tokens = {"refresh_token", "id_token"} & token.keys()
        if has_more_tokens or any(kept(request, name) for name in WITH_MORE_ROWS):
            return False
        if client is not None and not client.is_marked_used(timezone.now()):
            return False
        hooks = [getattr(self, name) for name in WRITING_HOOKS]
        if client is not None:
            hooks.append(client.mark_used)
        return _is_ours(*hooks) and _is_saved_plainly(get_access_token_model())

    def _save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Store an access token and, where `token` has one, a refresh token; `token` may be changed.

        `access_token_instance` is the access token afterwards.
        """
        request.scopes = token.get("scope", "").split()
        if request.grant_type == "client_credentials":
            request.user = None
        expires = timezone.now() + timedelta(seconds=token["expires_in"])
        try:
            if kept(request, "refresh_token_instance") is not None:
                self._save_refreshed_token(token, request, expires)
            else:
                self._save_new_token(token, request, expires)
        except GrantUnusable as unusable:
            raise InvalidGrantError(request=request) from unusable

    def _save_new_token(self, token: dict[str, Any], request: Any, expires: Any) -> None:
        request.token_family = uuid.uuid4()
        if request.client is not None and not request.client.allows_refresh_tokens:
            token.pop("refresh_token", None)
        grant = kept(request, "grant")
        if grant is not None:
            issuance.redeem_grant(
                grant, access_token=token["access_token"], token_family=request.token_family
            )
        if kept(request, "device_grant") is not None:
            device.redeem(request.device_grant)
        access_token = self._create_access_token(expires, request, token)
        if "refresh_token" in token:
            self._create_refresh_token(request, token["refresh_token"], access_token, None)

    def _save_refreshed_token(self, token: dict[str, Any], request: Any, expires: Any) -> None:
        previous = request.refresh_token_instance
        if not self.rotate_refresh_token(request):  # type: ignore[attr-defined]
            self._save_unrotated_token(token, request, expires)
            return
        request.token_family = previous.token_family or uuid.uuid4()
        if not issuance.retire_refresh_token(previous, token_family=request.token_family):
            self.access_token_instance = issuance.repeat_rotation(previous, token)
            return
        access_token = self._create_access_token(expires, request, token, source_refresh_token=previous)
        self._create_refresh_token(request, token["refresh_token"], access_token, previous)

    def _save_unrotated_token(self, token: dict[str, Any], request: Any, expires: Any) -> None:
        refresh_token = request.refresh_token_instance
        issuance.lock_refresh_token(refresh_token)
        if refresh_token.access_token is None:
            access_token = self._create_access_token(expires, request, token)
            issuance.attach_access_token(refresh_token, access_token)
            return
        self.access_token_instance = issuance.replace_access_token(
            refresh_token, token, scopes=request.scopes, resource=request.resource, expires=expires
        )

    def _create_access_token(
        self, expires: Any, request: Any, token: dict[str, Any], source_refresh_token: Any = None
    ) -> Any:
        """Store the access token and keep it as `access_token_instance`."""
        id_token = kept(request, "id_token_instance")
        if id_token is None and token.get("id_token"):
            id_token = self._load_id_token(token["id_token"])  # type: ignore[attr-defined]
        access_token = get_access_token_model()(
            user=request.user,
            scope=token["scope"],
            expires=expires,
            application=request.client,
            source_refresh_token=source_refresh_token,
            id_token=id_token,
            resource=list(getattr(request, "resource", None) or []),
            authentication=self.load_authentication(request).as_text(),  # type: ignore[attr-defined]
        )
        self._set_token_value(access_token, token["access_token"])
        access_token.save(force_insert=True)
        self.access_token_instance = access_token
        return access_token

    def _create_refresh_token(
        self, request: Any, refresh_token_code: str, access_token: Any, previous_refresh_token: Any = None
    ) -> Any:
        """Store the refresh token: of the family of the one it replaces, with all that was granted."""
        code = kept(request, "grant") or kept(request, "device_grant")
        granted = previous_refresh_token or code or access_token
        scope = issuance.granted_scope(granted) if granted is previous_refresh_token else granted.scope
        refresh_token = get_refresh_token_model()(
            user=request.user,
            application=request.client,
            access_token=access_token,
            token_family=request.token_family,
            scope=scope,
            resource=list(granted.resource),
            authentication=access_token.authentication,
        )
        self._set_token_value(refresh_token, refresh_token_code)
        refresh_token.save(force_insert=True)
        return refresh_token

    def _set_token_value(self, token_instance: Any, raw_token: str) -> None:
        """Give the row its token: the value, or only its checksum (COMPLIANT_BCP_RFC9700_TOKEN_STORAGE)."""
        set_token_value(token_instance, raw_token)


def _is_ours(*hooks: Any) -> bool:
    """Tell whether no site has overridden any of `hooks`."""
    return all(hook.__module__.startswith("oauth2_provider.") for hook in hooks)


def _is_saved_plainly(model: Any) -> bool:
    """Tell whether saving a new row is one INSERT: no method of the site's own, and nobody who listens."""
    is_plain = all(method.__module__.startswith("django.") for method in (model.save, model.save_base))
    return is_plain and not (pre_save.has_listeners(model) or post_save.has_listeners(model))
