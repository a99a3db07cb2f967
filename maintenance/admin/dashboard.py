"""The dashboard: what an operator wants to know in ten seconds."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from ..models import Dashboard
from ..permissions import may_view


@admin.register(Dashboard)
class DashboardAdmin(admin.ModelAdmin):
    """In the admin's index and menus as if it were a model's list; there is nothing to add, change or delete."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_view(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_view(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the dashboard."""
        if not may_view(request.user):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Maintenance"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/maintenance/dashboard.html", context)
