"""URLs for probes and monitoring. Include them where your monitoring looks: `path("", include("maintenance.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "maintenance"

urlpatterns = [
    path("health/", views.HealthView.as_view(), name="health"),
    path("health/live", views.LiveView.as_view(), name="health-live"),
    path("health/ready", views.ReadyView.as_view(), name="health-ready"),
    path("metrics", views.MetricsView.as_view(), name="metrics"),
    path("audit/export/<str:form>", views.AuditExportView.as_view(), name="audit-export"),
]
