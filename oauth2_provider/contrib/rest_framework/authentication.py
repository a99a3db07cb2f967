"""REST framework's authentication by bearer token (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from ...oauth2_backends import get_oauthlib_core
from ...settings import oauth2_settings
from ...www_authenticate import bearer_challenge, format_attributes


class OAuth2Authentication(BaseAuthentication):
    """`request.user` is the token's user (None for a client's own token), `request.auth` the access token."""

    www_authenticate_realm = "api"

    def _dict_to_string(self, my_dict: dict[str, Any]) -> str:
        """Return `my_dict` as the parameters of a challenge."""
        return format_attributes(my_dict)

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return user and access token; None where there is no good token.

        `request.oauth2_error` says what is wrong with a bad one. Raises ParseError, with a challenge, for a request
        that is malformed: a token sent twice, or where none may be (RFC 6750 section 3.1: 400).
        """
        if request is None:
            return None
        valid, oauth_request = get_oauthlib_core().verify_request(request, scopes=[])
        if valid:
            return oauth_request.user, oauth_request.access_token
        request.oauth2_error = getattr(oauth_request, "oauth2_error", None) or {}
        if request.oauth2_error.get("error") == "invalid_request":
            malformed = ParseError(request.oauth2_error["error_description"])
            malformed.auth_header = self.authenticate_header(request)
            raise malformed
        return None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a request that is refused (RFC 6750 section 3)."""
        return self.build_challenge(request, getattr(request, "oauth2_error", None))

    def build_challenge(
        self, request: Request, oauth2_error: dict[str, Any] | None, *, scopes: Iterable[str] = ()
    ) -> str:
        """Return the challenge for `oauth2_error`; `scopes` are those that are needed."""
        return bearer_challenge(
            oauth2_error,
            realm=self.www_authenticate_realm,
            scopes=scopes,
            resource_metadata=self.get_resource_metadata_url(request),
        )

    def get_resource_metadata_url(self, request: Request) -> str | None:
        """Return where the resource's metadata is (RFC 9728); None: not said."""
        return None


class OAuth2ProtectedResourceAuthentication(OAuth2Authentication):
    """The same, its challenge saying where the resource's metadata is (RFC 9728 section 5.1)."""

    def get_resource_metadata_url(self, request: Request) -> str | None:
        """Return the provider's own document. Override it for a resource with one of its own."""
        return oauth2_settings.oauth2_resource_metadata_url(request._request)
