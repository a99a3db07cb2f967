"""An authentication backend for Django: who a bearer token stands for (RFC 6750)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from .oauth2_backends import OAuthLibCore, get_oauthlib_core

__all__ = ["OAuth2Backend", "OAuthLibCore"]


class OAuth2Backend(BaseBackend):
    """Authenticates a request by its bearer token, and by nothing else that it carries.

    Name it in AUTHENTICATION_BACKENDS and call `authenticate(request=request)`, or have OAuth2TokenMiddleware do so.
    """

    def authenticate(self, request: HttpRequest | None = None, **credentials: Any) -> Any:
        """Return the user of the request's token; None where there is no good token, or one that has no user.

        Never answers for `credentials`: a login form must not make a session, which may do everything, out of a
        token, which may not. `request.oauth2_error` says what is wrong with a bad token.
        """
        if request is None or credentials:
            return None
        valid, oauth_request = get_oauthlib_core().verify_request(request, scopes=[])
        if valid:
            return oauth_request.user
        request.oauth2_error = getattr(oauth_request, "oauth2_error", {})  # type: ignore[attr-defined]
        return None

    def get_user(self, user_id: Any) -> Any:
        """Return the active user with this primary key; None where there is none."""
        user = get_user_model()._default_manager.filter(pk=user_id).first()
        return user if user is not None and user.is_active else None


def __getattr__(name: str) -> Any:
    """Return the user model under its usual name, looked up when asked for."""
    if name == "UserModel":
        return get_user_model()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
