"""Runs in the Django admin: the list, and one run."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from ..advice import table_states
from ..models import Run, RunEvent
from ..operations import all_operations
from ..permissions import may_run
from .controls import ControlPages, fitting_actions
from .run_now import RunNowPages


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
class RunAdmin(RunNowPages, ControlPages, admin.ModelAdmin):
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

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        operations = [operation for operation in all_operations() if may_run(request.user, operation)]
        return super().changelist_view(request, {**(extra_context or {}), "operations": operations})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        actions = fitting_actions(run, request.user) if run is not None else []
        states = table_states(run) if run is not None and not run.is_active else []
        context = {**(extra_context or {}), "run_actions": actions, "table_states": states}
        return super().change_view(request, object_id, form_url, context)
