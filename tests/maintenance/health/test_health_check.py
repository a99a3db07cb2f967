"""The health as a check of django-health-check, over its own view."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.test import RequestFactory
from django.utils import timezone
from health_check.views import HealthCheckView

from maintenance import runs
from maintenance.health import forget_health
from maintenance.models import Run
from tests.databases import EngineDatabase
from tests.engines import on_postgresql

PATH = "maintenance.health_check.MaintenanceHealth"


def ask(*checks: Any) -> tuple[int, str]:
    view = HealthCheckView.as_view(checks=checks)
    response = async_to_sync(view)(RequestFactory().get("/ht/", {"format": "text"}))
    return response.status_code, response.content.decode()


@on_postgresql  # its view looks from another thread
def test_the_check_says_what_is_wrong_in_kinds(engine: EngineDatabase) -> None:
    status, text = ask(PATH)
    assert (status, text.strip()) == (200, "MaintenanceHealth(): OK")
    run = runs.enqueue("clear_expired")
    Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(minutes=10))
    forget_health()
    status, text = ask(PATH)
    assert (status, text.strip()) == (
        500,
        "MaintenanceHealth(): Unavailable: The maintenance is unhealthy: runs_wait.",
    )


@on_postgresql
def test_warnings_count_where_they_are_asked_for(engine: EngineDatabase) -> None:
    switch = runs.hold_all("alice", "a private reason")
    switch.since = timezone.now() - timedelta(days=2)
    switch.save()
    assert ask(PATH)[0] == 200
    status, text = ask((PATH, {"warnings": True}))
    assert (status, text.strip()) == (
        500,
        "MaintenanceHealth(): Warning: The maintenance is warning: held_all.",
    )
