"""The WWW-Authenticate challenge of a protected resource (RFC 6750 section 3, RFC 9728 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

from .settings import oauth2_settings

BASIC_CHALLENGE = 'Basic realm="oauth2", charset="UTF-8"'
"""For a client whose HTTP Basic credentials are wrong (RFC 6749 section 5.2, RFC 7617)."""

PROVIDERS_OWN = ""
"""In place of a URL: where this provider's document is."""

STATUS_OF_ERROR = {"invalid_request": 400, "invalid_token": 401, "insufficient_scope": 403}
"""RFC 6750 section 3.1."""


def challenge_status(oauth2_error: dict[str, Any] | None, default: int = 401) -> int:
    """Return the HTTP status for an error of the request; `default` where there is none."""
    return STATUS_OF_ERROR.get((oauth2_error or {}).get("error", ""), default)


def has_basic_credentials(authorization: str | None) -> bool:
    """Tell whether an Authorization header is of HTTP Basic."""
    return (authorization or "").partition(" ")[0].lower() == "basic"


def refusal(
    oauth2_error: dict[str, Any] | None, *, scopes: Iterable[str] = (), resource_metadata: str | None = None
) -> HttpResponse:
    """Return the empty response that refuses a request, with status and challenge (RFC 6750 section 3)."""
    response = HttpResponse(status=challenge_status(oauth2_error))
    response["WWW-Authenticate"] = bearer_challenge(
        oauth2_error, scopes=scopes, resource_metadata=resource_metadata
    )
    return response


def build_bearer_challenge(
    request: HttpRequest,
    oauth2_error: dict[str, Any] | None = None,
    realm: str | None = None,
    resource_metadata_url: str | None = PROVIDERS_OWN,
) -> str:
    """Return the challenge of a resource whose metadata is at `resource_metadata_url`; None: not said.

    By default that is the provider's own document.
    """
    if resource_metadata_url == PROVIDERS_OWN:
        resource_metadata_url = oauth2_settings.oauth2_resource_metadata_url(request)
    return bearer_challenge(oauth2_error, realm=realm or "api", resource_metadata=resource_metadata_url)


def bearer_challenge(
    oauth2_error: dict[str, Any] | None = None,
    *,
    realm: str = "api",
    scopes: Iterable[str] = (),
    resource_metadata: str | None = None,
) -> str:
    """Return the value of the header: the error of the request, what scope is needed, where the metadata is."""
    attributes: dict[str, str] = {"realm": realm}
    attributes.update({name: str(value) for name, value in (oauth2_error or {}).items() if value})
    needed = " ".join(scopes)
    if needed and attributes.get("error") in (None, "insufficient_scope"):
        attributes.setdefault("scope", needed)
    if resource_metadata:
        attributes["resource_metadata"] = resource_metadata
    return f"Bearer {format_attributes(attributes)}"


def keep_private(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Keep what is answered to a token in the URI out of shared caches (RFC 6750 section 2.3); returns `response`."""
    if "access_token" in request.GET and 200 <= response.status_code < 300:
        patch_cache_control(response, private=True)
    return response


def format_attributes(attributes: Mapping[str, Any]) -> str:
    """Return the auth-params of a challenge, each value as a quoted string (RFC 9110 section 11.2)."""
    return ", ".join(f'{name}="{_quoted(str(value))}"' for name, value in attributes.items())


def _quoted(value: str) -> str:
    printable = "".join(character for character in value if " " <= character <= "~")
    return printable.replace("\\", "\\\\").replace('"', '\\"')
