"""URLs of the deployable project."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from .views import MeView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(template_name="oauth2_provider/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("", include("maintenance.urls")),
    path("api/me", MeView.as_view(), name="me"),
]
