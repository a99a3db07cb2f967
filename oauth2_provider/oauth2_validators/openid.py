"""OpenID Connect's hooks: claims, ID tokens, UserInfo (OpenID Connect Core 1.0)."""

from __future__ import annotations

import inspect
import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from oauthlib.oauth2 import ServerError
from oauthlib.oauth2.rfc6749.errors import InvalidTokenError

from ..flows import authentication, claims, id_tokens
from ..flows.authentication import Authentication
from ..flows.subjects import subject_of
from ..settings import oauth2_settings
from .requests import kept

logger = logging.getLogger("oauth2_provider")

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
            return {
                "sub": lambda oauth_request: subject_of(oauth_request.user, oauth_request.client),
                **self.get_additional_claims(),
            }
        return {"sub": subject_of(request.user, request.client), **self.get_additional_claims(request)}

    def get_discovery_claims(self, request: Any) -> list[str]:
        """Return the names of the claims for `claims_supported`; those that need a user are not known."""
        if not self._get_additional_claims_is_request_agnostic():
            return ["sub"]
        return list(self.get_claim_dict(request))

    def get_oidc_claims(self, token: Any, token_handler: Any, request: Any) -> dict[str, Any]:
        """Return the claims that the scopes of the request let out (section 5.4), and those that it names (5.5)."""
        is_userinfo = token_handler is None and token is kept(request, "access_token")
        member = "userinfo" if is_userinfo else "id_token"
        asked = self.load_authentication(request).claims
        needed, named = self.oidc_claim_scope or {}, claims.names(asked, member)
        released = {
            claim: value(request) if callable(value) else value
            for claim, value in self.get_claim_dict(request).items()
            if not self.oidc_claim_scope or needed.get(claim) in request.scopes or claim in named
        }
        return {
            claim: value
            for claim, value in released.items()
            if claim == "sub" or claims.is_wanted(asked, member, claim, value)
        }

    def get_userinfo_claims(self, request: Any) -> dict[str, Any]:
        """Return the UserInfo response (section 5.3.2). Raises invalid_token for a token of nobody."""
        if request.user is None:
            raise InvalidTokenError(request=request)
        return self.get_oidc_claims(request.access_token, None, request)

    def get_subject(self, user: Any, request: Any) -> Any:
        """Return the `sub` of `user` that the client of the request sees."""
        before, request.user = request.user, user
        try:
            subject = self.get_claim_dict(request)["sub"]
            return subject(request) if callable(subject) else subject
        finally:
            request.user = before

    def load_authentication(self, request: Any) -> Authentication:
        """Return what is known of the login that the request, or what it presents, comes from; kept on it."""
        known = kept(request, "authentication")
        if known is None:
            row = kept(request, "access_token")
            known = request.authentication = authentication.from_text(getattr(row, "authentication", None))
        return known

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
        dictionary = self.get_oidc_claims(token, token_handler, request)
        expires = timezone.now() + timedelta(seconds=oauth2_settings.ID_TOKEN_EXPIRE_SECONDS)
        dictionary.update(
            iss=self.get_oidc_issuer_endpoint(request), exp=_timestamp(expires), jti=str(uuid.uuid4())
        )
        dictionary.update(self.load_authentication(request).id_token_claims())
        return dictionary, expires

    def finalize_id_token(
        self, id_token: dict[str, Any], token: Any, token_handler: Any, request: Any
    ) -> str:
        """Return the signed ID token, and keep its row as `request.id_token_instance`.

        Raises server_error where the application has no key to sign it with.
        """
        try:
            dictionary, expires = self.get_id_token_dictionary(token, token_handler, request)
            id_token.update({**dictionary, **_half_hashes(id_token, token, request.client.algorithm)})
            signed = id_tokens.signed(id_token, request.client)
        except ImproperlyConfigured as error:
            logger.exception("an ID token cannot be issued", extra={"action": "id_token_failed"})
            raise ServerError(description="No ID token can be issued.", request=request) from error
        request.id_token_instance = self._save_id_token(uuid.UUID(dictionary["jti"]), request, expires)
        return signed

    def refresh_id_token(self, request: Any) -> bool:
        """Tell whether a refreshed token comes with an ID token (section 12.2)."""
        return self.can_issue_id_tokens(request.client)  # type: ignore[attr-defined]

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


def _timestamp(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _half_hashes(claims: dict[str, Any], token: dict[str, Any], algorithm: str) -> dict[str, str]:
    """Return `at_hash` and `c_hash` as `algorithm` wants them, where there are any (section 3.3.2.11)."""
    values = {"at_hash": "access_token", "c_hash": "code"}
    return {
        name: id_tokens.half_hash(token[value], algorithm) for name, value in values.items() if name in claims
    }
