"""Who may register a client (RFC 7591 section 3): the classes of DCR_REGISTRATION_PERMISSION_CLASSES.

All of them must agree; none named means nobody may. A class of a site's own has `has_permission(request)`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        raise PermissionDenied(f"CSRF check failed: {reason}")


def _unused(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError  # the middleware is never asked for a response


def enforce_csrf(request: HttpRequest) -> None:
    """Raise PermissionDenied unless the request passes Django's CSRF check, exempt as its view may be."""
    check = _CsrfCheck(_unused)
    check.process_request(request)
    check.process_view(request, _unused, (), {})


class IsAuthenticatedDCRPermission:
    """Lets users register clients, who then own them; one logged in by a cookie needs a CSRF token."""

    def has_permission(self, request: HttpRequest) -> bool:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return False
        session = getattr(request, "session", None)
        if session is not None and SESSION_KEY in session:
            enforce_csrf(request)
        return True


class AllowAllDCRPermission:
    """Lets anyone register clients: open registration. Set THROTTLE_RATES["register"] with it."""

    def has_permission(self, request: HttpRequest) -> bool:
        return True
