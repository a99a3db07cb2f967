"""Metrics are read from the database: the same from every process, and never falling where they count."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from maintenance import runs
from maintenance.heartbeats import note_heartbeat
from maintenance.metrics import render_metrics
from maintenance.models import Heartbeat, Run, RunStatus, Trigger
from maintenance.runner import run_here
from maintenance.snapshots import take_snapshot_if_due
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

TABLE = "oauth2_provider_accesstoken"


def scrape() -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the samples by name and label values, in the order of the labels' names."""
    families = text_string_to_metric_families(render_metrics().decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@on_every_engine
def test_what_runs_did_is_counted(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=30, live=10)
    before = scrape()
    assert before["maintenance_backlog_rows", (TABLE,)] == 30
    assert before["maintenance_table_rows", (TABLE,)] == 40
    assert before["maintenance_rows_removed_total", (TABLE,)] == 0
    assert (
        timezone.now().timestamp() - before["maintenance_oldest_expired_timestamp_seconds", (TABLE,)] > 3000
    )
    run = run_here(runs.enqueue("clear_expired"))
    after = scrape()
    assert after["maintenance_runs", ("clear_expired", "succeeded")] == 1
    assert after["maintenance_runs", ("clear_expired", "failed")] == 0
    assert after["maintenance_rows_removed_total", (TABLE,)] == 30
    assert after["maintenance_backlog_rows", (TABLE,)] == 0
    assert ("maintenance_oldest_expired_timestamp_seconds", (TABLE,)) not in after
    run.refresh_from_db()
    success = after["maintenance_last_success_timestamp_seconds", ("clear_expired",)]
    assert success == pytest.approx(run.finished.timestamp())  # type: ignore[union-attr]
    assert after["maintenance_last_run_worked_seconds", ("clear_expired",)] == pytest.approx(
        run.seconds_worked
    )


@pytest.mark.django_db
def test_a_counter_survives_the_purge_of_the_runs(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=30)
    run_here(runs.enqueue("clear_expired"))
    take_snapshot_if_due()
    assert scrape()["maintenance_rows_removed_total", (TABLE,)] == 30
    Run.objects.all().delete()
    assert scrape()["maintenance_rows_removed_total", (TABLE,)] == 30


@pytest.mark.django_db
def test_what_is_wrong_is_a_number() -> None:
    now = timezone.now()
    Run.objects.create(
        operation="clear_expired",
        trigger=Trigger.CODE,
        status=RunStatus.RUNNING,
        heartbeat=now - timedelta(minutes=10),
        lease_until=now - timedelta(minutes=9),
    )
    note_heartbeat(Heartbeat.Role.WORKER, "celery@a", queue="maintenance")
    runs.hold_all("alice")
    samples = scrape()
    assert samples["maintenance_stuck_runs", ()] == 1
    assert samples["maintenance_lease_age_seconds", ()] == pytest.approx(600, abs=30)
    assert samples["maintenance_held", ()] == 1
    assert samples["maintenance_broker_reachable", ()] == 1
    assert samples["maintenance_health_status", ("unhealthy",)] == 1
    assert samples["maintenance_findings", ("run_stuck", "unhealthy")] == 1
    seen = samples["maintenance_last_seen_timestamp_seconds", ("celery@a", "maintenance", "worker")]
    assert seen == pytest.approx(now.timestamp(), abs=30)


def test_a_run_whose_operation_is_gone_is_still_counted(db: None) -> None:
    Run.objects.create(operation="of yore", trigger=Trigger.CODE, status=RunStatus.PAUSED)
    assert scrape()["maintenance_runs", ("of yore", "paused")] == 1


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import django, os, sys; sys.modules['prometheus_client'] = None\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup()\n"
        "from maintenance.metrics import MetricsUnavailable, render_metrics\n"
        "try: render_metrics()\n"
        "except MetricsUnavailable as unavailable: print(unavailable)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "install the extra `prometheus`" in done.stdout
