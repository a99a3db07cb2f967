"""What Django's decorators leave on a view, for class-based views: once for the class, not around each request.

`method_decorator` wraps the method anew at every call, which is what these need not.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest

ViewClass = TypeVar("ViewClass", bound=type[Any])


def login_exempt(view_class: ViewClass) -> ViewClass:
    """Exempt a view and its subclasses from Django's LoginRequiredMiddleware: they have a guard of their own."""
    inherited = view_class.dispatch

    @wraps(inherited)
    def dispatch(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return inherited(self, request, *args, **kwargs)

    dispatch.login_required = False  # type: ignore[attr-defined]
    view_class.dispatch = dispatch
    return view_class


def called_by_clients(view_class: ViewClass) -> ViewClass:
    """Mark an endpoint that clients post to: without login and CSRF token, and no error report has what they post."""
    inherited = view_class.dispatch

    @wraps(inherited)
    def dispatch(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]
        return inherited(self, request, *args, **kwargs)

    dispatch.login_required, dispatch.csrf_exempt = False, True  # type: ignore[attr-defined]
    view_class.dispatch = dispatch
    return view_class
