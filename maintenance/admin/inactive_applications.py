"""Inactive applications: which the clean-up would remove and on what evidence; protected ones; archived ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from oauth2_provider.batching import counted_up_to
from oauth2_provider.flows.inactive_applications import (
    InactiveKind,
    InactivityRule,
    Verdict,
    candidates,
    judge,
    looks_dormant,
    looks_never_authorized,
    rows_of_applications,
)
from oauth2_provider.models import get_application_model

from ..applications import NoSuchApplication, protect, unprotect
from ..audit import origin_of
from ..models import ProtectedApplication
from ..operations.cleanup_inactive_applications import CleanupInactiveApplications
from ..permissions import may_run, may_view
from .base import Pages, refuse
from .extend import Tools

PAGE_SIZE = 25
TOKENS_COUNTED = 1000
FILTERED_AT_MOST = 5_000
OPERATION = CleanupInactiveApplications()
PROTECT = "maintenance.add_protectedapplication"
UNPROTECT = "maintenance.delete_protectedapplication"

KEPT = {
    "has_active_tokens": _("has tokens that still work"),
    "has_active_grants": _("has codes that still work"),
    "skip_authorization": _("skips authorization: a trusted application"),
    "protected": _("protected"),
    "recently_used": _("was used lately"),
    "too_young": _("is too young"),
    "referenced": _("a row of the site's points at it"),
}
"""Why an application stays, for people."""
KINDS = {"never_authorized": _("never authorized"), "dormant": _("dormant")}


class AgesForm(forms.Form):
    """From when on an application counts as inactive; which kind is shown."""

    days = forms.IntegerField(label=_("Days without use"), min_value=1, initial=90)
    never_authorized_days = forms.IntegerField(label=_("Days never authorized"), min_value=1, initial=30)
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[("", _("All")), ("never_authorized", _("Never authorized")), ("dormant", _("Dormant"))],
    )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One line of the list: an application, the verdict on it and the evidence."""

    application: Any
    kind: Any
    kept: Any
    tokens: str
    protection: ProtectedApplication | None
    url: str | None

    @property
    def goes(self) -> bool:
        return self.kept is None


class InactivePages(Pages):
    """Under the runs' URL: inactive-applications/, and protect/ and unprotect/ below it."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "inactive-applications/",
                view(self.inactive_applications_view),
                name="maintenance_inactive_applications",
            ),
            path(
                "inactive-applications/<str:what>/",
                view(require_POST(self.protection_view)),
                name="maintenance_protection",
            ),
            *super().get_urls(),
        ]

    def inactive_applications_view(self, request: HttpRequest) -> HttpResponse:
        """List what looks inactive, a page at a time, with the verdict and its evidence."""
        if not may_see_applications(request.user):
            refuse(request, "inactive applications")
        form = AgesForm(request.GET if "days" in request.GET else None)
        values = form.cleaned_data if form.is_bound and form.is_valid() else {}
        candidates_shown, following = _page(values, after=request.GET.get("after", ""))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Inactive applications"),
            "form": form if form.is_bound else AgesForm(initial={"days": 90, "never_authorized_days": 30}),
            "candidates": candidates_shown,
            "preview_url": _preview_url(values) if may_run(request.user, OPERATION) else None,
            "next_url": _next_url(request, following),
            "may_protect": request.user.has_perm(PROTECT),
            "may_unprotect": request.user.has_perm(UNPROTECT),
            "may_see_archive": request.user.has_perm("maintenance.view_archivedapplication"),
            "may_see_protected": request.user.has_perm("maintenance.view_protectedapplication"),
        }
        return TemplateResponse(request, "admin/maintenance/inactive_applications.html", context)

    def protection_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """Protect an application from the clean-up, or no longer."""
        needed = {"protect": PROTECT, "unprotect": UNPROTECT}.get(what)
        client_id = request.POST.get("client_id", "")
        if needed is None or not request.user.has_perm(needed):
            refuse(request, f"{what} {client_id}")
        actor = request.user.get_username()
        with origin_of(request):
            try:
                if what == "protect":
                    protect(client_id, actor=actor, reason=request.POST.get("reason", ""))
                    messages.success(request, _("The application is protected: no clean-up removes it."))
                elif unprotect(client_id, actor=actor):
                    messages.success(request, _("The application is no longer protected."))
            except NoSuchApplication as missing:
                messages.error(request, str(missing))
        back = reverse("admin:maintenance_inactive_applications")
        return HttpResponseRedirect(back if may_see_applications(request.user) else reverse("admin:index"))


class InactiveFilter(admin.SimpleListFilter):
    """Applications whose own row looks inactive, by the ages that the clean-up has by default.

    No index has that, so it looks at the newest FILTERED_AT_MOST, and says so where there are more. The page of
    inactive applications goes through all of them.
    """

    title: Any = _("inactive")
    parameter_name = "inactive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("yes", _("Inactive")),
            ("never_authorized", _("Never authorized")),
            ("dormant", _("Dormant")),
            ("no", _("Active")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        keys = queryset.model._base_manager.using(queryset.db).order_by("-pk").values_list("pk", flat=True)
        oldest = keys[FILTERED_AT_MOST : FILTERED_AT_MOST + 1].first()
        if oldest is not None:
            self.title = _("inactive, of the newest %(number)s") % {"number": f"{FILTERED_AT_MOST:,}"}
            queryset = queryset.filter(pk__gt=oldest)
        rule = _rule({})
        dormant, never_authorized = looks_dormant(rule), looks_never_authorized(rule)
        conditions = {
            "yes": dormant | never_authorized,
            "no": ~(dormant | never_authorized),
            "dormant": dormant,
            "never_authorized": never_authorized,
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class ApplicationsThatRest(Tools):
    """Mixed into the site's admin of applications: the filter, and links to protect one."""

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters = list(super().get_list_filter(request))
        return filters if InactiveFilter in filters else [*filters, InactiveFilter]

    def maintenance_tools(self, request: HttpRequest, obj: Any) -> list[tuple[str, Any]]:
        tools = super().maintenance_tools(request, obj)
        word = ProtectedApplication.objects.filter(client_id=obj.client_id).first()
        if word is None and request.user.has_perm(PROTECT):
            query = urlencode({"client_id": obj.client_id})
            url = f"{reverse('admin:maintenance_protectedapplication_add')}?{query}"
            return [*tools, (url, _("Protect from clean-up"))]
        if word is not None and request.user.has_perm(UNPROTECT):
            url = reverse("admin:maintenance_protectedapplication_delete", args=[word.pk])
            return [*tools, (url, _("No longer protect"))]
        return tools


