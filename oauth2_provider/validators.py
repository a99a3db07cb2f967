"""Validators of the URIs that a client registers: redirect URIs (RFC 6749 section 3.1.2) and origins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _

from .settings import oauth2_settings


class URIValidator(URLValidator):
    """A URL of any scheme of RFC 3986 section 3.1, with dotless and container host names allowed."""

    scheme_re = r"^(?:[a-z][a-z0-9\.\-\+]*)://"
    dotless_domain_re = r"(?!-)[A-Z\d-]{1,63}(?<!-)"
    host_re = "|".join(
        (
            r"(?:" + URLValidator.host_re,
            URLValidator.ipv4_re,
            URLValidator.ipv6_re,
            dotless_domain_re + ")",
        )
    )
    port_re = r"(?::\d{2,5})?"
    path_re = r"(?:[/?#][^\s]*)?"
    regex = re.compile(scheme_re + host_re + port_re + path_re, re.IGNORECASE)


class AllowedURIValidator(URIValidator):
    """A URI that a client may register as its `name` (used in the messages).

    `schemes` are the allowed schemes. A fragment is refused unless allowed (RFC 6749 section 3.1.2), and so
    are a query and a path. With `allow_hostname_wildcard` the host may begin with `*.` or `*-`, above at
    least a registrable domain, and never in a userinfo or port.
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
        try:
            parts = urlsplit(uri)
            parts.port  # noqa: B018 - raises for a port that is no number
        except ValueError as exc:
            raise self._invalid(_("%(name)s URI validation error. Invalid URI: %(value)s"), uri) from exc
        if parts.scheme not in self.schemes:
            raise self._invalid(
                _("%(name)s URI validation error. invalid_scheme: %(value)s"), uri, code="invalid_scheme"
            )
        self._check_parts(parts, uri)
        self._check_host(uri, parts.netloc)

    def _check_parts(self, parts: Any, uri: str) -> None:
        refused = (
            (parts.query and not self.allow_query, "query string must not be set"),
            (("#" in uri) and not self.allow_fragments, "fragment not allowed"),
            (parts.path and not self.allow_path, "path must not be set"),
        )
        for is_refused, cause in refused:
            if is_refused:
                raise self._invalid(
                    _("%(name)s URI validation error. %(cause)s: %(value)s"), uri, cause=cause
                )

    def _check_host(self, uri: str, netloc: str) -> None:
        if "*" in uri.split("?")[0] and not self.allow_hostname_wildcard:
            raise self._invalid(
                _("%(name)s URI validation error. %(cause)s: %(value)s"), uri, cause="wildcards not allowed"
            )
        if netloc.startswith("*"):
            uri = self._without_wildcard(uri, netloc)
        if not netloc:
            return  # a private-use scheme of a native app has none (RFC 8252 section 7.1)
        try:
            super().__call__(uri)
        except ValidationError as exc:
            raise self._invalid(_("%(name)s URI validation error. Invalid URI: %(value)s"), uri) from exc

    def _without_wildcard(self, uri: str, netloc: str) -> str:
        """Return `uri` with a plain label in place of the wildcard; the rest must be a domain of its own."""
        domain = netloc[2:] if netloc[:2] in ("*.", "*-") else ""
        if "*" in domain or "@" in netloc or domain.split(":")[0].count(".") < 1:
            raise self._invalid(
                _("%(name)s URI validation error. %(cause)s: %(value)s"),
                uri,
                cause="a wildcard must be the first label of a host with at least two more",
            )
        return uri.replace(netloc, "wildcard" + netloc[1:], 1)

    def _invalid(self, message: Any, uri: str, *, code: str = "invalid", cause: str = "") -> ValidationError:
        return ValidationError(
            message, code=code, params={"name": self.name, "value": uri, "scheme": uri, "cause": cause}
        )


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
