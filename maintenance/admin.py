"""Runs in the Django admin: the list, one run, Run now, and the buttons that fit its status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from . import runs
from .advice import table_states
from .exceptions import InvalidArguments, MaintenanceError, UnknownOperation
from .forms import run_now_form
from .models import CONTROLS, Run, RunEvent, Trigger
from .operations import all_operations, get_operation
from .permissions import may_control, may_run

ACTIONS: dict[str, Callable[..., Run]] = {
    "pause": runs.pause,
    "resume": runs.resume,
    "cancel": runs.cancel,
    "retry": runs.retry,
}
"""What a button calls."""


def fitting_actions(run: Run) -> list[str]:
    """Return the names of the actions that `run` can take now."""
    return [name for name in ACTIONS if run.status in CONTROLS[name]]


class RunEventInline(admin.TabularInline):
    model = RunEvent
    fields = ("created", "kind", "actor", "text")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):
    """Read-only but for the actions, each a POST with a permission of its own."""

    list_display = (
        "operation",
        "status",
        "trigger",
        "requested_by",
        "rows",
        "created",
        "started",
        "finished",
    )
    list_filter = ("status", "operation", "trigger", "created")
    search_fields = ("=id", "operation", "reason")
    ordering = ("-created",)
    date_hierarchy = None
    show_full_result_count = False
    list_select_related = ("requested_by",)
    inlines = (RunEventInline,)
    change_list_template = "admin/maintenance/run/change_list.html"
    change_form_template = "admin/maintenance/run/change_form.html"
    fieldsets = (
        (None, {"fields": ("operation", "arguments", "status", "hold_reason", "not_before")}),
        (
            _("Progress"),
            {"fields": ("counts", "rows", "progress_percent", "windows", "window_rows", "seconds_worked")},
        ),
        (_("Asked for by"), {"fields": ("trigger", "requested_by", "reason")}),
        (_("Times"), {"fields": ("created", "started", "heartbeat", "finished")}),
        (_("Worker"), {"fields": ("lease_holder", "lease_until", "attempts", "losses")}),
        (_("Error"), {"fields": ("error_class", "error_message")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).filter(parent=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for _title, options in self.fieldsets for name in options["fields"]]

    @admin.display(description=_("rows"))
    def rows(self, run: Run) -> int:
        return run.rows

    @admin.display(description=_("progress"))
    def progress_percent(self, run: Run) -> str:
        return f"{run.progress:.0%}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("run/<str:operation>/", wrap(self.run_now_view), name="maintenance_run_now"),
            path(
                "<uuid:pk>/control/<str:action>/",
                wrap(require_POST(self.control_view)),
                name="maintenance_run_control",
            ),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        operations = [operation for operation in all_operations() if may_run(request.user, operation)]
        return super().changelist_view(request, {**(extra_context or {}), "operations": operations})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        actions = fitting_actions(run) if run is not None and may_control(request.user) else []
        states = table_states(run) if run is not None and not run.is_active else []
        context = {**(extra_context or {}), "run_actions": actions, "table_states": states}
        return super().change_view(request, object_id, form_url, context)

    def run_now_view(self, request: HttpRequest, operation: str) -> HttpResponse:
        """Ask for the arguments, and on POST have the operation run."""
        try:
            kind = get_operation(operation)
        except UnknownOperation as unknown:
            return self._back(request, str(unknown))
        if not may_run(request.user, kind):
            raise PermissionDenied
        form = run_now_form(kind, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._request_run(request, operation, dict(form.cleaned_data))
            except InvalidArguments as invalid:
                form.add_error(None, str(invalid))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "operation": kind,
            "form": form,
            "title": kind.title,
        }
        return TemplateResponse(request, "admin/maintenance/run/run_now.html", context)

    def control_view(self, request: HttpRequest, pk: Any, action: str) -> HttpResponse:
        """Pause, resume, cancel or retry a run."""
        if not may_control(request.user) or action not in ACTIONS:
            raise PermissionDenied
        run = Run.objects.filter(pk=pk).first()
        if run is None:
            return self._back(request, _("There is no such run."))
        try:
            ACTIONS[action](run, actor=request.user.get_username())
        except MaintenanceError as error:
            messages.error(request, str(error))
        else:
            run.refresh_from_db()
            messages.success(request, _("The run is now %(status)s.") % {"status": run.get_status_display()})
        return HttpResponseRedirect(_url_of(run))

    def _request_run(self, request: HttpRequest, operation: str, values: dict[str, Any]) -> HttpResponse:
        reason = values.pop("reason", "")
        run = runs.request_run(
            operation,
            {name: value for name, value in values.items() if value not in (None, "")},
            trigger=Trigger.ADMIN,
            requested_by=request.user,
            reason=reason,
        )
        if run.is_new:  # type: ignore[attr-defined]
            messages.success(request, _("The run is enqueued."))
        else:
            messages.warning(request, _("This run of the same work is active already."))
        return HttpResponseRedirect(_url_of(run))

    def _back(self, request: HttpRequest, message: Any) -> HttpResponse:
        messages.error(request, message)
        return HttpResponseRedirect(reverse("admin:maintenance_run_changelist"))


def _url_of(run: Run) -> str:
    return reverse("admin:maintenance_run_change", args=[run.pk])
