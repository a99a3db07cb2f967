"""The endpoints that are measured, and two plain views to measure them against."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.views.decorators.csrf import csrf_exempt

from oauth2_provider.models import AccessToken, Application
from oauth2_provider.views.generic import ProtectedResourceView


class Resource(ProtectedResourceView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("hello")


def one_select(request: HttpRequest) -> HttpResponse:
    """Do what no bearer check can do without: one SELECT by a unique column."""
    rows = AccessToken.objects.select_related("application", "user")
    rows.get(token_checksum=request.GET["checksum"])
    return HttpResponse("hello")


@csrf_exempt
def select_and_insert(request: HttpRequest) -> HttpResponse:
    """Do what no token endpoint can do without: one SELECT of the client, one INSERT of a token."""
    application = Application.objects.get(client_id=request.POST["client_id"])
    token = get_random_string(30)
    AccessToken.objects.create(
        token=token, application=application, expires=timezone.now() + timedelta(hours=10), scope="read write"
    )
    return JsonResponse({"access_token": token})


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("resource/", Resource.as_view()),
    path("one-select/", one_select),
    path("select-and-insert/", select_and_insert),
]
if settings.IS_OURS:
    from side.authlib_site.views import token

    urlpatterns.append(path("authlib/token/", token))
