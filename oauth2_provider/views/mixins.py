"""What views share: the way to oauthlib, and the guards of protected resources (RFC 6750)."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import BadRequest, ImproperlyConfigured, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import NoReverseMatch

from ..exceptions import FatalClientError
from ..oauth2_servers import new_server
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings
from ..throttling import find_rate, seconds_to_wait
from ..www_authenticate import BASIC_CHALLENGE, has_basic_credentials, keep_private, refusal

logger = logging.getLogger("oauth2_provider")

SAFE_HTTP_METHODS = ("GET", "HEAD", "OPTIONS")
MAXIMUM_BODY_BYTES = 256 * 1024
"""No request of RFC 6749 comes near this; a longer body is refused before it is parsed."""


class OAuthLibCoreMixin:
    """Builds the OAuthLibCore of one request; a view may name other classes than the settings do."""

    server_class: Any = None
    validator_class: Any = None
    oauthlib_backend_class: Any = None

    @classmethod
    def get_server_class(cls) -> Any:
        """Return the oauthlib server class: the view's own, else as the settings say."""
        if cls.server_class is not None:
            return cls.server_class
        is_openid = oauth2_settings.OIDC_ENABLED
        return oauth2_settings.OIDC_SERVER_CLASS if is_openid else oauth2_settings.OAUTH2_SERVER_CLASS

    @classmethod
    def get_validator_class(cls) -> Any:
        """Return the validator class: the view's own, else OAUTH2_VALIDATOR_CLASS."""
        return cls.validator_class or oauth2_settings.OAUTH2_VALIDATOR_CLASS

    @classmethod
    def get_oauthlib_backend_class(cls) -> Any:
        """Return the backend class: the view's own, else OAUTH2_BACKEND_CLASS."""
        return cls.oauthlib_backend_class or oauth2_settings.OAUTH2_BACKEND_CLASS

    @classmethod
    def get_server(cls) -> Any:
        """Return a new oauthlib server over a new validator."""
        return new_server(cls.get_server_class(), cls.get_validator_class()())

    @classmethod
    def get_oauthlib_core(cls) -> Any:
        """Return a new backend over a new server: nothing is shared between requests."""
        return cls.get_oauthlib_backend_class()(cls.get_server())

    def authenticate_client(self, request: HttpRequest) -> bool:
        """Tell whether the request authenticates a confidential client."""
        return self.get_oauthlib_core().authenticate_client(request)


class AuthorizationServerViewMixin(OAuthLibCoreMixin):
    """The endpoints of the authorization server, as calls of the backend."""

    def validate_authorization_request(self, request: HttpRequest) -> tuple[list[str], dict[str, Any]]:
        return self.get_oauthlib_core().validate_authorization_request(request)

    def create_authorization_response(
        self, request: HttpRequest, scopes: str, credentials: dict[str, Any], allow: bool
    ) -> tuple[str, dict[str, str], str, int]:
        # scope is sent as the consent page had it
        return self.get_oauthlib_core().create_authorization_response(request, scopes, credentials, allow)

    def create_device_authorization_response(self, request: HttpRequest) -> tuple[dict[str, str], str, int]:
        return self.get_oauthlib_core().create_device_authorization_response(request)

    def create_token_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        return self.get_oauthlib_core().create_token_response(request)

    def create_revocation_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        return self.get_oauthlib_core().create_revocation_response(request)

    def create_userinfo_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        return self.get_oauthlib_core().create_userinfo_response(request)

    def error_response(self, error: Any, **kwargs: Any) -> Any:
        """Return whether the error goes to the client by redirect, and what the error page shows."""
        oauthlib_error = error.oauthlib_error
        redirect_uri = oauthlib_error.redirect_uri or ""
        separator = "&" if "?" in redirect_uri else "?"
        context = {
            "error": oauthlib_error,
            "url": f"{redirect_uri}{separator}{oauthlib_error.urlencoded}",
            **kwargs,
        }
        return not isinstance(error, FatalClientError), context


