"""Applications in the Django admin, with their secrets: made or renewed here, shown once, never read back."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from ..batching import counted_up_to
from ..flows.client_secrets import LIVE_AT_MOST, new_secret
from ..flows.inactive_applications import delete_applications
from ..forms import ApplicationForm
from ..models import (
    ClientSecret,
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from ..models.deletion import slow_path_reasons
from .labels import Labelled
from .new_secrets import keep_secrets, show_secrets
from .paging import EstimatingPaginator
from .searching import USER_SEARCH_FIELDS

COUNTED_AT_MOST = 1000
"""Rows of a table that the question before a deletion counts."""
SECRET_FIELDS = ("client_secret", "new_client_secret")
GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        None,
        (
            "name",
            "client_id",
            "user",
            "client_type",
            "authorization_grant_type",
            "registered_grant_types",
            "registered_scope",
        ),
    ),
    (
        _("Authentication"),
        (
            *SECRET_FIELDS,
            "hash_client_secret",
            "token_endpoint_auth_method",
            "client_jwks",
            "client_jwks_uri",
        ),
    ),
    (_("URIs"), ("redirect_uris", "post_logout_redirect_uris", "allowed_origins")),
    (_("OpenID Connect"), ("algorithm", "subject_type", "sector_identifier_uri")),
)
"""Fieldsets; the fields that no group names, those of a site's own model among them, follow in one more."""
TIMES = ("created", "updated", "last_used")


class ClientSecretRowForm(forms.ModelForm):
    """A further secret; `generated_secret` is the one that saving a new row made."""

    generated_secret: str | None = None

    class Meta:
        model = ClientSecret
        fields = ("name", "expires")

    def save(self, commit: bool = True) -> Any:
        if not self.instance.secret_hash:
            made = new_secret(name=self.instance.name, expires=self.instance.expires)
            self.instance.secret_hash, self.generated_secret = made.row.secret_hash, made.secret
        return super().save(commit)


class ClientSecretFormSet(forms.BaseInlineFormSet):
    """Keeps to the number of secrets that may work at once."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:  # in a cell, without a label
            form.fields["DELETE"].widget.attrs["aria-label"] = _("Delete")

    def clean(self) -> None:
        super().clean()
        rows = [form.instance for form in self.forms if form not in self.deleted_forms and _is_filled(form)]
        if sum(not row.is_expired() for row in rows) > LIVE_AT_MOST:
            raise ValidationError(_("At most %(number)d secrets at once."), params={"number": LIVE_AT_MOST})


class ClientSecretInline(Labelled, admin.TabularInline):
    """The further secrets of an application. A new row makes one."""

    model = ClientSecret
    form = ClientSecretRowForm
    formset = ClientSecretFormSet
    fields = ("name", "expires", "created", "last_used")
    readonly_fields = ("created", "last_used")
    ordering = ("-pk",)
    extra = 0
    verbose_name_plural = _(
        "Further client secrets: each works beside the first, and a new one is shown after saving"
    )


class ApplicationAdmin(Labelled, admin.ModelAdmin):
    """Clients. Deleting one ends all that was issued to it."""

    form = ApplicationForm
    inlines = (ClientSecretInline,)
    list_display = (
        "pk",
        "name",
        "user",
        "client_type",
        "authorization_grant_type",
        "registration_source",
        "last_used",
    )
    list_display_links = ("pk", "name")
    list_filter = ("client_type", "authorization_grant_type", "registration_source", "skip_authorization")
    search_fields: ClassVar[Any] = ("client_id", "name", *USER_SEARCH_FIELDS)
    search_help_text = _("A client ID, or a part of an application's name or of its owner's.")
    list_select_related = ("user",)
    raw_id_fields: ClassVar[Any] = ("user",)
    radio_fields = {"client_type": admin.HORIZONTAL, "authorization_grant_type": admin.VERTICAL}
    ordering = ("-pk",)
    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        told = ("client_metadata",) if getattr(obj, "client_metadata", None) else ()
        return [*super().get_readonly_fields(request, obj), *told, *(TIMES if obj is not None else ())]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Leave the secret out for who may look only: Django would print what is stored."""
        hidden = SECRET_FIELDS if obj is not None and not self.has_change_permission(request, obj) else ()
        return [*(super().get_exclude(request, obj) or ()), *hidden]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        excluded = {*self.get_exclude(request, obj), *(() if obj is not None else ("new_client_secret",))}
        return [name for name in super().get_fields(request, obj) if name not in excluded]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fieldsets or self.fields:
            return super().get_fieldsets(request, obj)
        left = list(self.get_fields(request, obj))
        groups = []
        for title, names in GROUPS:
            fields = [name for name in names if name in left]
            left = [name for name in left if name not in fields]
            groups.append((title, {"fields": fields}))
        return [*groups, (_("More"), {"fields": left})]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        has_secrets = obj is not None and obj.client_type == obj.CLIENT_CONFIDENTIAL
        inlines = super().get_inlines(request, obj)
        return [inline for inline in inlines if has_secrets or not issubclass(inline, ClientSecretInline)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a client ID by its index; look through names only where there is no such client."""
        exact = queryset.filter(client_id=search_term.strip())
        if search_term.strip() and exact.exists():
            return exact, False
        return super().get_search_results(request, queryset, search_term)

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        name, own = _("The client secret of %s") % form.instance, getattr(form, "generated_secret", None)
        made = [(form.instance, name, own)] if own else []
        rows = [row for formset in formsets for row in formset.forms]
        made += [
            (row.instance, _("The client secret “%s”") % row.instance, row.generated_secret)
            for row in rows
            if _makes(row) and row.generated_secret
        ]
        keep_secrets(request, made)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_secrets(request, super().changelist_view(request, extra_context))

    @method_decorator(sensitive_post_parameters("client_secret"))
    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return show_secrets(request, super().changeform_view(request, object_id, form_url, extra_context))

    def get_deleted_objects(self, objs: Any, request: Any) -> Any:
        """Return what the question before a deletion lists: the applications, and bounded counts of what they hold.

        Where a site's own rows refer to applications, Django's list of everything.
        """
        if slow_path_reasons(get_application_model()):
            return super().get_deleted_objects(objs, request)
        applications = list(objs)
        held = (get_access_token_model(), get_refresh_token_model(), get_id_token_model(), get_grant_model())
        counts = {str(self.opts.verbose_name_plural): str(len(applications))}
        for model in (ClientSecret, *held):
            rows = model._base_manager.filter(
                application__in=[application.pk for application in applications]
            )
            number = counted_up_to(rows, COUNTED_AT_MOST + 1)
            if number:
                counts[str(model._meta.verbose_name_plural)] = _up_to(number)
        refused = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return [str(application) for application in applications], counts, refused, []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_applications([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        delete_applications(list(queryset))


def _is_filled(form: Any) -> bool:
    return bool(form.instance.pk or form.has_changed())


def _makes(row: Any) -> bool:
    return isinstance(row, ClientSecretRowForm) and row.generated_secret is not None


def _up_to(number: int) -> str:
    return str(_("more than %d") % COUNTED_AT_MOST) if number > COUNTED_AT_MOST else str(number)
