"""The URLs of a site with a resource for MCP clients: the well-known documents at the root, the provider below /o/."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from oauth2_provider.urls import app_name, metadata_urlpatterns
from oauth2_provider.views import ScopedProtectedResourceMetadataView


@method_decorator(csrf_exempt, name="dispatch")
class Tools(ScopedProtectedResourceMetadataView):
    """Answers with whose token it was called."""

    required_scopes = ["read"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return JsonResponse({"called_by": request.resource_owner.get_username()})  # type: ignore[attr-defined]


urlpatterns = [
    path("", include((metadata_urlpatterns, app_name), namespace="well_known")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("accounts/login/", LoginView.as_view(template_name="oauth2_provider/login.html"), name="login"),
    path("mcp", Tools.as_view()),
    path("elsewhere", Tools.as_view()),
]