class ResourceServerViewMixin(OAuthLibCoreMixin):
    """The guard of a protected resource, as a call of the backend."""

    def verify_request(self, request: HttpRequest) -> tuple[bool, Any]:
        """Tell whether the request's bearer token grants `get_scopes()`."""
        return self.get_oauthlib_core().verify_request(request, scopes=self.get_scopes())

    def get_scopes(self) -> list[str]:
        """Return the scopes that the resource needs."""
        return []

    def get_resource_metadata_url(self, request: HttpRequest) -> str | None:
        """Return where the resource's metadata is (RFC 9728); None: not said."""
        return None

    def unauthenticated_response(self, request: HttpRequest, oauthlib_request: Any = None) -> HttpResponse:
        """Return the refusal, with a challenge that says `oauthlib_request.oauth2_error` (RFC 6750 section 3)."""
        error = getattr(oauthlib_request, "oauth2_error", None) or getattr(request, "oauth2_error", None)
        metadata_url = self.get_resource_metadata_url(request)
        return refusal(error, scopes=self.get_scopes(), resource_metadata=metadata_url)


class FormEncodedRequestMixin:
    """Guards the body of an endpoint: what cannot be parsed is an invalid_request, whatever is wrong with it.

    Bodies that are not form-encoded are refused under REQUIRE_FORM_ENCODED_REQUEST_BODY (RFC 6749 appendix B).
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        is_form = request.content_type == "application/x-www-form-urlencoded"
        if request.method == "POST" and oauth2_settings.REQUIRE_FORM_ENCODED_REQUEST_BODY and not is_form:
            return _invalid_request("The body must be application/x-www-form-urlencoded.", status=415)
        if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            return _invalid_request("The request body must be UTF-8.")
        if _content_length(request) > MAXIMUM_BODY_BYTES:
            return _invalid_request("The request body is too long.")
        try:
            request.POST  # noqa: B018 - parses the body
        except (SuspiciousOperation, BadRequest, UnreadablePostError, MultiPartParserError):
            return _invalid_request("The request body cannot be parsed.")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class ThrottledEndpointMixin:
    """Refuses callers that come too often, as THROTTLE_RATES says for `throttle_scope` (RFC 6585 section 4)."""

    throttle_scope = ""

    def get_throttle_caller(self, request: HttpRequest) -> str:
        """Return who is counted: the network address, and the client it says it is."""
        credentials = request.headers.get("Authorization") or request.POST.get("client_id", "")
        return f"{request.META.get('REMOTE_ADDR', '')} {_claimed_client(credentials)}"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if find_rate(self.throttle_scope) is None:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        seconds = seconds_to_wait(self.throttle_scope, self.get_throttle_caller(request))
        if seconds:
            content = {"error": "temporarily_unavailable", "error_description": "Too many requests."}
            return JsonResponse(content, status=429, headers={"Retry-After": str(seconds)})
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class OAuthLibMixin(AuthorizationServerViewMixin, ResourceServerViewMixin):
    """Both halves, for views written when there was one."""


class ScopedResourceMixin:
    """A resource that needs `required_scopes`."""

    required_scopes: list[str] | None = None

    def get_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return `required_scopes`. Raises ImproperlyConfigured where the view has none."""
        if self.required_scopes is None:
            raise ImproperlyConfigured(
                f"{type(self).__name__} needs required_scopes: set the attribute or override get_scopes()."
            )
        return self.required_scopes


