"""Decorators that let a request reach a view only with a good bearer token (RFC 6750), for sync and async views."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

from .oauth2_backends import get_oauthlib_core
from .scopes import get_scopes_backend
from .settings import oauth2_settings
from .www_authenticate import keep_private, refusal

SAFE_HTTP_METHODS = ("GET", "HEAD", "OPTIONS")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def protected_resource(
    scopes: Iterable[str] | None = None,
    validator_cls: Any = None,
    server_cls: Any = None,
    advertise_metadata: bool = False,
    resource_metadata_url: str | None = None,
) -> Decorator:
    """Return a decorator: the view needs a bearer token that grants all of `scopes`.

    `request.resource_owner` is then its user, `request.access_token` the token. Validator and server are as the
    settings say unless they are given. `advertise_metadata` says in the challenge where the resource's metadata is
    (RFC 9728 section 5.1): at `resource_metadata_url`, by default the provider's own document.
    """
    guard = _Guard(
        scopes=_listed(scopes),
        validator_class=validator_cls,
        server_class=server_cls,
        advertise_metadata=advertise_metadata,
        resource_metadata_url=resource_metadata_url,
    )
    return guard.decorate


def protected_resource_metadata(
    scopes: Iterable[str] | None = None,
    validator_cls: Any = None,
    server_cls: Any = None,
    resource_metadata_url: str | None = None,
) -> Decorator:
    """Return `protected_resource(...)` whose challenge says where the metadata is."""
    return protected_resource(scopes, validator_cls, server_cls, True, resource_metadata_url)


def rw_protected_resource(
    scopes: Iterable[str] | None = None,
    validator_cls: Any = None,
    server_cls: Any = None,
    advertise_metadata: bool = False,
    resource_metadata_url: str | None = None,
) -> Decorator:
    """Return a decorator: the token must grant READ_SCOPE for GET, HEAD and OPTIONS, else WRITE_SCOPE, and `scopes`.

    Raises ImproperlyConfigured where the site has no such scopes.
    """
    needed = {oauth2_settings.READ_SCOPE, oauth2_settings.WRITE_SCOPE}
    if not needed <= set(get_scopes_backend().get_all_scopes()):
        raise ImproperlyConfigured(
            f"rw_protected_resource needs the scopes {sorted(needed)}; add them to SCOPES."
        )
    guard = _ReadWriteGuard(
        scopes=_listed(scopes),
        validator_class=validator_cls,
        server_class=server_cls,
        advertise_metadata=advertise_metadata,
        resource_metadata_url=resource_metadata_url,
    )
    return guard.decorate


def rw_protected_resource_metadata(
    scopes: Iterable[str] | None = None,
    validator_cls: Any = None,
    server_cls: Any = None,
    resource_metadata_url: str | None = None,
) -> Decorator:
    """Return `rw_protected_resource(...)` whose challenge says where the metadata is."""
    return rw_protected_resource(scopes, validator_cls, server_cls, True, resource_metadata_url)


@dataclass(frozen=True, kw_only=True)
class _Guard:
    """What a view asks of a request."""

    scopes: tuple[str, ...]
    validator_class: Any
    server_class: Any
    advertise_metadata: bool
    resource_metadata_url: str | None

    def decorate(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Return the guarded view, of the same kind; it is exempt from LoginRequiredMiddleware."""
        if iscoroutinefunction(view):

            @functools.wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                refused = await sync_to_async(self.find_refusal)(request)
                if refused is not None:
                    return refused
                return keep_private(request, await view(request, *args, **kwargs))

            return login_not_required(guarded_async)

        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            refused = self.find_refusal(request)
            return keep_private(request, view(request, *args, **kwargs)) if refused is None else refused

        return login_not_required(guarded)

    def find_refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Return what refuses the request; None lets it in."""
        needed = self.needed_scopes(request)
        core = get_oauthlib_core(server_class=self.server_class, validator_class=self.validator_class)
        valid, oauth_request = core.verify_request(request, scopes=needed)
        if not valid:
            error = getattr(oauth_request, "oauth2_error", None)
            return refusal(error, scopes=needed, resource_metadata=self._metadata_url(request))
        request.resource_owner = oauth_request.user  # type: ignore[attr-defined]
        request.access_token = oauth_request.access_token  # type: ignore[attr-defined]
        return None

    def needed_scopes(self, request: HttpRequest) -> list[str]:
        return list(self.scopes)

    def _metadata_url(self, request: HttpRequest) -> str | None:
        if not self.advertise_metadata:
            return None
        return self.resource_metadata_url or oauth2_settings.oauth2_resource_metadata_url(request)


class _ReadWriteGuard(_Guard):
    def needed_scopes(self, request: HttpRequest) -> list[str]:
        is_safe = (request.method or "").upper() in SAFE_HTTP_METHODS
        return [*self.scopes, oauth2_settings.READ_SCOPE if is_safe else oauth2_settings.WRITE_SCOPE]


def _listed(scopes: Iterable[str] | None) -> tuple[str, ...]:
    """Return the scopes. Raises TypeError for a view, which means that the decorator was not called, and for a str."""
    if callable(scopes):
        raise TypeError("call the decorator: @protected_resource(), with parentheses")
    if isinstance(scopes, str):
        raise TypeError(f"scopes is a list: write [{scopes!r}]")
    return tuple(scopes or ())
