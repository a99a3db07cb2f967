"""The client registration endpoint (RFC 7591) and the client configuration endpoint (RFC 7592)."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError, RestrictedError
from django.http import (
    HttpRequest,
    HttpResponse,
    JsonResponse,
    RawPostDataException,
    UnreadablePostError,
)
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.generic import View

from ..compat import login_exempt
from ..flows import registration
from ..flows.client_metadata import KINDS_THAT_REDIRECT as REDIRECT_REQUIRED_GRANT_TYPES
from ..flows.errors import RegistrationEnded
from ..flows.metadata_values import InvalidClientMetadata
from ..models.registered_client import KIND_OF_GRANT_TYPE as GRANT_TYPE_MAP
from ..models.registered_client import REFRESH_TOKEN
from ..settings import oauth2_settings
from ..www_authenticate import bearer_challenge
from .mixins import ThrottledEndpointMixin, _not_enabled

__all__ = [
    "GRANT_TYPE_MAP",
    "IGNORED_GRANT_TYPES",
    "REDIRECT_REQUIRED_GRANT_TYPES",
    "DynamicClientRegistrationManagementView",
    "DynamicClientRegistrationView",
]

IGNORED_GRANT_TYPES = {REFRESH_TOKEN}
"""Grant types that stand for no kind of grant of an application."""
MAXIMUM_BODY_BYTES = 64 * 1024
IN_USE = "The client is in use by this site, which alone can end its registration."
INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": "The registration access token is not valid for this client.",
}


class RegistrationEndpoint(ThrottledEndpointMixin, View):
    """What both endpoints share: they are there under DCR_ENABLED only, speak JSON, and count callers by address.

    Any origin may call, never with cookies: clients that run in a browser register themselves too.
    """

    throttle_scope = "register"

    def get_throttle_caller(self, request: HttpRequest) -> str:
        return str(request.META.get("REMOTE_ADDR", ""))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not oauth2_settings.DCR_ENABLED:
            return _not_enabled("DCR_ENABLED")
        try:
            response = self.find_refusal(request) or super().dispatch(request, *args, **kwargs)
        except InvalidClientMetadata as error:
            response = _answer({"error": error.error, "error_description": error.description}, status=400)
        response["Access-Control-Allow-Origin"] = "*"
        return response

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Return why the request is not answered; None where it is."""
        return None

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().options(request, *args, **kwargs)
        response["Access-Control-Allow-Methods"] = response["Allow"]
        response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        return response

    def client_information(self, registered: registration.Registration) -> dict[str, Any]:
        """Return the response, with where it can be had again (RFC 7592 section 3)."""
        path = reverse("oauth2_provider:dcr-register-management", args=[registered.application.client_id])
        uri = self.request.build_absolute_uri(path)
        return {**registration.client_information(registered), "registration_client_uri": uri}


@method_decorator(csrf_exempt, name="dispatch")
@login_exempt
class DynamicClientRegistrationView(RegistrationEndpoint):
    """Registers a client (RFC 7591 section 3), for whom DCR_REGISTRATION_PERMISSION_CLASSES let in."""

    http_method_names = ["post", "options"]

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        document = _json_body(request)
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        user = getattr(request, "user", None)
        owner = user if user is not None and user.is_authenticated else None
        registered = registration.register(document, user=owner)
        return _answer(self.client_information(registered), status=201)


@method_decorator(csrf_exempt, name="dispatch")
@login_exempt
class DynamicClientRegistrationManagementView(RegistrationEndpoint):
    """Reads, replaces and ends a registration (RFC 7592 section 2), for whoever has its registration access token."""

    http_method_names = ["get", "put", "delete", "options"]
    application: Any = None
    presented_token = ""

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        if request.method == "OPTIONS":
            return None
        return self._authenticate_registration_request(request, self.kwargs["client_id"])

    @method_decorator(sensitive_variables())
    def _authenticate_registration_request(self, request: HttpRequest, client_id: str) -> HttpResponse | None:
        """Find the client by its registration access token, in the header only; returns the refusal, if it is one."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return _challenge({}, None)
        application = registration.find_registration(client_id, token)
        if application is None:
            return _challenge(INVALID_TOKEN, INVALID_TOKEN)
        if not application.is_usable(request):
            return _answer({"error": "access_denied"}, status=403)
        self.application, self.presented_token = application, token
        return None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = registration.Registration(
            application=self.application, client_secret=None, registration_access_token=self.presented_token
        )
        return _answer(self.client_information(found))

    @method_decorator(sensitive_variables())
    def put(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        document = _json_body(request)
        try:
            updated = registration.update(self.application, document, token=self.presented_token)
        except RegistrationEnded:
            return _challenge(INVALID_TOKEN, INVALID_TOKEN)
        return _answer(self.client_information(updated))

    def delete(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            registration.deregister(self.application, token=self.presented_token)
        except RegistrationEnded:
            return _challenge(INVALID_TOKEN, INVALID_TOKEN)
        except (ProtectedError, RestrictedError):
            # RFC 7592 section 2.3: "not allowed to delete itself": 403, MUST
            return _answer({"error": "access_denied", "error_description": IN_USE}, status=403)
        return _uncached(HttpResponse(status=204))


def _json_body(request: HttpRequest) -> Any:
    """Return the body as JSON values. Raises InvalidClientMetadata for any other body."""
    if request.content_type != "application/json":
        raise InvalidClientMetadata("The body must be application/json.")
    try:
        body = request.body
        if len(body) > MAXIMUM_BODY_BYTES:
            raise InvalidClientMetadata(f"The body is longer than {MAXIMUM_BODY_BYTES} bytes.")
        return json.loads(body)
    except (ValueError, RecursionError, UnreadablePostError, RawPostDataException) as error:
        raise InvalidClientMetadata("The body is not JSON.") from error


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Return why the caller may not register clients; None where it may."""
    classes = oauth2_settings.DCR_REGISTRATION_PERMISSION_CLASSES
    try:
        if classes and all(permission().has_permission(request) for permission in classes):
            return None
    except PermissionDenied as denied:
        return _answer({"error": "access_denied", "error_description": str(denied)}, status=403)
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return _answer({"error": "access_denied"}, status=403)
    content = {"error": "invalid_token", "error_description": "Registering a client needs authorization."}
    return _challenge(content, None)


def _challenge(content: dict[str, Any], error: dict[str, Any] | None) -> HttpResponse:
    """Return a 401 with a challenge; no error in it where no token was sent (RFC 6750 section 3.1)."""
    response = _answer(content, status=401)
    response["WWW-Authenticate"] = bearer_challenge(error, realm="registration")
    return response


def _answer(content: dict[str, Any], *, status: int = 200) -> JsonResponse:
    response = JsonResponse(content, status=status)
    _uncached(response)
    return response


def _uncached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
    return response
