"""The pages on which people add and revoke secrets of their applications: a rotation without an interruption."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, TemplateView
from django.views.generic.detail import SingleObjectMixin

from ..flows.client_secrets import (
    SecretIsNeeded,
    TooManySecrets,
    add_client_secret,
    may_revoke_own_secret,
    revoke_client_secret,
    revoke_own_secret,
)
from ..forms import ClientSecretForm
from ..models import ClientSecret
from .application import ApplicationOwnerIsUserMixin, keep_secret

OWN = "first"
"""In the URL, in place of a primary key: the secret in the application's own row."""


class ApplicationSecretMixin(ApplicationOwnerIsUserMixin, SingleObjectMixin):
    """Loads the confidential application that the URL names; there is nothing here for any other."""

    context_object_name = "application"
    object: Any

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        return super().get(request, *args, **kwargs)  # type: ignore[misc]

    def get_object(self, queryset: Any = None) -> Any:
        application = super().get_object(queryset)
        if application.client_type != application.CLIENT_CONFIDENTIAL:
            raise Http404
        return application

    def back(self) -> HttpResponse:
        """Return to the application's page."""
        return HttpResponseRedirect(reverse("oauth2_provider:detail", args=[self.object.pk]))


@method_decorator(never_cache, name="dispatch")
class ClientSecretAdd(ApplicationSecretMixin, FormView):
    """Makes a further secret; the application's page shows it once."""

    form_class = ClientSecretForm
    template_name = "oauth2_provider/client_secret_form.html"

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            made = add_client_secret(self.object, name=form.cleaned_data["name"], expires=form.expires)
        except TooManySecrets:
            form.add_error(None, _("The application has as many secrets as it may. Revoke one first."))
            return self.form_invalid(form)
        keep_secret(self.request, self.object, made.secret, row=made.row)
        return self.back()


@method_decorator(never_cache, name="dispatch")
class ClientSecretRevoke(ApplicationSecretMixin, TemplateView):
    """Asks, then revokes: a further secret, or the application's own once another works."""

    template_name = "oauth2_provider/client_secret_confirm_revoke.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        secret = self._secret()
        if secret is None and not may_revoke_own_secret(self.object):
            raise Http404
        return super().get_context_data(**{**kwargs, "secret": secret})

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        secret = self._secret()
        if secret is not None:
            revoke_client_secret(secret)
            return self.back()
        try:
            revoke_own_secret(self.object)
        except SecretIsNeeded as exc:
            raise Http404 from exc
        return self.back()

    def _secret(self) -> ClientSecret | None:
        """Return the secret of the URL; None: the application's own."""
        if self.kwargs["secret"] == OWN:
            return None
        try:
            return ClientSecret.objects.get(application=self.object, pk=self.kwargs["secret"])
        except (ClientSecret.DoesNotExist, ValueError, ValidationError, OverflowError) as exc:
            raise Http404 from exc
