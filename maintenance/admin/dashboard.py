"""The dashboard: what an operator wants to know in ten seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from ..health import current_health
from ..models import Dashboard, MaintenanceSwitch
from ..permissions import may_hold, may_view
from .base import NotesRefusals, refuse
from .dashboard_figures import active_runs, cards, flow_chart, table_lines
from .inactive_applications import may_see_applications
from .switch import SwitchPages


@admin.register(Dashboard)
class DashboardAdmin(NotesRefusals, SwitchPages, admin.ModelAdmin):
    """In the admin's index and menus as if it were a model's list; there is nothing to add, change or delete."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The dashboard is one page: the admin's page of a single row would show all columns, tracebacks too."""
        return obj is None and may_view(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_view(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.live_view)
        return [path("live/", view, name="maintenance_dashboard_live"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the dashboard."""
        if not may_view(request.user):
            refuse(request, "dashboard")
        now = timezone.now()
        tables = table_lines(now)
        context = {
            **self.admin_site.each_context(request),
            **self.live_context(request, now),
            "opts": self.opts,
            "title": _("Maintenance"),
            "health": current_health(),
            "cards": cards(request.user, now),
            "tables": tables,
            "are_sizes_known": any(line.size is not None for line in tables),
            "flow": flow_chart(),
            "may_see_applications": may_see_applications(request.user),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/maintenance/dashboard.html", context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with the part of the page that changes by the second: two queries."""
        if not may_view(request.user):
            raise PermissionDenied
        context = self.live_context(request, timezone.now())
        return never_cache(render)(request, "admin/maintenance/dashboard_live.html", context)

    def live_context(self, request: HttpRequest, now: datetime) -> dict[str, Any]:
        """Return the active runs, and the switch."""
        running = active_runs(now)
        return {
            "running": running,
            "held": MaintenanceSwitch.find_hold(),
            "may_hold": may_hold(request.user),
            "announcement": ngettext("%(count)d run is active", "%(count)d runs are active", len(running))
            % {"count": len(running)},
        }
