"""What an OpenID Connect authorization request asks of the login (OpenID Connect Core 1.0 sections 3.1.2.1 and 5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from oauthlib.oauth2 import InvalidRequestError
from oauthlib.oauth2.rfc6749.errors import InvalidRedirectURIError
from oauthlib.openid.connect.core.exceptions import LoginRequired, RequestNotSupported, RequestURINotSupported

from ..flows import authentication, claims, consent, id_tokens
from ..flows.authentication import Authentication
from ..settings import oauth2_settings
from .requests import kept

PUSHED = "urn:ietf:params:oauth:request_uri:"
"""How the request URIs of pushed requests begin (RFC 9126 section 2.2)."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OFFLINE_ACCESS = "offline_access"
PROMPTS = ("none", "login", "consent", "select_account", "create")


def is_openid(request: Any) -> bool:
    """Tell whether the request is one of OpenID Connect (section 3.1.2.1)."""
    return bool(oauth2_settings.OIDC_ENABLED) and "openid" in (request.scopes or [])


def supported_prompts() -> list[str]:
    """Return the values of `prompt` that this site knows (Initiating User Registration 1.0 section 4.1)."""
    can_register = oauth2_settings.OIDC_RP_INITIATED_REGISTRATION_ENABLED
    return [prompt for prompt in PROMPTS if prompt != "create" or can_register]


def maximum_age(request: Any) -> int | None:
    """Return `max_age` in seconds; None where the request has none."""
    value = getattr(request, "max_age", None)
    return int(value) if value else None


def check_openid_request(request: Any) -> None:
    """Refuse what an OpenID Connect request must not be, and replace its `claims` by what is understood of them.

    `offline_access` is taken out of the scopes where no code is asked for (section 11: MUST be ignored). Raises
    invalid_request, request_not_supported or request_uri_not_supported (section 3.1.2.6).
    """
    if not is_openid(request):
        return
    parameters = dict([*request.uri_query_params, *(request.decoded_body or [])])
    if parameters.get("request"):
        raise RequestNotSupported(request=request)
    if not parameters.get("request_uri", PUSHED).startswith(PUSHED):
        raise RequestURINotSupported(request=request)
    if not (parameters.get("max_age") or "0").isdecimal() or len(parameters.get("max_age") or "") > 10:
        raise InvalidRequestError(description="max_age is not a number of seconds.", request=request)
    if set((request.prompt or "").split()) - set(supported_prompts()):
        raise InvalidRequestError(description="A value of prompt is not supported.", request=request)
    if "code" not in request.response_type.split():
        request.scopes = [scope for scope in request.scopes if scope != OFFLINE_ACCESS]
        _refuse_unprotected_redirect(request)
    try:
        request.claims = claims.parse(request.claims)
    except claims.MalformedClaims as malformed:
        raise InvalidRequestError(description=str(malformed), request=request) from malformed


def _refuse_unprotected_redirect(request: Any) -> None:
    """Refuse http in the implicit flow (section 3.2.2.1: MUST NOT), but for native applications on their loopback."""
    parts = urlsplit(request.redirect_uri or "")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        description = "ID tokens are not sent to a redirect URI of http."
        raise InvalidRedirectURIError(description=description, request=request)


class OpenIDRequestHooks:
    """Holds the login against what the request asks of it."""

    django_request: Any

    def validate_silent_login(self, request: Any) -> bool:
        """Tell whether somebody is logged in, not longer ago than `max_age` (prompt=none, section 3.1.2.1)."""
        if self._find_user() is None:
            return False
        max_age = maximum_age(request)
        return max_age is None or not self._authentication().is_older_than(max_age)

    def validate_silent_authorization(self, request: Any) -> bool:
        """Tell whether the user has granted this before, or need not be asked (prompt=none)."""
        if request.client.skip_authorization:
            return True
        return consent.has_granted(
            self._find_user(),
            request.client,
            scopes=request.scopes,
            resource=kept(request, "resource") or [],
            claim_names=self.get_claims_beyond_scopes(request),
        )

    def validate_user_match(
        self, id_token_hint: str | None, scopes: list[str], claims: Any, request: Any
    ) -> bool:
        """Tell whether who is logged in is the one of `id_token_hint` and of a `sub` in `claims` (section 5.5.1).

        Raises login_required where the login is not of a class that the client cannot do without (section 5.5.1.1).
        """
        user = self._find_user()
        asked = claims if isinstance(claims, Mapping) else {}
        if not self._has_essential_acr(asked):
            raise LoginRequired(description="The login is not of the requested acr.", request=request)
        if id_token_hint:
            hint = self.find_hint(id_token_hint)
            if hint is None or user is None or not hint.names(user):
                return False
        return self._is_asked_for(user, asked, request)

    def find_hint(self, id_token_hint: str) -> id_tokens.Hint | None:
        """Return what an `id_token_hint` says, expired or not; None where this server did not sign it."""
        audience = id_tokens.audience_of(id_token_hint)
        application = self._get_client_by_audience(audience) if audience else None  # type: ignore[attr-defined]
        hint = id_tokens.read_hint(id_token_hint, application) if application is not None else None
        is_own = hint is not None and hint.claims.get("iss") == self.get_oidc_issuer_endpoint(None)  # type: ignore[attr-defined]
        return hint if is_own else None

    def get_claims_beyond_scopes(self, request: Any) -> list[str]:
        """Return the known claims that the request names (section 5.5) and its scopes do not cover."""
        if not is_openid(request) or not isinstance(request.claims, Mapping):
            return []
        needed = self.oidc_claim_scope or {}  # type: ignore[attr-defined]
        known = {*needed, *self.get_discovery_claims(request)} - {"sub"}  # type: ignore[attr-defined]
        asked = {name for member in claims.MEMBERS for name in claims.names(request.claims, member)}
        return sorted(name for name in asked & known if needed.get(name) not in request.scopes)

    def can_issue_id_tokens(self, application: Any) -> bool:
        """Tell whether `application` has an algorithm, a key and a subject to sign ID tokens with."""
        try:
            id_tokens.check_issuable(application)
        except ImproperlyConfigured:
            return False
        return True

    def _has_essential_acr(self, asked: Mapping[str, Any]) -> bool:
        if not claims.is_essential(asked, "id_token", "acr"):
            return True
        return self._authentication().has_acr_of(claims.accepted_values(asked, "id_token", "acr"))

    def _is_asked_for(self, user: Any, asked: Mapping[str, Any], request: Any) -> bool:
        """Tell whether `user` has the `sub` that the claims parameter names, if it names one."""
        for member in claims.MEMBERS:
            subjects = claims.accepted_values(asked, member, "sub")
            if subjects is not None and (user is None or self.get_subject(user, request) not in subjects):  # type: ignore[attr-defined]
                return False
        return True

    def _find_user(self) -> Any:
        user = getattr(self.django_request, "user", None)
        return user if user is not None and user.is_authenticated else None

    def _authentication(self) -> Authentication:
        return authentication.from_session(getattr(self.django_request, "session", {}))
