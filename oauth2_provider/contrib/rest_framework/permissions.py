"""REST framework's permissions by scope (RFC 6749 section 3.3); a refusal says what is needed (RFC 6750 section 3)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request

from ...settings import oauth2_settings
from .authentication import OAuth2Authentication

logger = logging.getLogger("oauth2_provider")


class TokenHasScope(BasePermission):
    """The access token grants all of the view's `required_scopes`.

    ERROR_RESPONSE_WITH_SCOPES puts them into the body of the refusal; the challenge has them in any case.
    """

    message: Any = None

    def has_permission(self, request: Request, view: Any) -> bool:
        token = _find_token(request)
        if token is None:
            return False
        needed = self.get_scopes(request, view)
        if token.is_valid(needed):
            return True
        _challenge(request, view, needed)
        if oauth2_settings.ERROR_RESPONSE_WITH_SCOPES:
            self.message = {"detail": PermissionDenied.default_detail, "required_scopes": list(needed)}
        return False

    def get_scopes(self, request: Request, view: Any) -> list[str]:
        """Return the scopes that `view` needs. Raises ImproperlyConfigured where it does not say."""
        scopes = getattr(view, "required_scopes", None)
        if scopes is None:
            raise ImproperlyConfigured(
                f"{type(view).__name__} needs required_scopes, as {type(self).__name__} asks: set the attribute."
            )
        return list(scopes)


class TokenHasReadWriteScope(TokenHasScope):
    """The same, and READ_SCOPE for GET, HEAD and OPTIONS, else WRITE_SCOPE; the view needs no `required_scopes`."""

    def get_scopes(self, request: Request, view: Any) -> list[str]:
        return [*(getattr(view, "required_scopes", None) or ()), _read_or_write(request)]


class TokenHasResourceScope(TokenHasScope):
    """Each of the view's `required_scopes` with the kind of access: "music" needs "music:read" or "music:write"."""

    def get_scopes(self, request: Request, view: Any) -> list[str]:
        return [f"{scope}:{_read_or_write(request)}" for scope in super().get_scopes(request, view)]


class IsAuthenticatedOrTokenHasScope(BasePermission):
    """Someone authenticated by other means than OAuth2, or a token with the view's `required_scopes`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        is_user = IsAuthenticated().has_permission(request, view)
        if is_user and not isinstance(request.successful_authenticator, OAuth2Authentication):
            return True
        return TokenHasScope().has_permission(request, view)


class TokenMatchesOASRequirements(BasePermission):
    """The token grants all scopes of one of the alternatives that the view lists for the method, as OpenAPI does.

    `required_alternate_scopes = {"GET": [["read"]], "POST": [["create"], ["post", "widget"]]}`. A method that is not
    listed is refused; an empty alternative needs a token and no scope.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        token = _find_token(request)
        if token is None:
            return False
        alternatives = self.get_required_alternate_scopes(request, view).get((request.method or "").upper())
        if alternatives is None:
            logger.warning(
                "no scopes are listed for a method",
                extra={"action": "scopes_not_listed", "view": type(view).__name__, "method": request.method},
            )
            return False
        if any(token.is_valid(alternative) for alternative in alternatives):
            return True
        _challenge(request, view, alternatives[0] if alternatives else ())
        return False

    def get_required_alternate_scopes(self, request: Request, view: Any) -> Mapping[str, list[list[str]]]:
        """Return the alternatives by method. Raises ImproperlyConfigured where the view does not say."""
        alternatives = getattr(view, "required_alternate_scopes", None)
        if alternatives is None:
            raise ImproperlyConfigured(
                f"{type(view).__name__} needs required_alternate_scopes, as {type(self).__name__} asks: "
                "set the attribute."
            )
        return alternatives


def _find_token(request: Request) -> Any:
    """Return the request's access token; None where it was let in by something else, or by nothing.

    Raises ImproperlyConfigured where nothing could ever have found one.
    """
    if hasattr(request.auth, "is_valid"):
        return request.auth
    if request.auth and not any(isinstance(item, OAuth2Authentication) for item in request.authenticators):
        raise ImproperlyConfigured(
            "Permissions by scope need OAuth2Authentication in authentication_classes of the view, "
            "or in DEFAULT_AUTHENTICATION_CLASSES."
        )
    return None


def _challenge(request: Request, view: Any, scopes: Iterable[str]) -> None:
    """Have the refusal carry a challenge (RFC 6750 section 3.1): REST framework adds none to a 403."""
    authenticator = request.successful_authenticator
    headers = getattr(view, "headers", None)
    if headers is None or not isinstance(authenticator, OAuth2Authentication):
        return
    error = {
        "error": "insufficient_scope",
        "error_description": "The access token is valid but does not have enough scope.",
    }
    headers["WWW-Authenticate"] = authenticator.build_challenge(request, error, scopes=scopes)


def _read_or_write(request: Request) -> str:
    is_safe = (request.method or "").upper() in SAFE_METHODS
    return oauth2_settings.READ_SCOPE if is_safe else oauth2_settings.WRITE_SCOPE
