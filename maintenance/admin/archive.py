"""Applications that an operator protected, and those that a run removed: the list of each, and Restore."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from oauth2_provider.flows.application_archive import NotRestorable
from oauth2_provider.models import get_application_model

from ..applications import protect, restore_archived, unprotect
from ..audit import origin_of
from ..exceptions import MaintenanceError
from ..models import ArchivedApplication, ProtectedApplication
from .base import NotesRefusals, refuse, url_of
from .paging import BoundedPaginator

RESTORE = "maintenance.change_archivedapplication"
SHOWN = (
    "client_type",
    "authorization_grant_type",
    "redirect_uris",
    "allowed_origins",
    "registration_source",
    "user",
    "created",
    "last_used",
)
"""Of the archived row, and nothing else: it holds a secret's hash, and what a site's own model may have."""


class ProtectForm(forms.ModelForm):
    class Meta:
        model = ProtectedApplication
        fields = ("client_id", "reason")

    def clean_client_id(self) -> str:
        client_id: str = self.cleaned_data["client_id"].strip()
        if not get_application_model()._base_manager.filter(client_id=client_id).exists():
            raise forms.ValidationError(_("There is no application with this client ID."))
        return client_id


@admin.register(ProtectedApplication)
class ProtectedApplicationAdmin(NotesRefusals, admin.ModelAdmin):
    """Words of operators: given, taken back, never changed."""

    form = ProtectForm
    fields = ("client_id", "reason")
    list_display = ("client_id", "reason", "actor", "created")
    search_fields = ("client_id", "reason", "actor")
    ordering = ("-pk",)
    paginator = BoundedPaginator
    show_full_result_count = False

    class Media:
        css = {"all": ["maintenance/maintenance.css"]}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        with origin_of(request):
            word = protect(obj.client_id, actor=request.user.get_username(), reason=obj.reason)
        obj.pk = word.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with origin_of(request):
            unprotect(obj.client_id, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for word in queryset:
            self.delete_model(request, word)


class RestoredFilter(admin.SimpleListFilter):
    title = _("restored")
    parameter_name = "restored"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("No")), ("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(restored__isnull=self.value() == "no")


@admin.register(ArchivedApplication)
class ArchivedApplicationAdmin(NotesRefusals, admin.ModelAdmin):
    """What runs removed: looked at, and restored by those who have the permission to change it."""

    list_display = ("name_or_client_id", "client_id", "archived", "removed_by", "state")
    list_display_links = ("name_or_client_id",)
    list_filter = (RestoredFilter, "archived")
    list_select_related = ("run",)
    search_fields = ("client_id", "name", "=run__id")
    ordering = ("-pk",)
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = ("name", "client_id", "archived", "removed_by", "restored", "row")
    readonly_fields = fields
    change_form_template = "admin/maintenance/archivedapplication/change_form.html"

    class Media:
        css = {"all": ["maintenance/maintenance.css", "maintenance/forms.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.restore_view))
        own = path("<int:pk>/restore/", view, name="maintenance_archivedapplication_restore")
        return [own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("maintenance.view_archivedapplication") or may_restore(request.user)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {"may_restore": may_restore(request.user), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def restore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put the application back, with a reason."""
        if not may_restore(request.user):
            refuse(request, f"restore archived application {pk}")
        archive = ArchivedApplication.objects.select_related("run").filter(pk=pk).first()
        if archive is None:
            messages.error(request, _("There is no such archived application."))
            return HttpResponseRedirect(reverse("admin:maintenance_archivedapplication_changelist"))
        reason = request.POST.get("reason", "").strip()
        try:
            with origin_of(request):
                restore_archived(archive, actor=request.user.get_username(), reason=reason)
        except (MaintenanceError, NotRestorable) as refused:
            messages.error(request, str(refused))
        else:
            text = _("%(name)s is back. Its tokens are gone for good: its users log in anew.")
            messages.success(request, text % {"name": archive})
        return HttpResponseRedirect(reverse("admin:maintenance_archivedapplication_change", args=[pk]))

    @admin.display(description=_("name"), ordering="name")
    def name_or_client_id(self, archive: ArchivedApplication) -> str:
        return str(archive)

    @admin.display(description=_("removed by"), ordering="run")
    def removed_by(self, archive: ArchivedApplication) -> SafeString:
        when = archive.run.created.strftime("%Y-%m-%d %H:%M")
        return format_html('<a href="{}">{} {}</a>', url_of(archive.run), _("the run of"), when)

    @admin.display(description=_("state"), ordering="restored")
    def state(self, archive: ArchivedApplication) -> SafeString:
        if archive.restored is not None:
            return format_html('<span class="m-badge tone-good">{}</span>', _("restored"))
        return format_html('<span class="m-badge">{}</span>', _("archived"))

    @admin.display(description=_("as it was"))
    def row(self, archive: ArchivedApplication) -> SafeString:
        fields = archive.document[0].get("fields", {}) if archive.document else {}
        lines = "\n".join(f"{name}: {fields[name]}" for name in SHOWN if fields.get(name) not in (None, ""))
        return format_html('<pre class="m-row">{}</pre>', lines)


def may_restore(user: Any) -> bool:
    """Tell whether `user` may put an archived application back."""
    return bool(user.has_perm(RESTORE))
