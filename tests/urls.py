"""Root URLs of the test suite."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(template_name="oauth2_provider/login.html"), name="login"),
]
if find_spec("oauth2_provider.urls"):
    urlpatterns.append(path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")))
if find_spec("maintenance.urls"):
    urlpatterns.append(path("", include("maintenance.urls")))
