"""Resource indicators (RFC 8707)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from ..validators import UNSAFE_CHARACTER

ERROR = "invalid_target"


def is_valid_resource_uri(uri: str) -> bool:
    """Tell whether `uri` is an absolute URI without fragment (RFC 8707 section 2)."""
    if UNSAFE_CHARACTER.search(uri):
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and "#" not in uri


def validate_resource_as_url_prefix(request_uri: str, audiences: Iterable[str]) -> bool:
    """Tell whether one of `audiences` is `request_uri` or a path above it, on the same origin."""
    here = urlsplit(request_uri)
    for audience in filter(is_valid_resource_uri, audiences):
        above = urlsplit(audience)
        if (above.scheme, above.netloc) != (here.scheme, here.netloc):
            continue
        path = above.path.rstrip("/")
        if here.path == above.path or here.path == path or here.path.startswith(path + "/"):
            return True
    return False


def requested_resources(request: Any) -> list[str]:
    """Return the `resource` parameters of an oauthlib request.

    Raises invalid_target for one that is no absolute URI.
    """
    resources = named_resources(request)
    check_resources(request, resources)
    return resources


def named_resources(request: Any) -> list[str]:
    """Return the `resource` parameters of an oauthlib request as they are; it may come several times."""
    parameters = [*(request.uri_query_params or []), *(request.decoded_body or [])]
    return [value for name, value in parameters if name == "resource" and value]


def check_resources(request: Any, resources: list[str]) -> None:
    """Raise invalid_target where one of `resources` is no absolute URI."""
    if not all(is_valid_resource_uri(uri) for uri in resources):
        raise CustomOAuth2Error(
            ERROR, description="resource must be an absolute URI without a fragment", request=request
        )


def narrowed_resources(request: Any, granted: list[str]) -> list[str]:
    """Return the resources a token request asks for, no more than were granted; all of those by default.

    Raises invalid_target for one that was not granted (section 2.2).
    """
    asked = requested_resources(request)
    if granted and not set(asked) <= set(granted):
        raise CustomOAuth2Error(
            ERROR, description="the grant does not cover a requested resource", request=request
        )
    return asked or granted
