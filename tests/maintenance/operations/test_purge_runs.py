"""purge_runs: the record of the past goes when its time is over, as the preview said, and nothing younger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.models import ACTIVE, ArchivedApplication, AuditEvent, Run, RunEvent, RunStatus, Trigger
from maintenance.operations import Job, get_operation
from maintenance.runner import run_here
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


def store_run(status: RunStatus, *, days: float, parent: Run | None = None) -> Run:
    """Store a run that was made `days` ago, with an event and an archived application."""
    run = Run.objects.create(operation="clear_expired", trigger=Trigger.CODE, status=status, parent=parent)
    Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(days=days))
    RunEvent.objects.create(run=run, kind=RunEvent.Kind.ENQUEUED)
    ArchivedApplication.objects.create(run=run, client_id=f"{run.pk}", document={})
    return run


@on_every_engine
@override_settings(MAINTENANCE={"RUN_RETENTION_DAYS": 30})
def test_what_goes_is_what_the_preview_said(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    old = [store_run(RunStatus.SUCCEEDED, days=31 + number) for number in range(7)]
    shards = [store_run(RunStatus.SUCCEEDED, days=31, parent=run) for run in old[:2]]
    kept = [store_run(status, days=400) for status in ACTIVE] + [store_run(RunStatus.FAILED, days=29)]
    operation = get_operation("purge_runs")
    preview = operation.preview(Job(arguments={}, cutoff=timezone.now()))
    assert Run.objects.count() == len(old) + len(shards) + len(kept), "a preview touches nothing"
    purge = run_here(runs.enqueue("purge_runs"), window_rows=3)
    assert purge.status == RunStatus.SUCCEEDED
    assert {table: rows for table, rows in purge.counts.items() if rows} == {
        Run._meta.db_table: 9,
        RunEvent._meta.db_table: 9,
        ArchivedApplication._meta.db_table: 9,
    }
    assert {table: rows for table, rows in preview.counts.items() if rows} == {
        table: rows for table, rows in purge.counts.items() if rows
    }
    assert set(Run.objects.values_list("pk", flat=True)) == {run.pk for run in [*kept, purge]}
    assert AuditEvent.objects.filter(run=purge.pk).exists()


@on_every_engine
def test_the_days_are_an_argument(engine: EngineDatabase) -> None:
    store_run(RunStatus.CANCELLED, days=5)
    younger = store_run(RunStatus.CANCELLED, days=3)
    purge = run_here(runs.enqueue("purge_runs", days=4))
    assert set(Run.objects.values_list("pk", flat=True)) == {younger.pk, purge.pk}
