"""What the pages of this package share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse

from ..audit import origin_of, record
from ..exceptions import UnknownOperation
from ..models import AuditAction, Run
from ..operations import Operation, get_operation

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _Base
else:
    _Base = object


class Pages(_Base):
    """A group of pages, mixed in before a ModelAdmin: its methods are known to the type checker alone."""


class Refused(PermissionDenied):
    """What somebody tried is not allowed to them, and the audit trail has it."""


class NotesRefusals(Pages):
    """Mixed into the ModelAdmins of this app: every POST that is refused leaves an event in the audit trail.

    The refusal is answered here instead of passed on: with ATOMIC_REQUESTS an exception would undo the event.
    """

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _noting_refusals(pattern.callback)
        return patterns


def find_operation(name: str) -> Operation | None:
    """Return the operation called `name`; None where it is no longer installed."""
    try:
        return get_operation(name)
    except UnknownOperation:
        return None


def url_of(run: Run) -> str:
    """Return the address of a run's page."""
    return reverse("admin:maintenance_run_change", args=[run.pk])


def back_to_runs(request: HttpRequest, message: Any) -> HttpResponse:
    """Return to the list of runs with an error."""
    messages.error(request, message)
    return HttpResponseRedirect(reverse("admin:maintenance_run_changelist"))


def refuse(request: HttpRequest, target: str, *, operation: str = "", run: Run | None = None) -> NoReturn:
    """Note in the audit trail that somebody tried what is not allowed to them, and answer 403."""
    note_refusal(request, target, operation=operation, run=run)
    raise Refused


def note_refusal(request: HttpRequest, target: str, *, operation: str = "", run: Run | None = None) -> None:
    """Note in the audit trail that somebody tried what is not allowed to them."""
    with origin_of(request):
        record(AuditAction.PERMISSION_REFUSED, target=target, operation=operation, run=run)


def _noting_refusals(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied as denied:
            if request.method == "POST" and not isinstance(denied, Refused):
                note_refusal(request, request.path)
            return response_for_exception(request, denied)

    return answer
