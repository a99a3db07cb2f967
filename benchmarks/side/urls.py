"""The endpoints that are measured, and two plain views to measure them against."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.crypto import get_random_string
from django.views.decorators.csrf import csrf_exempt

urlpatterns: list[Any] = []

if find_spec("oauth2_provider.urls"):
    from oauth2_provider.models import get_access_token_model
    from oauth2_provider.views.generic import ProtectedResourceView

    class Resource(ProtectedResourceView):
        def get(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse("hello")

    def one_select(request: HttpRequest) -> HttpResponse:
        """Do what no bearer check can do without: one SELECT by a unique column."""
        rows = get_access_token_model().objects.select_related("application", "user")
        rows.get(token_checksum=request.GET["checksum"])
        return HttpResponse("hello")

    @csrf_exempt
    def select_and_insert(request: HttpRequest) -> HttpResponse:
        """Do what no token endpoint can do without: one SELECT of the client, one INSERT of a token."""
        from datetime import timedelta

        from django.utils import timezone

        from oauth2_provider.models import get_application_model

        application = get_application_model().objects.get(client_id=request.POST["client_id"])
        token = get_random_string(30)
        get_access_token_model().objects.create(
            token=token,
            application=application,
            expires=timezone.now() + timedelta(hours=10),
            scope="read write",
        )
        return JsonResponse({"access_token": token})

    urlpatterns = [
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("resource/", Resource.as_view()),
        path("one-select/", one_select),
        path("select-and-insert/", select_and_insert),
    ]
