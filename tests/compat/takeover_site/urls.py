"""The site's URLs: the provider under /o/, and one protected resource."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from oauth2_provider.views.generic import ProtectedResourceView


class Resource(ProtectedResourceView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"hello {request.resource_owner}")


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("resource/", Resource.as_view()),
]
