"""OpenID Connect's hooks: claims, ID tokens, UserInfo (OpenID Connect Core 1.0)."""

from __future__ import annotations

import inspect
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from ..flows import id_tokens
from ..models import get_access_token_model
from ..settings import oauth2_settings

_SCOPE_CLAIMS = {
    "openid": "sub",
    "profile": "name family_name given_name middle_name nickname preferred_username profile picture website "
    "gender birthdate zoneinfo locale updated_at",
    "email": "email email_verified",
    "address": "address",
    "phone": "phone_number phone_number_verified",
}


class OpenIDHooks:
    """Says who the user is. Override `get_additional_claims` for more than `sub`."""

    oidc_claim_scope: dict[str, str] | None = {
        claim: scope for scope, claims in _SCOPE_CLAIMS.items() for claim in claims.split()
    }
    """Claim -> scope that it needs (section 5.4); None: no claim needs one."""

    # -- claims

    def get_additional_claims(self, request: Any = None) -> dict[str, Any]:
        """Return claims beside `sub`: values or callables of the request. Override it, with or without `request`."""
        return {}

    def _get_additional_claims_is_request_agnostic(self) -> bool:
        return not inspect.signature(self.get_additional_claims).parameters

    def get_claim_dict(self, request: Any) -> dict[str, Any]:
        """Return every claim there could be: values, or callables of the request."""
        if self._get_additional_claims_is_request_agnostic():
            return {"sub": lambda oauth_request: str(oauth_request.user.pk), **self.get_additional_claims()}
        return {"sub": str(request.user.pk), **self.get_additional_claims(request)}

    def get_discovery_claims(self, request: Any) -> list[str]:
        """Return the names of the claims for `claims_supported`; those that need a user are not known."""
        if not self._get_additional_claims_is_request_agnostic():
            return ["sub"]
        return list(self.get_claim_dict(request))

    def get_oidc_claims(self, token: Any, token_handler: Any, request: Any) -> dict[str, Any]:
        """Return the claims that the scopes of the request let out (section 5.4)."""
        needed = self.oidc_claim_scope or {}
        return {
            claim: value(request) if callable(value) else value
            for claim, value in self.get_claim_dict(request).items()
            if not self.oidc_claim_scope or needed.get(claim) in request.scopes
        }

    def get_userinfo_claims(self, request: Any) -> dict[str, Any]:
        """Return the UserInfo response (section 5.3.2)."""
        return self.get_oidc_claims(request.access_token, None, request)

    def get_oidc_issuer_endpoint(self, request: Any) -> str:
        """Return the issuer."""
        return oauth2_settings.oidc_issuer(getattr(self, "django_request", None) or request)

    # -- issuing

    def get_jwt_bearer_token(self, token: Any, token_handler: Any, request: Any) -> Any:
        """Return the ID token: nothing else is issued as a JWT."""
        return self.get_id_token(token, token_handler, request)

    def get_id_token(self, token: Any, token_handler: Any, request: Any) -> None:
        """Return None: oauthlib builds the claims of the protocol, `finalize_id_token` does the rest."""

    def get_id_token_dictionary(
        self, token: Any, token_handler: Any, request: Any
    ) -> tuple[dict[str, Any], datetime]:
        """Return the claims of an ID token beside those oauthlib makes, and its end (section 2)."""
        claims = self.get_oidc_claims(token, token_handler, request)
        expires = timezone.now() + timedelta(seconds=oauth2_settings.ID_TOKEN_EXPIRE_SECONDS)
        claims.update(
            iss=self.get_oidc_issuer_endpoint(request), exp=_timestamp(expires), jti=str(uuid.uuid4())
        )
        if request.user.last_login is not None:
            claims["auth_time"] = _timestamp(request.user.last_login)
        return claims, expires

    def finalize_id_token(
        self, id_token: dict[str, Any], token: Any, token_handler: Any, request: Any
    ) -> str:
        """Return the signed ID token, and keep its row as `request.id_token_instance`."""
        claims, expires = self.get_id_token_dictionary(token, token_handler, request)
        id_token.update(claims)
        request.id_token_instance = self._save_id_token(uuid.UUID(claims["jti"]), request, expires)
        return id_tokens.signed(id_token, request.client)

    def _save_id_token(
        self, jti: uuid.UUID, request: Any, expires: datetime, *args: Any, **kwargs: Any
    ) -> Any:
        """Store what is kept of the ID token."""
        return id_tokens.store_id_token(
            jti=jti,
            user=request.user,
            application=request.client,
            scope=" ".join(request.scopes or []),
            expires=expires,
        )

    # -- reading

    def validate_jwt_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        """Tell whether `token` is a live ID token with `scopes`."""
        return self.validate_id_token(token, scopes, request)

    def validate_id_token(self, token: str, scopes: list[str], request: Any) -> bool:
        """Tell whether `token` is a live ID token with `scopes`; the request has user and client then."""
        id_token = self._load_id_token(token) if token else None
        if id_token is None or not id_token.is_valid(scopes):
            return False
        request.client, request.user = id_token.application, id_token.user
        request.scopes, request.access_token = scopes, id_token
        return True

    def _load_id_token(self, token: str) -> Any:
        """Return the row of an ID token that this server signed; None for anything else."""
        key = self._get_key_for_token(token)
        return id_tokens.find_id_token(token, key) if key is not None else None

    def _get_key_for_token(self, token: str) -> Any:
        """Return the key that `token` must be signed with; None where there is none."""
        audience = id_tokens.audience_of(token)
        application = self._get_client_by_audience(audience) if audience else None
        return id_tokens.find_key(token, application) if application is not None else None

    def _get_client_by_audience(self, audience: Any) -> Any:
        """Return the client that an ID token is for."""
        return id_tokens.find_application(audience)

    # -- authorization requests

    def validate_silent_login(self, request: Any) -> bool:
        """Tell whether somebody is logged in (prompt=none, section 3.1.2.1)."""
        user = getattr(getattr(self, "django_request", None), "user", None)
        return user is not None and user.is_authenticated

    def validate_silent_authorization(self, request: Any) -> bool:
        """Tell whether the user has granted this before, or need not be asked (prompt=none)."""
        if request.client.skip_authorization:
            return True
        http_request = getattr(self, "django_request", None)
        live = get_access_token_model()._default_manager.filter(
            user=http_request.user if http_request is not None else None,
            application=request.client,
            expires__gt=timezone.now(),
        )
        return any(token.allow_scopes(request.scopes) for token in live.iterator())

    def validate_user_match(
        self, id_token_hint: str | None, scopes: list[str], claims: Any, request: Any
    ) -> bool:
        """Tell whether the user who is logged in is the one of `id_token_hint` (section 3.1.2.1)."""
        if not id_token_hint:
            return True
        id_token = self._load_id_token(id_token_hint)
        user = getattr(getattr(self, "django_request", None), "user", None)
        return id_token is not None and user is not None and id_token.user_id == user.pk


def _timestamp(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())
