"""What Django's HTTP lacks: a redirect to any scheme, a path that is reversed once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedRedirect
from django.http import HttpResponse
from django.urls import get_resolver, get_script_prefix, get_urlconf, reverse
from django.utils.encoding import iri_to_uri
from django.utils.translation import get_language

KEPT_AT_MOST = 1000
"""Paths by name, script prefix and language, for one URLconf."""


def path_of(name: str) -> str:
    """Return the path of the URL `name`, which takes no arguments; raises NoReverseMatch like `reverse`.

    Every introspection asks for one. It is kept with Django's own resolver, and so as long as its URLconf is; a path
    may depend on the language (`i18n_patterns`), and on the script prefix, which some servers take from the request:
    so there is an end to what is kept.
    """
    kept: dict[Any, str] = vars(get_resolver(get_urlconf())).setdefault("_oauth2_provider_paths", {})
    key = (name, get_script_prefix(), get_language())
    path = kept.get(key) or reverse(name)
    if len(kept) < KEPT_AT_MOST:
        kept[key] = path
    return path


class OAuth2ResponseRedirect(HttpResponse):
    """A 302 to a redirect URI whose scheme is one of `allowed_schemes`.

    Django's own redirect refuses the private-use schemes of native apps (RFC 8252 section 7.1). Raises
    `DisallowedRedirect` for a scheme that is not allowed.
    """

    status_code = 302

    def __init__(self, redirect_to: str, allowed_schemes: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.allowed_schemes = list(allowed_schemes)
        self["Location"] = iri_to_uri(redirect_to)
        self.validate_redirect(redirect_to)

    @property
    def url(self) -> str:
        return self["Location"]

    def validate_redirect(self, redirect_to: str) -> None:
        scheme = urlsplit(str(redirect_to)).scheme
        if not scheme:
            raise DisallowedRedirect("OAuth2 redirects require a URI scheme.")
        if scheme not in self.allowed_schemes:
            raise DisallowedRedirect(f"Redirect to scheme {scheme!r} is not permitted")
