"""Who may redirect where, and who may call from where: pure functions on URIs.

RFC 6749 section 3.1.2, RFC 8252 sections 7.3 and 8.3, RFC 6454. Comparison is exact but for what RFC 8252 or
a setting allows: any port on a loopback address, query parameters beside the registered ones, and a wildcard
as the first label of a host.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ..settings import oauth2_settings

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
"""RFC 8252 section 7.3. `localhost` only under ALLOW_LOCALHOST_LOOPBACK (section 8.3 advises against it)."""


def redirect_to_uri_allowed(uri: str, allowed_uris: Iterable[str]) -> bool:
    """Tell whether `uri` is one of `allowed_uris`."""
    return check_redirect_to_uri_allowed(uri, allowed_uris)[0]


def check_redirect_to_uri_allowed(
    uri: str, allowed_uris: Iterable[str]
) -> tuple[bool, list[tuple[str | None, str]]]:
    """Tell whether `uri` is one of `allowed_uris`, and if not, why.

    Returns `(allowed, reasons)`; a reason is the allowed URI it was held against (None: the URI itself is at
    fault) and a sentence.
    """
    parts = _split(uri)
    if parts is None:
        return False, [(None, "The URI cannot be parsed.")]
    reasons: list[tuple[str | None, str]] = []
    for allowed_uri in allowed_uris:
        reason = _mismatch(parts, allowed_uri)
        if reason is None:
            return True, []
        reasons.append((allowed_uri, reason))
    return False, reasons


def is_origin_allowed(origin: str, allowed_origins: Iterable[str]) -> bool:
    """Tell whether `origin` (RFC 6454: scheme, host and port) is one of `allowed_origins`."""
    parts = _split(origin)
    if parts is None or parts.scheme not in oauth2_settings.ALLOWED_SCHEMES:
        return False
    for allowed_origin in allowed_origins:
        allowed = _split(allowed_origin)
        if allowed is None or parts.scheme != allowed.scheme or parts.port != allowed.port:
            continue
        if _host_matches(parts.hostname or "", allowed.hostname or ""):
            return True
    return False


def _mismatch(parts: SplitResult, allowed_uri: str) -> str | None:
    """Return why `parts` is not `allowed_uri`, or None if it is."""
    allowed = _split(allowed_uri)
    if allowed is None:
        return "The registered URI cannot be parsed."
    if parts.scheme != allowed.scheme:
        return "The scheme differs."
    if (parts.username, parts.password) != (allowed.username, allowed.password):
        return "The user information differs."
    if not _host_matches(parts.hostname or "", allowed.hostname or ""):
        return "The host differs."
    if parts.port != allowed.port and not _is_loopback(allowed):
        return "The port differs."
    if parts.path != allowed.path:
        return "The path differs."
    if not set(parse_qsl(allowed.query, keep_blank_values=True)) <= set(
        parse_qsl(parts.query, keep_blank_values=True)
    ):
        return "A query parameter of the registered URI is missing."
    if parts.fragment != allowed.fragment:
        return "The fragment differs."
    return None


def _split(uri: str) -> SplitResult | None:
    # a backslash or a control character is read differently by browsers than by urlsplit
    if "\\" in uri or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in uri):
        return None
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        return None
    return parts


def _host_matches(host: str, allowed_host: str) -> bool:
    if oauth2_settings.ALLOW_URI_WILDCARDS and allowed_host.startswith("*"):
        return host.endswith(allowed_host[1:]) and len(host) > len(allowed_host) - 1
    return host == allowed_host


def _is_loopback(allowed: SplitResult) -> bool:
    if allowed.scheme != "http":
        return False
    if allowed.hostname == "localhost":
        return bool(oauth2_settings.ALLOW_LOCALHOST_LOOPBACK)
    return allowed.hostname in LOOPBACK_ADDRESSES
