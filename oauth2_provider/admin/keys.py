"""Signing keys in the Django admin: which there are and where they stand. Commands make and rotate them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .labels import Labelled


class SigningKeyAdmin(Labelled, admin.ModelAdmin):
    """Read-only. The key itself, encrypted as it is, stays out of every page."""

    list_display = ("kid", "algorithm", "place", "created", "activated", "retired")
    list_filter = ("algorithm",)
    ordering = ("-pk",)
    show_facets = admin.ShowFacets.NEVER
    fields = ("kid", "algorithm", "place", "created", "activated", "retired")
    readonly_fields = fields

    @admin.display(description=_("state"))
    def place(self, key: Any) -> str:
        states = {"next": _("next"), "active": _("active"), "retired": _("retired")}
        return str(states[key.state])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
