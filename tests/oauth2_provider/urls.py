"""The root URLs of the suite, and protected resources of each kind."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from oauth2_provider.decorators import protected_resource
from oauth2_provider.views import (
    ClientProtectedResourceView,
    ProtectedResourceView,
    ReadWriteScopedResourceView,
    ScopedProtectedResourceView,
)
from tests.urls import urlpatterns as suite_urlpatterns


class Answering:
    """Answers GET and POST with who is let in."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        owner = getattr(request, "resource_owner", None)
        return JsonResponse({"owner": owner.get_username() if owner else None})

    post = get


@method_decorator(csrf_exempt, name="dispatch")
class Resource(Answering, ProtectedResourceView):
    pass


class WriteResource(Answering, ScopedProtectedResourceView):
    required_scopes = ["write"]


@method_decorator(csrf_exempt, name="dispatch")
class ReadWriteResource(Answering, ReadWriteScopedResourceView):
    pass


def decorated(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"owner": request.resource_owner.get_username()})  # type: ignore[attr-defined]


class ClientResource(Answering, ClientProtectedResourceView):
    pass


urlpatterns = [
    *suite_urlpatterns,
    path("resource/", Resource.as_view()),
    path("resource/decorated/", protected_resource()(decorated)),
    path("resource/write/", WriteResource.as_view()),
    path("resource/read-write/", ReadWriteResource.as_view()),
    path("resource/client/", ClientResource.as_view()),
]
