"""Pushed authorization requests: the endpoint, and the way from a request URI to the request (RFC 9126)."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.generic import View
from oauthlib.oauth2 import InvalidRequestFatalError

from ..compat import called_by_clients
from ..exceptions import FatalClientError
from ..flows import pushed_requests
from ..models import REQUEST_URI_PREFIX
from ..oauth2_servers import PushedAuthorizationServer
from ..settings import oauth2_settings
from .mixins import AuthorizationServerViewMixin, FormEncodedRequestMixin, ThrottledEndpointMixin

SESSION_KEY = "oauth2_provider.pushed_requests"
KEPT_SECONDS = 3600
"""How long a user may take from the first page to the answer."""
KEPT_REQUESTS = 5
"""How many requests of one session may wait for their answers."""


@called_by_clients
class PushedAuthorizationRequestView(
    FormEncodedRequestMixin, ThrottledEndpointMixin, AuthorizationServerViewMixin, View
):
    """The pushed authorization request endpoint (section 2); 404 unless PAR_ENABLED."""

    throttle_scope = "par"
    http_method_names = ["post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not oauth2_settings.PAR_ENABLED:
            return HttpResponseNotFound()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        core = self.get_oauthlib_backend_class()(PushedAuthorizationServer(self.get_server()))
        headers, body, status = core.create_pushed_authorization_response(request)
        return HttpResponse(body, status=status, headers=headers)


class InvalidRequestURIError(InvalidRequestFatalError):
    """The request URI stands for nothing (RFC 9101 section 7)."""

    error = "invalid_request_uri"


class PushedRequestMixin:
    """Puts the request that a client pushed in the place of its request URI, for an authorization view.

    The first visit takes the request up; until it is answered, the session of that user agent keeps it: a login takes
    longer than a request URI lives, and pages are loaded again (section 7.3). The view sets `is_answered`.
    """

    is_answered = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request_uri = request.GET.get("request_uri", "")
        if not request_uri.startswith(REQUEST_URI_PREFIX):
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        client_id = request.GET.get("client_id", "")
        parameters = _find_kept(request, request_uri, client_id)
        if parameters is None and request_uri.isprintable():
            parameters = pushed_requests.take_up(request_uri, client_id)
        if parameters is None:
            description = (
                "The request is too old, was used, or was never made. Start again at the application."
            )
            error = FatalClientError(error=InvalidRequestURIError(description=description))
            return self.error_response(error)  # type: ignore[attr-defined]
        _keep(request, request_uri, client_id, parameters)
        request.GET = pushed_requests.as_query(client_id, parameters)  # type: ignore[assignment]
        request.is_pushed = True  # type: ignore[attr-defined]
        response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        if self.is_answered:
            _forget(request, request_uri)
        else:
            _keep(request, request_uri, client_id, parameters)  # a logout on the way has emptied the session
        return response


def _find_kept(request: HttpRequest, request_uri: str, client_id: str) -> dict[str, Any] | None:
    kept = request.session.get(SESSION_KEY, {}).get(request_uri)
    if kept is None or kept["client_id"] != client_id or kept["until"] <= time.time():
        return None
    return dict(kept["parameters"])


def _keep(request: HttpRequest, request_uri: str, client_id: str, parameters: dict[str, Any]) -> None:
    waiting = dict(request.session.get(SESSION_KEY, {}))
    if request_uri in waiting:
        return
    until = time.time() + KEPT_SECONDS
    waiting[request_uri] = {"client_id": client_id, "parameters": parameters, "until": until}
    request.session[SESSION_KEY] = dict(list(waiting.items())[-KEPT_REQUESTS:])


def _forget(request: HttpRequest, request_uri: str) -> None:
    waiting = dict(request.session.get(SESSION_KEY, {}))
    if waiting.pop(request_uri, None) is not None:
        request.session[SESSION_KEY] = waiting
