"""The audit trail as a page: who did what, when, why, from where, to what effect; filtered, exported, never changed."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..audit import LOOKED_AT, LOOKS, AuditPage, page_of
from ..forms import AuditFilterForm
from ..models import AuditEvent, Run
from ..views import AuditExportView
from .base import NotesRefusals, refuse
from .confirmation import table_title

PAGE_SIZE = 50
EFFECT_CHARACTERS = 300
KEY_DIGITS = 19
FORMATS = (("csv", "CSV"), ("jsonl", _("JSON lines")))
VIEW = "maintenance.view_auditevent"


@admin.register(AuditEvent)
class AuditAdmin(NotesRefusals, admin.ModelAdmin):
    """In the admin's index as a model's list; a page of its own, by keys, so that a long trail costs no more."""

    fields = (
        "created",
        "action",
        "actor",
        "source",
        "address",
        "operation",
        "run_page",
        "target",
        "reason",
        "json",
    )
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(AuditExportView.as_view())
        return [path("export/<str:form>/", view, name="maintenance_auditevent_export"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show a page of the trail, the newest first."""
        if not request.user.has_perm(VIEW):
            refuse(request, "audit trail")
        form = AuditFilterForm(request.GET)
        page = AuditPage(events=[], older=None)
        if form.is_valid():
            page = page_of(form.filter(), before=_key(request.GET.get("before", "")), size=PAGE_SIZE)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Audit trail"),
            "form": form,
            "is_filtered": form.is_valid() and bool(form.given()),
            "lines": _lines(page.events),
            "is_cut": page.is_cut,
            "looked_at": f"{LOOKS * LOOKED_AT:,}",
            "older_url": _with(request, before=str(page.older)) if page.older else None,
            "newest_url": _with(request) if request.GET.get("before") else None,
            "exports": [(_export_url(request, name), label) for name, label in FORMATS if form.is_valid()],
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/maintenance/audit.html", context)

    @admin.display(description=_("run"))
    def run_page(self, event: AuditEvent) -> Any:
        if event.run is None:
            return "-"
        url = reverse("admin:maintenance_run_change", args=[event.run])
        return format_html('<a href="{}">{}</a>', url, event.run)

    @admin.display(description=_("to what effect"))
    def json(self, event: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.effect, indent=2, ensure_ascii=False))


def effect_in_words(effect: dict[str, Any]) -> str:
    """Return an event's effect as one short line; a table without rows says nothing."""
    parts = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in effect.items() if _says(value)]
    text = " · ".join(parts)
    return text if len(text) <= EFFECT_CHARACTERS else f"{text[:EFFECT_CHARACTERS]}…"


def _key(text: str) -> int | None:
    """Return a key given in an address; None where it is none that a column could hold."""
    return int(text) if text.isdecimal() and len(text) < KEY_DIGITS else None


def _lines(events: list[AuditEvent]) -> list[dict[str, Any]]:
    """Return what each line shows; the run is a link while its record is there."""
    kept = set(
        Run.objects.filter(pk__in={event.run for event in events if event.run}).values_list("pk", flat=True)
    )
    return [
        {
            "event": event,
            "url": reverse("admin:maintenance_auditevent_change", args=[event.pk]),
            "run_url": reverse("admin:maintenance_run_change", args=[event.run])
            if event.run in kept
            else None,
            "effect": effect_in_words(event.effect),
        }
        for event in events
    ]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        parts = ((table_title(name), inner) for name, inner in value.items() if _says(inner))
        return ", ".join(f"{name} {_value(inner)}" for name, inner in parts)
    if isinstance(value, list):
        return ", ".join(_value(inner) for inner in value)
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _says(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_says(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_says(inner) for inner in value)
    return isinstance(value, bool) or value not in (None, "", 0)


def _with(request: HttpRequest, **changed: str) -> str:
    query = request.GET.copy()
    query.pop("before", None)
    query.update(changed)
    return f"?{query.urlencode()}"


def _export_url(request: HttpRequest, form: str) -> str:
    return reverse("admin:maintenance_auditevent_export", args=[form]) + _with(request)
