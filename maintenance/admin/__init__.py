"""The operators' pages in the Django admin: one module for each noun. Importing this registers them.

A group of pages is a class with `get_urls`, mixed into the ModelAdmin under whose URL it lives.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.contrib.auth import get_user_model

from oauth2_provider.models import get_application_model

from .archive import ArchivedApplicationAdmin, ProtectedApplicationAdmin
from .audit import AuditAdmin
from .dashboard import DashboardAdmin
from .extend import extend_later
from .inactive_applications import ApplicationsThatRest
from .revocation import ApplicationsWithTokens, UsersWithTokens
from .runs import RunAdmin
from .schedules import SchedulesInWords

__all__ = [
    "ArchivedApplicationAdmin",
    "AuditAdmin",
    "DashboardAdmin",
    "ProtectedApplicationAdmin",
    "RunAdmin",
    "extend_site_later",
]


def extend_site_later(site: AdminSite) -> None:
    """Have `site` offer what the operators' pages add to the admins of users, applications and schedules."""
    extend_later(
        site,
        (get_user_model, UsersWithTokens),
        (get_application_model, ApplicationsWithTokens),
        (get_application_model, ApplicationsThatRest),
        (_get_periodic_task_model, SchedulesInWords),
    )


def _get_periodic_task_model() -> Any:
    return apps.get_model("django_celery_beat", "PeriodicTask")


extend_site_later(admin.site)
