"""Once an hour the token tables are measured: what came, what went, whether removal keeps up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from maintenance import runs
from maintenance.models import Run, RunStatus, TableSnapshot, Trigger
from maintenance.runner import Runner, run_here
from maintenance.snapshots import latest_snapshots, removed_since, take_snapshot_if_due
from maintenance.statistics import (
    TableBacklog,
    backlog,
    created_and_removed_per_day,
    days_to_clear,
    table_sizes,
)
from maintenance.tasks import sweep
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql

TABLE = "oauth2_provider_accesstoken"


def of_access_tokens() -> TableBacklog:
    return next(figures for figures in backlog() if figures.table == TABLE)


@on_every_engine
def test_the_backlog_names_rows_expired_rows_and_the_oldest(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=7, live=3)
    figures = of_access_tokens()
    assert (figures.rows, figures.expired, figures.is_estimate) == (10, 7, False)
    assert figures.oldest_expired is not None
    assert timedelta(minutes=59) < timezone.now() - figures.oldest_expired < timedelta(minutes=62)


@on_every_engine
def test_a_snapshot_is_taken_once_an_hour(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=5, live=5)
    moment = datetime(2026, 3, 1, 10, 20, tzinfo=UTC)
    assert len(take_snapshot_if_due(moment)) == 6
    assert take_snapshot_if_due(moment + timedelta(minutes=39)) == []
    assert len(take_snapshot_if_due(moment + timedelta(minutes=40))) == 6
    assert TableSnapshot.objects.filter(table=TABLE).count() == 2


@on_every_engine
def test_a_snapshot_tells_what_came_and_what_runs_removed(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    now = timezone.now()
    take_snapshot_if_due(now - timedelta(hours=2))
    make_tokens(expired=50, live=5)
    run_here(runs.enqueue("clear_expired"))
    assert removed_since(latest_snapshots()[TABLE])[TABLE] == 50
    take_snapshot_if_due(now - timedelta(hours=1))
    snapshot = latest_snapshots()[TABLE]
    assert (snapshot.rows, snapshot.expired, snapshot.removed) == (5, 0, 50)
    assert removed_since(snapshot)[TABLE] == 0
    take_snapshot_if_due(now)
    snapshot = latest_snapshots()[TABLE]
    assert (snapshot.created, snapshot.removed, snapshot.removed_total) == (0, 0, 50)


@on_every_engine
def test_what_a_long_run_removes_counts_in_the_hour_it_goes(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    now = timezone.now()
    make_tokens(expired=30, live=5)
    take_snapshot_if_due(now - timedelta(hours=3))
    run = runs.enqueue("clear_expired")
    windows: list[Run] = []
    Runner(
        run.pk, window_rows=10, on_window=windows.append, must_stop=lambda: any(each.rows for each in windows)
    ).advance()
    run.refresh_from_db()
    assert (run.status, 0 < run.rows < 30) == (RunStatus.INTERRUPTED, True)
    part = run.rows
    take_snapshot_if_due(now - timedelta(hours=2))
    assert latest_snapshots()[TABLE].removed == part
    run_here(run)
    take_snapshot_if_due(now - timedelta(hours=1))
    snapshot = latest_snapshots()[TABLE]
    assert (snapshot.removed, snapshot.removed_total) == (30 - part, 30)


@pytest.mark.django_db
def test_what_an_operation_leaves_in_the_table_is_not_counted_as_removed(
    make_tokens: Callable[..., Any], admin_user: Any
) -> None:
    make_tokens(live=4)
    run_here(runs.enqueue("migrate_token_scopes", old="read", new="write", force=True))
    run = Run.objects.get()
    assert run.counts[TABLE] == 4
    assert removed_since(None)[TABLE] == 0
    counts = {TABLE: 3, "oauth2_provider_refreshtoken": 2}
    Run.objects.create(operation="revoke_user_tokens", trigger=Trigger.CODE, counts=counts)
    assert removed_since(None) == {TABLE: 3}


@pytest.mark.django_db(transaction=True)
def test_of_two_sweeps_at_once_one_takes_the_snapshot(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=5)
    run_here(runs.enqueue("clear_expired"))
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        TableSnapshot.objects.create(table=TABLE, hour=hour, taken=now, rows=0, expired=0)
    assert take_snapshot_if_due(now) == []
    assert TableSnapshot.objects.count() == 1
    assert Run.objects.get().snapshot_counts == {}


@pytest.mark.django_db
def test_the_sweep_takes_the_snapshot() -> None:
    sweep()
    assert set(latest_snapshots()) == {figures.table for figures in backlog()}


@on_every_engine
def test_days_are_whole_and_in_order(engine: EngineDatabase) -> None:
    now = timezone.now().astimezone(UTC)
    yesterday = (now - timedelta(days=1)).replace(hour=23, minute=0, second=0, microsecond=0)
    for table, hour, created, removed in (
        (TABLE, yesterday, 10, 4),
        (TABLE, yesterday - timedelta(hours=3), 5, 1),
        ("oauth2_provider_grant", yesterday, 100, 0),
    ):
        TableSnapshot.objects.create(
            table=table, hour=hour, taken=hour, rows=0, expired=0, created=created, removed=removed
        )
    days = created_and_removed_per_day(days=3)
    assert [day.day for day in days] == [(now - timedelta(days=back)).date() for back in (2, 1, 0)]
    assert [(day.created, day.removed, day.is_known) for day in days] == [
        (0, 0, False),
        (115, 5, True),
        (0, 0, False),
    ]
    (day,) = [day for day in created_and_removed_per_day(days=3, table=TABLE) if day.is_known]
    assert (day.created, day.removed) == (15, 5)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("expired", "created", "removed", "days"),
    [
        (0, 100, 100, 0.0),
        (100, 100, 100, 1.0),  # a nightly run that keeps up
        (1000, 100, 100, None),  # a backlog that stays
        (1000, 200, 100, None),  # and one that grows
        (1000, 100, 300, 5.0),
    ],
)
def test_days_to_clear_follow_the_rates(expired: int, created: int, removed: int, days: float | None) -> None:
    now = timezone.now().replace(microsecond=0)
    for back, came, went in ((48, 0, 0), (24, created, removed), (0, created, removed)):
        moment = now - timedelta(hours=back)
        TableSnapshot.objects.create(
            table=TABLE, hour=moment, taken=moment, rows=0, expired=expired, created=came, removed=went
        )
    clearance = next(each for each in days_to_clear() if each.table == TABLE)
    assert (clearance.created_per_day, clearance.removed_per_day) == (created, removed)
    assert clearance.days == (None if days is None else pytest.approx(days))
    assert clearance.is_keeping_up is (days is not None)


@pytest.mark.django_db
def test_without_a_history_nothing_is_said_about_days() -> None:
    assert {(each.days, each.is_known) for each in days_to_clear()} == {(None, False)}


@on_every_engine
def test_sizes_are_told_where_the_engine_knows_them(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(live=50)
    sizes = {size.table: size for size in table_sizes()}
    if connection.vendor == "sqlite":
        assert sizes == {}
        return
    assert len(sizes) == 6
    assert sizes[TABLE].table_bytes > 0
    assert sizes[TABLE].index_bytes > 0


@on_postgresql
def test_figures_of_a_big_table_come_from_indexes_and_estimates(engine: EngineDatabase) -> None:
    now = timezone.now()
    AccessToken.objects.bulk_create(
        AccessToken(
            token=f"t{number}",
            token_checksum=f"t{number}",
            scope="read",
            expires=now + timedelta(seconds=number - 30_000),
        )
        for number in range(60_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE oauth2_provider_accesstoken")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        figures = of_access_tokens()
    assert figures.is_estimate
    assert figures.rows == pytest.approx(60_000, rel=0.1)
    assert figures.expired == pytest.approx(30_000, rel=0.2)
    statements = [query["sql"] for query in queries if not query["sql"].startswith("EXPLAIN")]
    assert 10 < len(statements) < 40
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            (plan,) = cursor.fetchone()
            assert _rows_read(plan[0]["Plan"]) <= 10_000, statement


def _rows_read(plan: dict[str, Any]) -> float:
    inner = [_rows_read(part) for part in plan.get("Plans", [])]
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([own, *inner])


@pytest.mark.django_db
@override_settings(MAINTENANCE={"SNAPSHOT_RETENTION_DAYS": 10})
def test_old_snapshots_are_purged_but_for_the_newest() -> None:
    now = timezone.now()
    for days in (30, 20, 11):
        moment = now - timedelta(days=days)
        TableSnapshot.objects.create(table=TABLE, hour=moment, taken=moment, rows=0, expired=0)
    run_here(runs.enqueue("purge_runs"))
    assert [round((now - snapshot.hour).days) for snapshot in TableSnapshot.objects.all()] == [11]
