"""The default schedules: installed once, then the site's own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from maintenance import runs, schedules
from maintenance.exceptions import TooSoon
from maintenance.models import Run, RunStatus, Trigger
from maintenance.runner import run_here

pytestmark = pytest.mark.django_db


def test_the_migration_installed_them() -> None:
    entries = {
        entry.task: (str(entry.crontab or entry.interval).split(" (")[0], entry.enabled)
        for entry in PeriodicTask.objects.filter(task__startswith="maintenance.")
    }
    assert entries == {
        "maintenance.tasks.clear_expired": ("15 2 * * *", True),
        "maintenance.tasks.purge_runs": ("45 3 * * *", True),
        "maintenance.tasks.sweep": ("every minute", True),
        "maintenance.tasks.cleanup_inactive_applications": ("30 3 * * 0", False),
    }
    assert all(str(e.crontab.timezone) == "UTC" for e in PeriodicTask.objects.exclude(crontab=None))


def test_installing_again_changes_nothing_that_is_there() -> None:
    PeriodicTask.objects.filter(task="maintenance.tasks.clear_expired").update(enabled=False)
    PeriodicTask.objects.filter(task="maintenance.tasks.purge_runs").delete()
    schedules.install(apps, "default")
    assert not PeriodicTask.objects.get(task="maintenance.tasks.clear_expired").enabled
    assert PeriodicTask.objects.filter(task="maintenance.tasks.purge_runs").exists()


def test_a_schedule_that_fires_again_within_the_minimum_interval_is_refused() -> None:
    run = runs.request_run("clear_expired", {}, trigger=Trigger.SCHEDULE, dispatch=False)
    assert run_here(run).status == RunStatus.SUCCEEDED
    with pytest.raises(TooSoon, match="minimum interval"):
        runs.request_run("clear_expired", {}, trigger=Trigger.SCHEDULE, dispatch=False)
    assert runs.request_run("clear_expired", {}, trigger=Trigger.CODE, dispatch=False).is_new  # type: ignore[attr-defined]
    Run.objects.filter(trigger=Trigger.CODE).delete()
    Run.objects.update(created=timezone.now() - timedelta(seconds=601))
    again = runs.request_run("clear_expired", {}, trigger=Trigger.SCHEDULE, dispatch=False)
    assert again.is_new  # type: ignore[attr-defined]
