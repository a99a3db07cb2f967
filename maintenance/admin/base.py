"""What the pages of this package share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from ..exceptions import UnknownOperation
from ..models import Run
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
