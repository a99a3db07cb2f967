"""The suite's site under a strict Content-Security-Policy, with a page for clients to return to."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.urls import urlpatterns as suite_urlpatterns

POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
CALLBACK = "/callback/"


def strict_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: no inline style, no inline script, nothing from elsewhere."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return respond


@csrf_exempt
def callback(request: HttpRequest) -> HttpResponse:
    """Where clients have the user sent back to."""
    return HttpResponse("<!DOCTYPE html><html lang='en'><title>Back at the client</title>")


urlpatterns = [*suite_urlpatterns, path(CALLBACK.lstrip("/"), callback)]
