"""HTTP responses that Django does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedRedirect
from django.http import HttpResponse
from django.utils.encoding import iri_to_uri


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
