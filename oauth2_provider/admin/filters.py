"""Filters on whether a credential still works, along the indexes on `expires` and `revoked`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ExpiryFilter(admin.SimpleListFilter):
    """Live or expired."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("expired", _("Expired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        lookups = {"live": "expires__gt", "expired": "expires__lte"}
        lookup = lookups.get(self.value() or "")
        return queryset.filter(**{lookup: timezone.now()}) if lookup else queryset


class RevokedFilter(admin.SimpleListFilter):
    """Live or revoked."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("revoked", _("Revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("live", "revoked"):
            return queryset
        return queryset.filter(revoked__isnull=self.value() == "live")
