"""Runs in the Django admin: the list. The page of one run is in `run_page`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from ..models import Run, RunStatus
from ..operations import all_operations
from ..permissions import may_run
from ..standing import duration_seconds, standing_of
from ..words import number_in_words, seconds_in_words
from .base import NotesRefusals, find_operation
from .controls import ControlPages
from .inactive_applications import InactivePages, may_see_applications
from .run_now import RunNowPages
from .run_page import RunPages

BIG_COLUMNS = ("cursor", "recent_windows", "traceback")
"""What the list does not show and need not read."""


class RunList(ChangeList):
    """Runs without their shards, which are shown on the page of the whole."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Run]:
        open_shards = Run.objects.filter(is_gathered=False).only("parent", "counts")
        return (
            super()
            .get_queryset(request, *args, **kwargs)
            .filter(parent=None)
            .defer(*BIG_COLUMNS)
            .prefetch_related(
                Prefetch("shard_runs", queryset=open_shards, to_attr="open_shards"), "requested_by"
            )
        )


class OperationFilter(admin.SimpleListFilter):
    """The operations by their titles, those no longer installed left out."""

    title = _("operation")
    parameter_name = "operation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(operation.name, operation.title) for operation in all_operations()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        return queryset if self.value() is None else queryset.filter(operation=self.value())


@admin.register(Run)
class RunAdmin(NotesRefusals, RunNowPages, InactivePages, ControlPages, RunPages, admin.ModelAdmin):
    """Read-only but for the actions, each a POST with a permission of its own."""

    list_display = ("title", "state", "rows", "duration", "who", "asked")
    list_display_links = ("title",)
    list_filter = ("status", OperationFilter, "trigger", "created")
    ordering = ("-created",)
    show_full_result_count = False
    list_per_page = 50
    change_list_template = "admin/maintenance/run/change_list.html"

    class Media:
        css = {"all": ["maintenance/maintenance.css"]}

    search_fields = ("=id", "operation", "reason", "lease_holder")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Find runs by who asked for them too: among the few who ever did, not among all users of the site."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, may_repeat
        asked = (
            Run.objects.filter(requested_by__isnull=False).order_by().values_list("requested_by").distinct()
        )
        name = f"{get_user_model().USERNAME_FIELD}__icontains"
        users = get_user_model()._base_manager.filter(
            pk__in=[key for (key,) in asked], **{name: search_term.strip()}
        )
        by = queryset.filter(requested_by__in=list(users.values_list("pk", flat=True)))
        return found | by, may_repeat

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    @admin.display(description=_("operation"), ordering="operation")
    def title(self, run: Run) -> str:
        operation = find_operation(run.operation)
        return operation.title if operation is not None else run.operation

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: Run) -> SafeString:
        """Return the badge, and how far the run is while that is of interest."""
        standing = standing_of(run, timezone.now())
        badge = format_html('<span class="m-badge tone-{}">{}</span>', standing.tone, standing.label)
        if run.status == RunStatus.SUCCEEDED:
            return badge
        return format_html(
            '<span class="m-state">{}<span class="m-share"><progress class="tone-{}" max="100" value="{}" '
            'aria-label="{}"></progress> {} %</span></span>',
            badge,
            standing.tone,
            int(run.progress * 100),
            _("progress"),
            int(run.progress * 100),
        )

    @admin.display(description=_("rows"))
    def rows(self, run: Run) -> str:
        shards: list[Run] = run.open_shards  # type: ignore[attr-defined]
        return number_in_words(sum(sum(part.counts.values()) for part in (run, *shards)))

    @admin.display(description=_("took"))
    def duration(self, run: Run) -> str:
        seconds = duration_seconds(run, timezone.now())
        return seconds_in_words(seconds) if seconds is not None else "-"

    @admin.display(description=_("asked for by"), ordering="trigger")
    def who(self, run: Run) -> str:
        by = run.requested_by.get_username() if run.requested_by is not None else ""
        return f"{by} ({run.get_trigger_display()})" if by else run.get_trigger_display()

    @admin.display(description=_("created"), ordering="created")
    def asked(self, run: Run) -> str:
        return f"{localtime(run.created):%Y-%m-%d %H:%M}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        operations = [operation for operation in all_operations() if may_run(request.user, operation)]
        context = {
            "title": _("Runs"),
            "operations": operations,
            "may_see_applications": may_see_applications(request.user),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)
