"""Middleware that lets a bearer token stand for its user on every view (RFC 6750). Never blocks the event loop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from .oauth2_backends import get_oauthlib_core
from .utils import parse_bearer_token

logger = logging.getLogger("oauth2_provider")


class _BearerMiddleware:
    """Calls `see_token` for a request with a bearer token in its header, in a thread where the site is async."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._answer_async(request)
        if _has_bearer_token(request):
            self.see_token(request)
        return self.finish(self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        if _has_bearer_token(request):
            await sync_to_async(self.see_token)(request)
        return self.finish(await self.get_response(request))

    def see_token(self, request: HttpRequest) -> None:
        """Do what the middleware is for."""
        raise NotImplementedError

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response as it is to be sent."""
        return response


class OAuth2TokenMiddleware(_BearerMiddleware):
    """Sets `request.user` to the user of a good bearer token; someone logged in already stays who they are.

    Needs OAuth2Backend in AUTHENTICATION_BACKENDS, and comes after AuthenticationMiddleware where there is one. A
    token may then do on every view what its user may, whatever its scopes. Responses vary by Authorization.
    """

    def see_token(self, request: HttpRequest) -> None:
        user = getattr(request, "user", None)
        if user is not None and not user.is_anonymous:
            return
        user = authenticate(request=request)
        if user is not None:
            _set_user(request, user)

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        patch_vary_headers(response, ["Authorization"])
        return response


class OAuth2ExtraTokenMiddleware(_BearerMiddleware):
    """Sets `request.access_token` to the token of the header, if it is good: with its user, application and scopes.

    Bad tokens and requests without one leave the request as it is.
    """

    def see_token(self, request: HttpRequest) -> None:
        valid, oauth_request = get_oauthlib_core().verify_request(request, scopes=[])
        if valid:
            request.access_token = oauth_request.access_token  # type: ignore[attr-defined]
        else:
            logger.debug("no good bearer token", extra={"action": "bearer_token_refused"})


def _has_bearer_token(request: HttpRequest) -> bool:
    return parse_bearer_token(request.headers.get("Authorization")) is not None


def _set_user(request: HttpRequest, user: Any) -> None:
    """Set whom `request.user` and `request.auser()` are, and what AuthenticationMiddleware remembers of them."""

    async def auser() -> Any:
        return user

    request.user = request._cached_user = request._acached_user = user  # type: ignore[attr-defined]
    request.auser = auser
