"""purge_runs: the record of the past goes when its time is over, as the preview said, and nothing younger.

The preview keeps within the bounds of every preview.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from maintenance import audit, runs
from maintenance.models import (
    ACTIVE,
    ArchivedApplication,
    AuditAction,
    AuditEvent,
    Heartbeat,
    Run,
    RunEvent,
    RunStatus,
    TableSnapshot,
    Trigger,
)
from maintenance.operations import Job, get_operation
from maintenance.operations.base import Inexact
from maintenance.runner import run_here
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql, on_sqlite


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


OLD = timedelta(days=400)
EVENTS = RunEvent._meta.db_table


def preview() -> Any:
    return get_operation("purge_runs").preview(Job(arguments={}, cutoff=timezone.now()))


def old_runs(count: int) -> None:
    """Store `count` runs that ended long ago, each with a shard, and an event and an archive for both."""
    for _ in range(count):
        run = store_run(RunStatus.SUCCEEDED, days=OLD.days)
        store_run(RunStatus.SUCCEEDED, days=OLD.days, parent=run)


@on_every_engine
def test_the_preview_counts_all_that_a_run_removes(engine: EngineDatabase) -> None:
    old_runs(3)
    then = timezone.now() - OLD
    audit.record(AuditAction.HELD_ALL, actor="maria")
    AuditEvent.objects.update(created=then)
    for hours in (1, 2):
        TableSnapshot.objects.create(
            table="t", hour=then - timedelta(hours=hours), taken=then, rows=0, expired=0
        )
    Heartbeat.objects.create(role=Heartbeat.Role.WORKER, name="long gone", seen=then)
    before = preview()
    assert before.counts == {
        Run._meta.db_table: 6,
        EVENTS: 6,
        ArchivedApplication._meta.db_table: 6,
        AuditEvent._meta.db_table: 1,
        TableSnapshot._meta.db_table: 1,
        Heartbeat._meta.db_table: 1,
    }
    assert before.inexact == {}
    assert before.oldest is not None
    assert len(before.samples[Run._meta.db_table]) == 5
    run = run_here(runs.enqueue("purge_runs"))
    assert run.total_counts == before.counts


@on_sqlite
def test_counting_what_would_be_purged_stops_at_preview_rows(
    engine: EngineDatabase, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_runs(3)
    settings.MAINTENANCE = {"PREVIEW_ROWS": 4}
    monkeypatch.setattr("maintenance.operations.purge_runs.EVENTS_OF_A_RUN", 1)
    found = preview()
    assert (found.shown(Run._meta.db_table), found.shown(EVENTS)) == ("at least 4", "at least 4")


@on_every_engine
def test_the_preview_looks_for_dependents_by_the_keys_of_the_runs(engine: EngineDatabase) -> None:
    """For a subquery a planner may read the tables of events and archives from end to end."""
    old_runs(2)
    with CaptureQueriesContext(connection) as captured:
        preview()
    tables = (EVENTS, ArchivedApplication._meta.db_table)
    asked = [
        each["sql"] for each in captured if any(f" {table}" in _unquoted(each["sql"]) for table in tables)
    ]
    assert asked
    assert not [sql for sql in asked if Run._meta.db_table in _unquoted(sql).split()]


def _unquoted(sql: str) -> str:
    return sql.replace('"', "").replace("`", "")


@pytest.mark.django_db
def test_of_more_runs_than_a_preview_looks_into_the_rest_is_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    old_runs(3)
    monkeypatch.setattr("maintenance.operations.purge_runs.RUNS_AT_MOST", 4)
    found = preview()
    assert (found.shown(Run._meta.db_table), found.shown(EVENTS)) == ("6", "about 6")
    assert found.counted[EVENTS] == 4


@on_sqlite
def test_chunks_of_runs_are_counted_until_preview_rows(
    engine: EngineDatabase, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_runs(3)
    monkeypatch.setattr("oauth2_provider.batching.KEYS_AT_MOST", 2)
    monkeypatch.setattr("maintenance.operations.purge_runs.EVENTS_OF_A_RUN", 0.5)
    assert preview().shown(EVENTS) == "6"
    settings.MAINTENANCE = {"PREVIEW_ROWS": 3}
    found = preview()
    assert (found.shown(EVENTS), found.counted[EVENTS]) == ("at least 4", 4)


@on_postgresql
def test_counting_what_would_be_purged_takes_no_longer_than_preview_seconds(
    engine: EngineDatabase, settings: Any
) -> None:
    old_runs(20)
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 0.2}
    with slow_events():
        began = time.monotonic()
        found = preview()
        assert time.monotonic() - began < 10  # the whole count would take twice that
    assert found.inexact[EVENTS] is Inexact.ABOUT


@contextmanager
def slow_events() -> Iterator[None]:
    """Have each event take half a second to be read."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {EVENTS} RENAME TO slow")
        cursor.execute(f"CREATE VIEW {EVENTS} AS SELECT * FROM slow WHERE pg_sleep(0.5) IS NOT NULL")
        yield
        transaction.set_rollback(True)
