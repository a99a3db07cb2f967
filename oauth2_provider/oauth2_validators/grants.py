"""What a token request presents: a code, a password, a refresh token (RFC 6749 sections 4 and 6)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone
from oauthlib.oauth2 import InvalidGrantError, UnauthorizedClientError

from ..bcp import bcp_compliant
from ..flows import authentication, issuance, revocation
from ..models import get_grant_model, get_refresh_token_model, token_checksum
from ..models.lookup import find
from ..settings import oauth2_settings
from . import pkce
from .grant_types import GRANT_TYPE_MAPPING
from .requests import kept
from .resources import narrowed_resources


class GrantHooks:
    """Checks what is presented at the token endpoint, loading each row once."""

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the client may use `grant_type`."""
        if grant_type == "password" and bcp_compliant("PASSWORD_GRANT"):
            return False
        self._check_and_set_request_resource(request)  # type: ignore[attr-defined]
        if grant_type == "refresh_token" and not client.allows_refresh_tokens:
            return False
        return bool(client.allows_grant_type(*GRANT_TYPE_MAPPING.get(grant_type, ())))

    # -- authorization code

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Load the code as `request.grant`; one that was redeemed takes what came of it along (section 4.1.2)."""
        pkce.check_verifier(request)
        grants = get_grant_model()._base_manager
        grant = find(grants, related=("user",), code=code) if code.isprintable() else None
        if grant is None or grant.application_id != client.pk or not grant.user.is_active:
            return False
        if grant.redeemed is not None:
            revocation.revoke_issued_from(grant)
            return False
        if grant.is_expired() or (request.code_verifier is not None and not grant.code_challenge):
            return False  # a verifier without a challenge is a PKCE downgrade (RFC 9700 section 4.8.2)
        request.grant = grant
        grant.application = client
        request.user, request.scopes = grant.user, grant.scope.split()
        request.resource = narrowed_resources(request, grant.resource)
        request.nonce, request.claims = grant.nonce or None, grant.claims or None
        request.authentication = authentication.from_text(grant.authentication)
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
        """Tell whether `redirect_uri` is that of the authorization request (RFC 6749 section 4.1.3).

        It must be named here where it was named there. Raises invalid_grant where it is not: that is what section 5.2
        names for it.
        """
        if request.using_default_redirect_uri and request.grant.redirect_uri:
            description = "The redirect_uri of the authorization request is missing."
            raise InvalidGrantError(description=description, request=request)
        if not request.grant.redirect_uri_allowed(redirect_uri):
            raise InvalidGrantError(description="The redirect_uri is not that of the code.", request=request)
        return True

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
        grant = kept(request, "grant") or get_grant_model().objects.filter(code=code).first()
        return grant.scope.split() if grant is not None else []

    def get_authorization_code_nonce(
        self, client_id: str, code: str, redirect_uri: str, request: Any
    ) -> str | None:
        """Return the nonce of the authorization request."""
        grant = kept(request, "grant") or get_grant_model().objects.filter(code=code).first()
        return (grant.nonce or None) if grant is not None else None

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Do nothing: the code was redeemed in the transaction that stored its tokens."""

    # -- resource owner password

    def validate_user(
        self, username: str, password: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Authenticate the resource owner (RFC 6749 section 4.3).

        Raises unauthorized_client first: a client that may not use the grant gets no answer about passwords.
        """
        if not self.validate_grant_type(client.client_id, "password", client, request):
            raise UnauthorizedClientError(request=request)
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
        tokens, checksum = get_refresh_token_model()._base_manager, token_checksum(refresh_token)
        token = find(tokens, related=("user", "access_token"), token_checksum=checksum)
        if token is None or token.application_id != client.pk or not token.user.is_active:
            return False
        if token.revoked is not None and not issuance.is_in_grace_period(token):
            if oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION and token.token_family is not None:
                revocation.revoke_family(token.token_family)
            return False
        expires = issuance.refresh_token_expires(token)
        if expires is not None and expires < timezone.now():
            return False
        request.user, request.refresh_token_instance = token.user, token
        request.authentication = authentication.from_text(token.authentication)
        request.resource = narrowed_resources(request, token.resource)
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> str:
        """Return the scopes that the user granted, whatever was made of them since (RFC 6749 section 6)."""
        return issuance.granted_scope(request.refresh_token_instance)

    def rotate_refresh_token(self, request: Any) -> bool:
        """Return ROTATE_REFRESH_TOKEN: whether a new refresh token takes the place of the presented one."""
        return bool(oauth2_settings.ROTATE_REFRESH_TOKEN)
