"""Who may redirect where, and who may call from where: pure functions on URIs.

RFC 6749 section 3.1.2, RFC 9700 section 4.1.3, RFC 8252 sections 7.3 and 8.3, RFC 6454. Comparison is exact
but for the case of scheme and host and for what RFC 8252 or a setting allows: any port on a loopback address,
and a wildcard as the first label of a host.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from ..settings import oauth2_settings
from ..validators import UNSAFE_CHARACTER

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
    if "#" in uri:
        return False, [(None, "A redirect URI must not have a fragment (RFC 6749 section 3.1.2).")]
    reasons: list[tuple[str | None, str]] = []
    for allowed_uri in allowed_uris:
        reason = _mismatch(uri, parts, allowed_uri)
        if reason is None:
            return True, []
        reasons.append((allowed_uri, reason))
    return False, reasons


def is_origin_allowed(origin: str, allowed_origins: Iterable[str]) -> bool:
    """Tell whether `origin` is one of `allowed_origins`: a scheme, a host, a port (RFC 6454 section 6.2)."""
    parts = _split(origin)
    if parts is None or parts.scheme not in oauth2_settings.ALLOWED_SCHEMES:
        return False
    if origin.partition("://")[2] != parts.netloc or "@" in parts.netloc or parts.netloc.endswith(":"):
        return False
    for allowed_origin in allowed_origins:
        allowed = _split(allowed_origin)
        if allowed is None or parts.scheme != allowed.scheme or parts.port != allowed.port:
            continue
        if _host_matches(parts.hostname or "", allowed.hostname or ""):
            return True
    return False


def _mismatch(uri: str, parts: SplitResult, allowed_uri: str) -> str | None:
    """Return why `uri`, split into `parts`, is not `allowed_uri`, or None if it is."""
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
    if uri.partition("?")[1:] != allowed_uri.partition("?")[1:]:
        return "The query differs."
    return None


def _split(uri: str) -> SplitResult | None:
    if UNSAFE_CHARACTER.search(uri):
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
