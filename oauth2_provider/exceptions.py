"""Errors of the provider. oauthlib's own are wrapped by OAuthToolkitError at the edge."""

from __future__ import annotations

from typing import Any


class OAuthToolkitError(Exception):
    """An oauthlib error on its way to the user agent.

    `oauthlib_error` is the wrapped OAuth2Error; `redirect_uri`, where known, is where the client hears of it, and
    `response_mode` how, if the request says so.
    """

    def __init__(
        self,
        error: Any = None,
        redirect_uri: str | None = None,
        *args: Any,
        response_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.oauthlib_error = error
        self.response_mode = response_mode
        if redirect_uri:
            self.oauthlib_error.redirect_uri = redirect_uri


class FatalClientError(OAuthToolkitError):
    """An error that must not be redirected to the client (RFC 6749 section 4.1.2.1)."""


class OIDCError(Exception):
    """An error of the OpenID Connect logout endpoint, shown to the user agent."""

    status_code = 400
    error: str | None = None
    description: str | None = None

    def __init__(self, description: str | None = None) -> None:
        if description is not None:
            self.description = description
        super().__init__(f"({self.error}) {self.description}")


class InvalidRequestFatalError(OIDCError):
    """The logout request cannot be trusted; nothing is redirected."""

    error = "invalid_request"


class ClientIdMissmatch(InvalidRequestFatalError):  # noqa: N818 - the public name
    """The client_id parameter and the ID token name different clients."""

    description = "The client_id does not match the client that the ID token was issued to."


class InvalidOIDCClientError(InvalidRequestFatalError):
    """No client, or one that is not registered."""

    description = "The client is unknown, or the request names none."


class InvalidOIDCRedirectURIError(InvalidRequestFatalError):
    """The post_logout_redirect_uri is not one that the client registered."""

    description = "The post logout redirect URI is not registered for this client."


class InvalidIDTokenError(InvalidRequestFatalError):
    """The id_token_hint is not an ID token of this server."""

    description = "The ID token is malformed, expired, revoked or not of this server."


class LogoutDenied(OIDCError):  # noqa: N818 - the public name
    """The user chose to stay logged in."""

    error = "logout_denied"
    description = "The user refused to log out."
