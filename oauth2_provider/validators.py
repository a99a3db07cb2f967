"""Validators of the URIs that a client registers: redirect URIs (RFC 6749 section 3.1.2) and origins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_ipv4_address, validate_ipv6_address
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _

from .settings import oauth2_settings

UNSAFE_CHARACTER = re.compile(r"[\x00-\x20\x7f\\]")
"""What browsers strip from a URI, or read as a slash."""
HOST_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
"""One label of a host name: letters of any script, digits, hyphens, and the underscores of container names."""
SCHEMES_WITH_HOST = ("http", "https")


def is_host(host: str) -> bool:
    """Tell whether `host` is an IP address or a host name, of one label or many (RFC 3986 section 3.2.2)."""
    labels = host.removesuffix(".").split(".")
    try:
        if ":" in host:
            validate_ipv6_address(host)
        elif labels[-1].isdigit():
            validate_ipv4_address(host)
    except ValidationError:
        return False
    return ":" in host or all(HOST_LABEL.fullmatch(label) for label in labels)


class URIValidator(URLValidator):
    """An absolute URI with a scheme of `schemes` and a host, dotless ones allowed; no user information."""

    def __call__(self, value: Any) -> None:
        parts = self.split(force_str(value))
        if parts.scheme not in self.schemes:
            raise self.invalid(parts.geturl(), _("this scheme is not allowed"), code="invalid_scheme")
        self.validate_host(parts, parts.hostname)

    def split(self, uri: str) -> SplitResult:
        """Return the parts of `uri`. Raises ValidationError for what cannot be told apart safely."""
        if UNSAFE_CHARACTER.search(uri):
            raise self.invalid(uri, _("it has a space, a control character or a backslash"))
        try:
            parts = urlsplit(uri)
            parts.port  # noqa: B018 - raises for a port that is no number
        except ValueError as exc:
            raise self.invalid(uri, _("it cannot be parsed")) from exc
        return parts

    def validate_host(self, parts: SplitResult, host: str | None) -> None:
        """Raise ValidationError unless `host`, taken from `parts`, is one and stands there alone."""
        if "@" in parts.netloc:
            raise self.invalid(parts.geturl(), _("it has user information"))
        if not host or not is_host(host):
            raise self.invalid(parts.geturl(), _("it has no valid host"))

    def invalid(self, uri: str, cause: Any, *, code: str = "invalid") -> ValidationError:
        """Return the error that says why `uri` is not allowed."""
        params = {"value": uri, "cause": cause}
        return ValidationError(_("%(value)s is not a valid URI: %(cause)s"), code=code, params=params)


class AllowedURIValidator(URIValidator):
    """A URI that a client may register as its `name` (used in the messages).

    `schemes` are the allowed schemes. A fragment is refused unless allowed (RFC 6749 section 3.1.2), and so
    are a query and a path. With `allow_hostname_wildcard` the host may begin with `*.` or `*-`, above at least
    two labels more. A private-use scheme goes without a host: `com.example.app:/path` (RFC 8252 section 7.1).
    """

    def __init__(
        self,
        schemes: Iterable[str],
        name: Any,
        allow_path: bool = False,
        allow_query: bool = False,
        allow_fragments: bool = False,
        allow_hostname_wildcard: bool = False,
    ) -> None:
        super().__init__(schemes=list(schemes))
        self.name = name
        self.allow_path = allow_path
        self.allow_query = allow_query
        self.allow_fragments = allow_fragments
        self.allow_hostname_wildcard = allow_hostname_wildcard

    def __call__(self, value: Any) -> None:
        uri = force_str(value)
        parts = self.split(uri)
        if parts.scheme not in self.schemes:
            raise self.invalid(uri, _("this scheme is not allowed"), code="invalid_scheme")
        if parts.query and not self.allow_query:
            raise self.invalid(uri, _("a query is not allowed"))
        if "#" in uri and not self.allow_fragments:
            raise self.invalid(uri, _("a fragment is not allowed"))
        if parts.path and not self.allow_path:
            raise self.invalid(uri, _("a path is not allowed"))
        if "*" in parts.path and not self.allow_hostname_wildcard:
            raise self.invalid(uri, _("wildcards are not allowed"))
        if parts.netloc or parts.scheme in SCHEMES_WITH_HOST:
            self.validate_host(parts, self._without_wildcard(parts))
        elif not parts.path.startswith("/"):
            raise self.invalid(uri, _("it has neither a host nor a path that begins with a slash"))

    def _without_wildcard(self, parts: SplitResult) -> str | None:
        """Return the host with a plain label in place of an allowed wildcard."""
        host = parts.hostname
        if host is None or "*" not in host:
            return host
        if not self.allow_hostname_wildcard:
            raise self.invalid(parts.geturl(), _("wildcards are not allowed"))
        domain = host[2:]
        if host[:2] not in ("*.", "*-") or "." not in domain.removesuffix("."):
            cause = _("a wildcard must be the first label of a host with at least two more")
            raise self.invalid(parts.geturl(), cause)
        return f"wildcard{host[1:]}"

    def invalid(self, uri: str, cause: Any, *, code: str = "invalid") -> ValidationError:
        params = {"name": self.name, "value": uri, "cause": cause}
        return ValidationError(_("%(value)s is not a valid %(name)s: %(cause)s"), code=code, params=params)


def redirect_uri_validator(application: Any) -> AllowedURIValidator:
    """Return the validator of `application`'s redirect URIs: the default of REDIRECT_URI_VALIDATOR."""
    return AllowedURIValidator(
        application.get_allowed_schemes(),
        name="redirect uri",
        allow_path=True,
        allow_query=True,
        allow_hostname_wildcard=oauth2_settings.ALLOW_URI_WILDCARDS,
    )


def allowed_origin_validator(application: Any) -> AllowedURIValidator:
    """Return the validator of `application`'s origins: the default of ALLOWED_ORIGIN_VALIDATOR."""
    return AllowedURIValidator(
        oauth2_settings.ALLOWED_SCHEMES,
        name="allowed origin",
        allow_hostname_wildcard=oauth2_settings.ALLOW_URI_WILDCARDS,
    )
