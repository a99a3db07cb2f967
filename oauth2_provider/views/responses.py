"""Authorization responses on their way to the client: in the query, in the fragment, or posted by a form.

RFC 6749 section 4.1.2, OAuth 2.0 Form Post Response Mode section 2, RFC 9207 section 2.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urldefrag, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..http import OAuth2ResponseRedirect

FORM_POST = "form_post"
CARRIED = ("nonce", "claims", "resource", "response_mode")
"""What oauthlib leaves out of the credentials of a valid request."""


def posted_by_form(request: HttpRequest, redirect: OAuth2ResponseRedirect) -> HttpResponse:
    """Return a page that posts to the client what `redirect` has in the fragment of its URI.

    The script is a file of its own and the form has a button, so that a strict Content-Security-Policy and a browser
    without JavaScript do no harm.
    """
    action, fragment = urldefrag(redirect.url)
    context = {"action": action, "parameters": parse_qsl(fragment, keep_blank_values=True)}
    response = render(request, "oauth2_provider/form_post.html", context)
    response["Cache-Control"] = "no-cache, no-store"
    response["Pragma"] = "no-cache"
    return response


def as_get(request: HttpRequest) -> HttpResponse:
    """Have the browser repeat by GET the request that a client posted (OpenID Connect Core 1.0 section 3.1.2.1).

    From another site it came without the cookie of the user's session.
    """
    parameters = request.GET.copy()
    for name, values in request.POST.lists():
        parameters.setlist(name, [*parameters.getlist(name), *values])
    return HttpResponse(status=303, headers={"Location": f"{request.path}?{parameters.urlencode()}"})


def with_parameter(uri: str, name: str, value: str) -> str:
    """Return `uri` with a parameter more, in the fragment where the response is there."""
    parts = urlsplit(uri)
    if parts.fragment:
        pairs = [*parse_qsl(parts.fragment, keep_blank_values=True), (name, value)]
        return urlunsplit(parts._replace(fragment=urlencode(pairs)))
    separator = "&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{parts.query}{separator}{urlencode({name: value})}"))


def destination(redirect_uri: str | None) -> str:
    """Return where `redirect_uri` leads, for people: its host, else its scheme (RFC 8252 section 7.1)."""
    parts = urlsplit(redirect_uri or "")
    return parts.netloc or parts.scheme


def answer_of(headers: dict[str, str], body: str | None, status: int) -> HttpResponse:
    """Return what oauthlib answers as a response."""
    response = HttpResponse(content=body or "", status=status)
    for name, value in headers.items():
        response[name] = value
    return response


def carry_over(credentials: dict[str, Any]) -> Any:
    """Take the oauthlib request out of `credentials` and leave there what it says; returns it."""
    oauth_request = credentials.pop("request")
    credentials["prompt"] = " ".join(sorted(credentials.get("prompt") or []))
    credentials.update({name: getattr(oauth_request, name, None) for name in CARRIED})
    credentials["redirect_uri_is_default"] = oauth_request.using_default_redirect_uri
    return oauth_request
