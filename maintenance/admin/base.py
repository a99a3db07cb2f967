"""What the pages of this package share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

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


def refuse(request: HttpRequest, target: str, *, operation: str = "") -> NoReturn:
    """Note in the audit trail that somebody tried what is not allowed to them, and answer 403."""
    with origin_of(request):
        record(AuditAction.PERMISSION_REFUSED, target=target, operation=operation)
    raise PermissionDenied
