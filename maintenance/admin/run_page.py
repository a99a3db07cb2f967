"""The page of one run: where it stands and why, how far and how quick it is, what it did, who did what to it.

The part that changes is a template of its own: the page holds it, and its script fetches it anew (`live`).
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from oauth2_provider.batching import counted_up_to

from ..advice import table_states
from ..models import Run
from ..permissions import may_view, may_view_traceback
from ..progress import progress_of
from ..shards import shards_of_stage
from ..standing import standing_of
from .arguments import arguments_in_words
from .base import Pages, back_to_runs, find_operation, refuse
from .controls import buttons
from .run_figures import counts_of, details, facts, window_charts
from .timeline import timeline_of

ARCHIVED_COUNTED = 1000
RELOAD_SECONDS = 10
"""Without JavaScript, for those who ask for it."""


class RunPages(Pages):
    """In place of the admin's change page; under the runs' URL: <run>/live/."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.live_view)
        return [path("<uuid:pk>/live/", view, name="maintenance_run_live"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one run."""
        run = self.get_object(request, object_id)
        if not self.has_view_permission(request, run):
            refuse(request, f"run {object_id}", run=run)
        if run is None:
            return back_to_runs(request, _("There is no such run."))
        operation = find_operation(run.operation)
        context = {
            **self.admin_site.each_context(request),
            **self.page_context(request, run),
            "opts": self.opts,
            "title": operation.title if operation is not None else run.operation,
            "operation": operation,
            "archived": counted_up_to(run.archived_applications.all(), ARCHIVED_COUNTED),
            "archived_counted": ARCHIVED_COUNTED,
            "reload_seconds": RELOAD_SECONDS if "reload" in request.GET and run.is_active else None,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/maintenance/run/page.html", context)

    def live_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Answer with the part of the page that changes."""
        if not may_view(request.user):
            raise PermissionDenied
        run = self.get_object(request, str(pk))
        if run is None:
            raise Http404
        return never_cache(render)(
            request, "admin/maintenance/run/live.html", self.page_context(request, run)
        )

    def page_context(self, request: HttpRequest, run: Run) -> dict[str, Any]:
        """Return what the live part shows: a handful of queries, none over a token table."""
        now = timezone.now()
        shard_runs = list(shards_of_stage(run).order_by("created")) if _has_shards(run) else []
        progress = progress_of(run, shard_runs)
        standing = standing_of(run, now)
        return {
            "run": run,
            "standing": standing,
            "progress": progress,
            "facts": facts(run, progress),
            "charts": window_charts(progress.marks),
            "shards": [(shard, standing_of(shard.run, now)) for shard in progress.shards],
            "counts": counts_of(run, shard_runs),
            "arguments": arguments_in_words(find_operation(run.operation), run.arguments),
            "details": details(run),
            "timeline": timeline_of(run, before=_before(request)),
            "run_buttons": buttons(run, request.user),
            "traceback": run.traceback if may_view_traceback(request.user) else "",
            "table_states": table_states(run) if not run.is_active else [],
            "announcement": f"{standing.label}, {progress.percent // 10 * 10} %",
        }


def _has_shards(run: Run) -> bool:
    return run.shards > 1 and "positions" in run.cursor


def _before(request: HttpRequest) -> int | None:
    value = request.GET.get("before", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
