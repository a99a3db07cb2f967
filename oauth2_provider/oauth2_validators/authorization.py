"""The authorization endpoint's hooks (RFC 6749 section 3.1, RFC 7636, RFC 8707)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from oauthlib.oauth2 import InvalidRequestError

from ..bcp import bcp_compliant
from ..flows import pushed_requests
from ..models import get_grant_model
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings
from . import pkce
from .openid_requests import check_openid_request, is_openid
from .requests import check_authorization_request, kept
from .resources import check_resources, named_resources


class AuthorizationHooks:
    """Checks an authorization request, and stores the code it ends in."""

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the client registered `redirect_uri`."""
        return bool(request.client.redirect_uri_allowed(redirect_uri))

    def get_default_redirect_uri(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> str | None:
        """Return the redirect URI of a request that names none: the only one registered (RFC 6749 section 3.1.2.3).

        None where none or several are: oauthlib then has the user told that it is missing.
        """
        with suppress(ImproperlyConfigured):
            return str(request.client.default_redirect_uri)
        return None

    def validate_response_type(
        self, client_id: str, response_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the client may use `response_type`; the request's other parameters are checked here too."""
        request.response_type = response_type = _in_order(response_type)
        check_authorization_request(request)
        self._check_pushed(request)
        check_openid_request(request)
        pkce.check_challenge(request)
        self._check_and_set_request_resource(request)
        if not client.allows_response_type(response_type):
            return False
        if response_type == "code":
            return client.allows_grant_type(client.GRANT_AUTHORIZATION_CODE, client.GRANT_OPENID_HYBRID)
        words = response_type.split()
        parts = set(words)
        if "token" in parts and bcp_compliant("IMPLICIT_GRANT"):  # RFC 9700 section 2.1.2
            return False
        if len(parts) < len(words) or not parts <= {"code", "token", "id_token"}:
            return False
        if "code" in parts:
            return client.allows_grant_type(client.GRANT_OPENID_HYBRID)
        return self._validate_implicit_response_type(client)

    def _check_pushed(self, request: Any) -> None:
        """Refuse a request that its client had to push (RFC 9126 section 5)."""
        is_pushed = getattr(getattr(self, "django_request", None), "is_pushed", False)
        if not is_pushed and pushed_requests.must_push(request.client):
            description = "The client must push its authorization requests."
            raise InvalidRequestError(description=description, request=request)

    def _validate_implicit_response_type(self, client: Any) -> bool:
        """Tell whether the client may get tokens from the authorization endpoint, without a code."""
        return client.allows_grant_type(client.GRANT_IMPLICIT)

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Tell whether the client may ask for all of `scopes`; for `openid` only where its ID tokens can be signed.

        Not where there are none: neither the request nor a default names one (RFC 6749 section 3.3).
        """
        if not scopes:
            return False
        if request.response_type and is_openid(request) and not self.can_issue_id_tokens(client):  # type: ignore[attr-defined]
            return False
        available = get_scopes_backend().get_available_scopes(application=client, request=request)
        return set(scopes) <= set(client.permitted_scopes(list(available)))

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        """Return the scopes of a request that names none; `openid` only where ID tokens can be signed."""
        defaults = get_scopes_backend().get_default_scopes(application=request.client, request=request)
        scopes: list[str] = request.client.permitted_scopes(list(defaults))
        if "openid" not in scopes or not oauth2_settings.OIDC_ENABLED:
            return scopes
        can_issue = self.can_issue_id_tokens(request.client)  # type: ignore[attr-defined]
        return [scope for scope in scopes if scope != "openid" or can_issue]

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """Return PKCE_REQUIRED, asked for this client where it is callable."""
        required = oauth2_settings.PKCE_REQUIRED
        return bool(required(client_id)) if callable(required) else bool(required)

    def is_origin_allowed(self, client_id: str, origin: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether scripts of `origin` may read the token endpoint's answer to this client."""
        return request.client is not None and bool(request.client.origin_allowed(origin))

    def save_authorization_code(
        self, client_id: str, code: dict[str, str], request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Store the code that is about to be sent."""
        self._create_authorization_code(request, code)

    def _create_authorization_code(self, request: Any, code: dict[str, str], expires: Any = None) -> Any:
        """Store the code with what it was given for; it lives AUTHORIZATION_CODE_EXPIRE_SECONDS.

        Its redirect URI is blank where the client named none, so that it need name none at the token endpoint.
        """
        lifetime = timedelta(seconds=oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS)
        return get_grant_model().objects.create(
            application=request.client,
            user=request.user,
            code=code["code"],
            expires=expires or timezone.now() + lifetime,
            redirect_uri="" if kept(request, "redirect_uri_is_default") else request.redirect_uri,
            scope=" ".join(request.scopes),
            code_challenge=request.code_challenge or "",
            code_challenge_method=request.code_challenge_method or "",
            nonce=request.nonce or "",
            claims=_as_text(request.claims),
            resource=list(getattr(request, "resource", None) or []),
            authentication=self.load_authentication(request).as_text(),  # type: ignore[attr-defined]
        )

    def _check_and_set_request_resource(self, request: Any) -> None:
        """Keep the request's resource indicators, checked, as `request.resource`.

        Those that a user has consented to are on the request already.
        """
        consented = kept(request, "resource")
        if isinstance(consented, list):
            return
        resources = named_resources(request)
        self._validate_resource_uris(request, resources)
        request.resource = resources

    def _validate_resource_uris(self, request: Any, resources: list[str]) -> None:
        """Raise invalid_target for what is no resource indicator (RFC 8707 section 2). Override it to allow fewer."""
        check_resources(request, resources)


def _in_order(response_type: str) -> str:
    """Return a response type with its words in the order that oauthlib knows it by (RFC 6749 section 3.1.1)."""
    words = response_type.split()
    known = [word for word in ("code", "id_token", "token") if word in words]
    return " ".join(known) if len(known) == len(words) else response_type


def _as_text(claims: Any) -> str:
    if not claims:
        return ""
    return claims if isinstance(claims, str) else json.dumps(claims)
