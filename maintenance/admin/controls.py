"""The buttons of a run's page: Pause, Resume, Cancel, Retry. Each is a POST with a permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from .. import runs
from ..audit import origin_of
from ..exceptions import MaintenanceError
from ..models import CONTROLS, Run
from ..permissions import may_control
from ..standing import standing_of
from .base import Pages, back_to_runs, find_operation, refuse, url_of

ACTIONS: dict[str, Callable[..., Run]] = {
    "pause": runs.pause,
    "resume": runs.resume,
    "cancel": runs.cancel,
    "retry": runs.retry,
}
"""What a button calls."""

LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button of a run's page. One that cannot be undone asks first."""

    name: str
    label: Any
    is_final: bool = False


BUTTONS = {
    "pause": Button(name="pause", label=_("Pause")),
    "resume": Button(name="resume", label=_("Resume")),
    "cancel": Button(name="cancel", label=_("Cancel"), is_final=True),
    "retry": Button(name="retry", label=_("Retry")),
}


def buttons(run: Run, user: Any) -> list[Button]:
    """Return the buttons that fit the status of `run` and that `user` may press."""
    return [BUTTONS[name] for name in fitting_actions(run, user)]


def fitting_actions(run: Run, user: Any) -> list[str]:
    """Return the names of the actions that `run` can take now and `user` may take."""
    operation = find_operation(run.operation)
    fitting = [
        name for name in ACTIONS if run.status in CONTROLS[name] and may_control(user, operation, name)
    ]
    return [name for name in fitting if name != "cancel" or not runs.is_needed_by_whole(run)]


class ControlPages(Pages):
    """Under the runs' URL: <run>/control/<action>/."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.control_view))
        own = path("<uuid:pk>/control/<str:action>/", view, name="maintenance_run_control")
        return [own, *super().get_urls()]

    def control_view(self, request: HttpRequest, pk: Any, action: str) -> HttpResponse:
        """Pause, resume, cancel or retry a run."""
        run = Run.objects.filter(pk=pk).first()
        operation = find_operation(run.operation) if run is not None else None
        if action not in ACTIONS or not may_control(request.user, operation, action):
            refuse(request, f"{action} run {pk}", run=run)
        if run is None:
            return back_to_runs(request, _("There is no such run."))
        if BUTTONS[action].is_final and "confirmed" not in request.POST:
            return self._ask_first(request, run)
        try:
            with origin_of(request):
                reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
                ACTIONS[action](run, actor=request.user.get_username(), reason=reason)
        except MaintenanceError as error:
            messages.error(request, str(error))
        else:
            run.refresh_from_db()
            messages.success(request, _("The run is now %(status)s.") % {"status": run.get_status_display()})
        return HttpResponseRedirect(url_of(run))

    def _ask_first(self, request: HttpRequest, run: Run) -> HttpResponse:
        operation = find_operation(run.operation)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Cancel this run?"),
            "run": run,
            "run_title": operation.title if operation is not None else run.operation,
            "standing": standing_of(run, timezone.now()),
            "longest_reason": LONGEST_REASON,
        }
        return TemplateResponse(request, "admin/maintenance/run/cancel.html", context)
