"""The provider's URLs. Include them whole, or one of the lists."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "oauth2_provider"

base_urlpatterns = [
    path("authorize/", views.AuthorizationView.as_view(), name="authorize"),
    path("token/", views.TokenView.as_view(), name="token"),
    path("revoke_token/", views.RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect/", views.IntrospectTokenView.as_view(), name="introspect"),
]

urlpatterns = [*base_urlpatterns]
