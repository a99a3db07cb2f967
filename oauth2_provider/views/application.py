"""The pages on which people manage the applications they registered. Each sees their own only."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.forms import ModelForm
from django.forms.models import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import CreateView, DeleteView, DetailView, ListView, UpdateView

from ..flows.client_secrets import may_revoke_own_secret
from ..flows.inactive_applications import delete_applications
from ..forms import ApplicationForm
from ..models import get_application_model
from .one_time import keep_once, take_once

APPLICATION_FIELDS = (
    "name",
    "client_id",
    "client_secret",
    "hash_client_secret",
    "client_type",
    "authorization_grant_type",
    "registered_grant_types",
    "redirect_uris",
    "post_logout_redirect_uris",
    "allowed_origins",
    "algorithm",
)
APPLICATIONS_PER_PAGE = 25


class ApplicationOwnerIsUserMixin(LoginRequiredMixin):
    """Narrows a view to the applications of the user; anyone else's are not found."""

    fields: Any = "__all__"

    def get_queryset(self) -> QuerySet[Any]:
        applications = get_application_model()._default_manager.filter(user=self.request.user)  # type: ignore[attr-defined]
        return applications.order_by("name", "pk")

    def get_object(self, queryset: QuerySet[Any] | None = None) -> Any:
        return find_row(super().get_object, queryset)  # type: ignore[misc]


class ApplicationFormMixin:
    """The form of the site's application model; a secret that it made is shown on the next page, once."""

    def get_form_class(self) -> type[ModelForm]:
        return modelform_factory(get_application_model(), form=ApplicationForm, fields=APPLICATION_FIELDS)

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        secret = getattr(form, "generated_secret", None)
        if secret is not None:
            keep_secret(self.request, self.object, secret)  # type: ignore[attr-defined]
        return response


@method_decorator(never_cache, name="dispatch")
@method_decorator(sensitive_post_parameters("client_secret"), name="dispatch")
class ApplicationRegistration(LoginRequiredMixin, ApplicationFormMixin, CreateView):
    """Registers an application of the user's."""

    template_name = "oauth2_provider/application_registration_form.html"

    def form_valid(self, form: Any) -> HttpResponse:
        form.instance.user = self.request.user
        return super().form_valid(form)


@method_decorator(never_cache, name="dispatch")
class ApplicationDetail(ApplicationOwnerIsUserMixin, DetailView):
    """Shows an application; a secret only right after it was made."""

    context_object_name = "application"
    template_name = "oauth2_provider/application_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        made = [json.loads(kept) for kept in take_once(self.request, _secrets_path(self.object))]
        return super().get_context_data(
            new_client_secrets=made,
            new_client_secret=made[-1]["secret"] if made else None,
            may_revoke_own_secret=may_revoke_own_secret(self.object),
            **kwargs,
        )


class PagedListView(ListView):
    """A list in pages, in some order even where a site's own `get_queryset` has none."""

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        if not getattr(queryset, "ordered", True):
            queryset = queryset.order_by("pk")
        return super().paginate_queryset(queryset, page_size)


@method_decorator(never_cache, name="dispatch")
class ApplicationList(ApplicationOwnerIsUserMixin, PagedListView):
    """Lists the user's applications."""

    context_object_name = "applications"
    template_name = "oauth2_provider/application_list.html"
    paginate_by = APPLICATIONS_PER_PAGE


class ApplicationDelete(ApplicationOwnerIsUserMixin, DeleteView):
    """Deletes an application with all that was issued to it."""

    context_object_name = "application"
    success_url = reverse_lazy("oauth2_provider:list")
    template_name = "oauth2_provider/application_confirm_delete.html"

    def form_valid(self, form: Any) -> HttpResponse:
        success_url = self.get_success_url()
        try:
            delete_applications([self.object])
        except (ProtectedError, RestrictedError):
            form.add_error(None, _("Something else on this site needs the application: it was not deleted."))
            return self.form_invalid(form)
        return HttpResponseRedirect(success_url)


@method_decorator(never_cache, name="dispatch")
@method_decorator(sensitive_post_parameters("client_secret"), name="dispatch")
class ApplicationUpdate(ApplicationOwnerIsUserMixin, ApplicationFormMixin, UpdateView):
    """Edits an application."""

    context_object_name = "application"
    template_name = "oauth2_provider/application_form.html"


def find_row(get_object: Any, queryset: QuerySet[Any] | None) -> Any:
    """Return the row of the URL; a key that its model's primary keys cannot be is one that is not there."""
    try:
        return get_object(queryset)
    except (ValueError, ValidationError) as exc:
        raise Http404 from exc


def keep_secret(request: HttpRequest, application: Any, secret: str, *, row: Any = None) -> None:
    """Keep a new secret of `application` for its page: that of `row` (ClientSecret), or its own.

    Each has a place of its own, so that one made in another tab does not push it out.
    """
    slot = f"{_secrets_path(application)}/{row.pk if row is not None else 'own'}"
    name = row.name if row is not None else None
    keep_once(request, slot, json.dumps({"name": name, "secret": secret}))


def _secrets_path(application: Any) -> str:
    return f"client_secret/{application.pk}"
