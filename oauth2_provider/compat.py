"""Where Django's class-based views need a decorator on their dispatch."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.utils.decorators import method_decorator

ViewClass = TypeVar("ViewClass", bound=type[Any])


def login_exempt(view_class: ViewClass) -> ViewClass:
    """Exempt a view and its subclasses from Django's LoginRequiredMiddleware: they have a guard of their own."""
    return method_decorator(login_not_required, name="dispatch")(view_class)