def may_see_applications(user: Any) -> bool:
    """Tell whether `user` may see the runs and the applications."""
    meta = get_application_model()._meta
    names = (f"{meta.app_label}.view_{meta.model_name}", f"{meta.app_label}.change_{meta.model_name}")
    return may_view(user) and any(user.has_perm(name) for name in names)


def _page(values: dict[str, Any], *, after: str) -> tuple[list[Candidate], Any]:
    """Return a page of candidates after the key `after`, and the key that the next one begins after."""
    rule = _rule(values)
    rows = candidates(rule).filter(_of_kind(values.get("kind", "")))
    if after:
        key = get_application_model()._meta.pk
        try:
            rows = rows.filter(pk__gt=key.to_python(after))
        except forms.ValidationError:
            return [], None
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[: PAGE_SIZE + 1])
    verdicts = judge(rule, keys[:PAGE_SIZE])
    words = ProtectedApplication.objects.in_bulk(
        [verdict.application.client_id for verdict in verdicts], field_name="client_id"
    )
    shown = [_candidate(verdict, words.get(verdict.application.client_id)) for verdict in verdicts]
    return shown, keys[PAGE_SIZE - 1] if len(keys) > PAGE_SIZE else None


def _candidate(verdict: Verdict, word: ProtectedApplication | None) -> Candidate:
    application = verdict.application
    count = sum(counted_up_to(rows, TOKENS_COUNTED) for rows in rows_of_applications([application.pk])[:2])
    return Candidate(
        application=application,
        kind=KINDS[verdict.kind],
        kept=None if verdict.kept is None else KEPT.get(verdict.kept, verdict.kept),
        tokens=f"≥ {TOKENS_COUNTED:,}" if count >= TOKENS_COUNTED else f"{count:,}",
        protection=word,
        url=_change_url(application),
    )


def _rule(values: dict[str, Any]) -> InactivityRule:
    given = {name: values[name] for name in ("days", "never_authorized_days") if values.get(name)}
    return OPERATION.rule(timezone.now(), OPERATION.clean(given))


def _of_kind(kind: str) -> Q:
    """Return what an application's own row says of its kind; its tokens may know better."""
    if kind == InactiveKind.NEVER_AUTHORIZED:
        return Q(last_used__isnull=True)
    return Q(last_used__isnull=False) if kind == InactiveKind.DORMANT else Q()


def _change_url(application: Any) -> str | None:
    meta = application._meta
    try:
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[application.pk])
    except NoReverseMatch:
        return None


def _preview_url(values: dict[str, Any]) -> str:
    given = {name: values[name] for name in ("days", "never_authorized_days") if values.get(name)}
    return (
        f"{reverse('admin:maintenance_run_now', args=[OPERATION.name])}?{urlencode({'preview': '', **given})}"
    )


def _next_url(request: HttpRequest, after: Any) -> str | None:
    if after is None:
        return None
    query = request.GET.copy()
    query["after"] = str(after)
    return f"?{query.urlencode()}"
