"""The token endpoint's hooks (RFC 6749 sections 3.2, 4 and 6)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.db import router, transaction
from django.utils import timezone
from oauthlib.oauth2 import InvalidGrantError

from ..bcp import bcp_compliant
from ..flows import issuance, revocation
from ..flows.errors import GrantUnusable
from ..models import (
    get_access_token_model,
    get_grant_model,
    get_refresh_token_model,
    set_token_value,
    token_checksum,
)
from ..settings import oauth2_settings
from . import pkce
from .grant_types import GRANT_TYPE_MAPPING
from .resources import narrowed_resources


class TokenHooks:
    """Checks a token request and stores what is issued."""

    access_token_instance: Any = None
    """The access token that this request was issued."""

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the client may use `grant_type`."""
        if grant_type == "password" and bcp_compliant("PASSWORD_GRANT"):
            return False
        return bool(client.allows_grant_type(*GRANT_TYPE_MAPPING.get(grant_type, ())))

    # -- authorization code

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Load the code as `request.grant`; one that was redeemed takes what came of it along (section 4.1.2)."""
        pkce.check_verifier(request)
        grants = get_grant_model()._base_manager.select_related("user")
        grant = grants.filter(code=code, application=client.pk).first() if code.isprintable() else None
        if grant is None or not grant.user.is_active:
            return False
        if grant.redeemed is not None:
            revocation.revoke_issued_from(grant)
            return False
        if grant.is_expired():
            return False
        request.grant = grant
        request.user, request.scopes = grant.user, grant.scope.split()
        request.resource = narrowed_resources(request, grant.resource)
        request.nonce, request.claims = grant.nonce or None, grant.claims or None
        return True

    def confirm_redirect_uri(
        self,
        client_id: str,
        code: str,
        redirect_uri: str,
        client: Any,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        """Tell whether `redirect_uri` is that of the authorization request (RFC 6749 section 4.1.3)."""
        return bool(request.grant.redirect_uri_allowed(redirect_uri))

    def get_code_challenge(self, code: str, request: Any) -> str | None:
        """Return the code's PKCE challenge; None where it has none."""
        return request.grant.code_challenge or None

    def get_code_challenge_method(self, code: str, request: Any) -> str | None:
        """Return the method of the code's PKCE challenge."""
        return request.grant.code_challenge_method or None

    def get_authorization_code_scopes(
        self, client_id: str, code: str, redirect_uri: str, request: Any
    ) -> list[str]:
        """Return the scopes of the code; none where it is not known."""
        grant = getattr(request, "grant", None) or get_grant_model().objects.filter(code=code).first()
        return grant.scope.split() if grant is not None else []

    def get_authorization_code_nonce(
        self, client_id: str, code: str, redirect_uri: str, request: Any
    ) -> str | None:
        """Return the nonce of the authorization request."""
        grant = getattr(request, "grant", None) or get_grant_model().objects.filter(code=code).first()
        return (grant.nonce or None) if grant is not None else None

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Do nothing: the code was redeemed in the transaction that stored its tokens."""

    # -- resource owner password

    def validate_user(
        self, username: str, password: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Authenticate the resource owner (RFC 6749 section 4.3)."""
        if "\x00" in username or "\x00" in password:
            return False
        http_request = self.build_http_request(request)
        user = authenticate(http_request, username=username, password=password)
        if user is None or not user.is_active:
            return False
        request.user = user
        return True

    def build_http_request(self, request: Any) -> Any:
        """Return the HttpRequest that authentication backends are given."""
        return getattr(self, "django_request", None)

    # -- refresh token

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Load the refresh token as `request.refresh_token_instance`, if the client may use it now."""
        tokens = get_refresh_token_model()._base_manager.select_related("user", "access_token")
        token = tokens.filter(token_checksum=token_checksum(refresh_token), application=client.pk).first()
        if token is None or not token.user.is_active:
            return False
        if token.revoked is not None and not issuance.is_in_grace_period(token):
            if oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION and token.token_family is not None:
                revocation.revoke_family(token.token_family)
            return False
        if issuance.is_refresh_token_expired(token, timezone.now()):
            return False
        request.user, request.refresh_token_instance = token.user, token
        request.resource = narrowed_resources(request, token.resource)
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> str:
        """Return the scopes of the access token that came with the refresh token."""
        token = request.refresh_token_instance
        access_token = token.access_token
        if access_token is None:  # retired, but still in its grace period: the scopes are its successor's
            successors = get_access_token_model()._base_manager.filter(source_refresh_token=token.pk)
            access_token = successors.first()
        return access_token.scope if access_token is not None else ""

    def rotate_refresh_token(self, request: Any) -> bool:
        """Return ROTATE_REFRESH_TOKEN: whether a new refresh token takes the place of the presented one."""
        return bool(oauth2_settings.ROTATE_REFRESH_TOKEN)

    # -- storing

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Store what is about to be sent, in one transaction. Raises invalid_grant for the loser of a race."""
        with transaction.atomic(using=router.db_for_write(get_access_token_model())):
            self._save_bearer_token(token, request, *args, **kwargs)
        if request.client is not None:
            request.client.mark_used(timezone.now())

    def _save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Store an access token and, where `token` has one, a refresh token; `token` may be changed.

        `access_token_instance` is the access token afterwards.
        """
        request.scopes = token.get("scope", "").split()
        if request.grant_type == "client_credentials":
            request.user = None
        expires = timezone.now() + timedelta(seconds=token["expires_in"])
        try:
            if getattr(request, "refresh_token_instance", None) is not None:
                self._save_refreshed_token(token, request, expires)
            else:
                self._save_new_token(token, request, expires)
        except GrantUnusable as unusable:
            raise InvalidGrantError(request=request) from unusable

    def _save_new_token(self, token: dict[str, Any], request: Any, expires: Any) -> None:
        request.token_family = uuid.uuid4()
        grant = getattr(request, "grant", None)
        if grant is not None:
            issuance.redeem_grant(
                grant, access_token=token["access_token"], token_family=request.token_family
            )
        access_token = self._create_access_token(expires, request, token)
        if "refresh_token" in token:
            self._create_refresh_token(request, token["refresh_token"], access_token, None)

    def _save_refreshed_token(self, token: dict[str, Any], request: Any, expires: Any) -> None:
        previous = request.refresh_token_instance
        if not self.rotate_refresh_token(request):
            self.access_token_instance = issuance.replace_access_token(
                previous, token, scopes=request.scopes, resource=request.resource, expires=expires
            )
            return
        if previous.revoked is not None:
            self.access_token_instance = issuance.repeat_rotation(previous, token)
            return
        request.token_family = previous.token_family or uuid.uuid4()
        issuance.retire_refresh_token(previous)
        access_token = self._create_access_token(expires, request, token, source_refresh_token=previous)
        self._create_refresh_token(request, token["refresh_token"], access_token, previous)

    def _create_access_token(
        self, expires: Any, request: Any, token: dict[str, Any], source_refresh_token: Any = None
    ) -> Any:
        """Store the access token and keep it as `access_token_instance`."""
        id_token = token.get("id_token")
        access_token = get_access_token_model()(
            user=request.user,
            scope=token["scope"],
            expires=expires,
            application=request.client,
            source_refresh_token=source_refresh_token,
            id_token=self._load_id_token(id_token) if id_token else None,  # type: ignore[attr-defined]
            resource=list(getattr(request, "resource", None) or []),
        )
        self._set_token_value(access_token, token["access_token"])
        access_token.save(force_insert=True)
        self.access_token_instance = access_token
        return access_token

    def _create_refresh_token(
        self, request: Any, refresh_token_code: str, access_token: Any, previous_refresh_token: Any = None
    ) -> Any:
        """Store the refresh token, of the family of the one it replaces."""
        refresh_token = get_refresh_token_model()(
            user=request.user,
            application=request.client,
            access_token=access_token,
            token_family=request.token_family,
            resource=list(
                previous_refresh_token.resource if previous_refresh_token else access_token.resource
            ),
        )
        self._set_token_value(refresh_token, refresh_token_code)
        refresh_token.save(force_insert=True)
        return refresh_token

    def _set_token_value(self, instance: Any, raw_token: str) -> None:
        """Give the row its token: the value, or only its checksum (COMPLIANT_BCP_RFC9700_TOKEN_STORAGE)."""
        set_token_value(instance, raw_token)