class GuardedResourceMixin(ResourceServerViewMixin):
    """Answers a request only if `find_refusal` finds none. A view with async methods is guarded without blocking.

    What is overridden (validators, scopes, refusals) is ordinary synchronous code, and so runs in a thread there.
    """

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Return what refuses the request; None lets it in."""
        raise NotImplementedError

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = partial(super().dispatch, request, *args, **kwargs)  # type: ignore[misc]
        # a preflight carries no credentials
        if request.method == "OPTIONS":
            return answer()
        if getattr(self, "view_is_async", False):
            return self._answer_async(request, answer)
        refusal = self.find_refusal(request)
        return keep_private(request, answer()) if refusal is None else refusal

    async def _answer_async(self, request: HttpRequest, answer: Callable[[], Any]) -> Any:
        refusal = await sync_to_async(self.find_refusal)(request)
        return keep_private(request, await answer()) if refusal is None else refusal


class ProtectedResourceMixin(GuardedResourceMixin):
    """Lets a request in whose bearer token is good; `request.resource_owner` is its user."""

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        valid, oauth_request = self.verify_request(request)
        if not valid:
            return self.unauthenticated_response(request, oauth_request)
        request.resource_owner = oauth_request.user  # type: ignore[attr-defined]
        request.access_token = oauth_request.access_token  # type: ignore[attr-defined]
        return None


class ReadWriteScopedResourceMixin(ScopedResourceMixin, OAuthLibCoreMixin):
    """A resource that needs READ_SCOPE for safe methods and WRITE_SCOPE for the others."""

    required_scopes: list[str] | None = []
    read_write_scope: str | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        needed = {oauth2_settings.READ_SCOPE, oauth2_settings.WRITE_SCOPE}
        if not needed <= set(get_scopes_backend().get_all_scopes()):
            raise ImproperlyConfigured(
                f"{cls.__name__} needs the scopes {sorted(needed)}; add them to SCOPES."
            )
        return super().__new__(cls)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        is_safe = (request.method or "").upper() in SAFE_HTTP_METHODS
        self.read_write_scope = oauth2_settings.READ_SCOPE if is_safe else oauth2_settings.WRITE_SCOPE
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]

    def get_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        scopes = super().get_scopes(*args, **kwargs)
        return [*scopes, self.read_write_scope] if self.read_write_scope else list(scopes)


class ClientProtectedResourceMixin(GuardedResourceMixin):
    """Lets a confidential client in that authenticates itself, and else a good bearer token."""

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        if self.authenticate_client(request):
            return None
        valid, oauth_request = self.verify_request(request)
        if not valid:
            return self.unauthenticated_response(request, oauth_request)
        request.client = oauth_request.client  # type: ignore[attr-defined]
        request.resource_owner = oauth_request.user  # type: ignore[attr-defined]
        return None

    def unauthenticated_response(self, request: HttpRequest, oauthlib_request: Any = None) -> HttpResponse:
        """Return the refusal; to a client that used HTTP Basic, with its challenge (RFC 7662 section 2.3)."""
        response = super().unauthenticated_response(request, oauthlib_request)
        if has_basic_credentials(request.headers.get("Authorization")):
            response["WWW-Authenticate"] = BASIC_CHALLENGE
        return response


class ProtectedResourceMetadataMixin:
    """Says in the challenge where the resource's metadata is (RFC 9728 section 5.1)."""

    def get_resource_metadata_url(self, request: HttpRequest) -> str | None:
        return oauth2_settings.oauth2_resource_metadata_url(request)

    def unauthenticated_response(self, request: HttpRequest, oauthlib_request: Any = None) -> HttpResponse:
        return super().unauthenticated_response(request, oauthlib_request)  # type: ignore[misc]


class OIDCOnlyMixin:
    """Answers 404 unless OIDC_ENABLED."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not oauth2_settings.OIDC_ENABLED:
            return _not_enabled("OIDC_ENABLED")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class OIDCLogoutOnlyMixin(OIDCOnlyMixin):
    """Answers 404 unless OIDC_RP_INITIATED_LOGOUT_ENABLED."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not oauth2_settings.OIDC_RP_INITIATED_LOGOUT_ENABLED:
            return _not_enabled("OIDC_RP_INITIATED_LOGOUT_ENABLED")
        return super().dispatch(request, *args, **kwargs)


def find_issuer(request: HttpRequest) -> str | None:
    """Return this server's issuer identifier (RFC 8414 section 2); None where the site has not mounted its URLs."""
    try:
        return oauth2_settings.oauth2_authorization_server_issuer(request)
    except NoReverseMatch:
        return None


def _invalid_request(description: str, *, status: int = 400) -> JsonResponse:
    content = {"error": "invalid_request", "error_description": description}
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _claimed_client(credentials: str) -> str:
    """Return the client_id out of an Authorization header of HTTP Basic; anything else as it is."""
    if not has_basic_credentials(credentials):
        return credentials
    try:
        return base64.b64decode(credentials.partition(" ")[2]).partition(b":")[0].decode("utf-8", "replace")
    except ValueError:
        return ""


def _content_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0


def _not_enabled(setting: str) -> HttpResponse:
    if settings.DEBUG:
        raise ImproperlyConfigured(f"Set OAUTH2_PROVIDER['{setting}'] to True to use this view.")
    logger.warning("a view is not enabled", extra={"action": "view_not_enabled", "setting": setting})
    return HttpResponseNotFound()
