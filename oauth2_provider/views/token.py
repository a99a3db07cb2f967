"""The pages on which people see which applications can act for them, and end that."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import DeleteView

from ..flows.bulk_revocation import Holder, revoke_credentials
from ..flows.revocation import revoke_authorization
from ..forms import RevokeAccessForm
from ..models import get_access_token_model
from ..settings import oauth2_settings
from .application import PagedListView, find_row

TOKENS_PER_PAGE = 25


class AuthorizedTokensMixin(LoginRequiredMixin):
    """Narrows a view to what still lets an application act for the user.

    A live access token does, and so does an expired one whose refresh token was not revoked. The tokens with which
    registered clients manage themselves (RFC 7592) are no authorizations.
    """

    def get_queryset(self) -> QuerySet[Any]:
        lives = Q(expires__gt=timezone.now()) | Q(
            refresh_token__isnull=False, refresh_token__revoked__isnull=True
        )
        tokens = get_access_token_model()._default_manager.filter(lives, user=self.request.user)  # type: ignore[attr-defined]
        return tokens.exclude(scope=oauth2_settings.DCR_REGISTRATION_SCOPE).select_related("application")


@method_decorator(never_cache, name="dispatch")
class AuthorizedTokensListView(AuthorizedTokensMixin, PagedListView):
    """Lists the user's authorizations, the newest first."""

    context_object_name = "authorized_tokens"
    template_name = "oauth2_provider/authorized-tokens.html"
    paginate_by = TOKENS_PER_PAGE

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().order_by("-created", "-pk")


@method_decorator(never_cache, name="dispatch")
class AuthorizedTokenDeleteView(AuthorizedTokensMixin, DeleteView):
    """Ends one authorization with what hangs on it, or all that its application has from the user."""

    template_name = "oauth2_provider/authorized-token-delete.html"
    success_url = reverse_lazy("oauth2_provider:authorized-token-list")
    form_class = RevokeAccessForm

    def get_object(self, queryset: QuerySet[Any] | None = None) -> Any:
        return find_row(super().get_object, queryset)

    def form_valid(self, form: Any) -> HttpResponse:
        application = self.object.application
        if form.cleaned_data.get("everything") and application is not None:
            users = (self.object.user_id,)
            revoke_credentials(
                Holder(users=users, application=application.pk, spares_registrations=True)
            )  # as the list does
        else:
            revoke_authorization(self.object)
        return HttpResponseRedirect(self.get_success_url())
