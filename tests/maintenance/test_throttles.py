"""What makes a run rest, and for how long."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import override_settings

from maintenance import runs
from maintenance.models import Run, RunStatus, Trigger
from maintenance.runner import Runner, run_here
from maintenance.settings import DEFAULTS
from maintenance.throttles import find_hold, is_over_time, parse_time_window, rest_seconds, seconds_until_open
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql, on_servers
from tests.plans import multiply


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("00:30", 1800),
        ("01:00", 0),
        ("04:59", 0),
        ("05:00", 20 * 3600),
        ("12:00", 13 * 3600),
    ],
)
def test_a_time_window_opens_daily(now: str, seconds: int) -> None:
    moment = datetime.fromisoformat(f"2026-03-02T{now}:00+00:00")
    assert seconds_until_open("01:00-05:00", "UTC", moment) == seconds


@pytest.mark.parametrize(
    ("now", "seconds"), [("23:00", 0), ("02:59", 0), ("03:00", 19 * 3600), ("21:00", 3600)]
)
def test_a_time_window_may_span_midnight(now: str, seconds: int) -> None:
    moment = datetime.fromisoformat(f"2026-03-02T{now}:00+00:00")
    assert seconds_until_open("22:00-03:00", "UTC", moment) == seconds


def test_a_time_window_is_meant_in_its_zone() -> None:
    moment = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)
    assert seconds_until_open("01:00-05:00", "Europe/Berlin", moment) == 1.5 * 3600
    assert seconds_until_open("23:00-05:00", "Europe/Berlin", moment) == 0


@pytest.mark.parametrize("text", ["", "1-5", "01:00", "25:00-05:00"])
def test_what_is_no_time_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time_window(text)


@override_settings(MAINTENANCE={"NICE_RATIO": 0.5})
def test_the_nice_ratio_rests_in_proportion_to_the_work() -> None:
    assert rest_seconds(0.4, "default") == pytest.approx(0.2)
    assert rest_seconds(0.4, "default", is_urgent=True) <= DEFAULTS["WINDOW_REST_SECONDS_SQLITE"]


@override_settings(MAINTENANCE={"NICE_RATIO": 20, "LEASE_SECONDS": 60})
def test_a_rest_is_shorter_than_the_lease() -> None:
    assert rest_seconds(10, "default") == 30


@on_every_engine
def test_on_sqlite_others_have_a_turn_after_each_window(engine: EngineDatabase) -> None:
    with override_settings(MAINTENANCE={"WINDOW_REST_SECONDS_SQLITE": 0.5}):
        rests = [rest_seconds(worked, "default") for worked in (0.25, 2.0)]
    assert rests == ([0.25, 0.5] if engine.engine == "sqlite" else [0.0, 0.0])


WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("CREATE TABLE turns (id INTEGER PRIMARY KEY)")
print("ready", flush=True)
while True:
    connection.execute("INSERT INTO turns DEFAULT VALUES")
    time.sleep(0.005)
"""
"""Writes a row as soon as it has the lock, and the next a while later, which as a rule falls into a window."""


def test_on_sqlite_who_waits_to_write_has_a_turn_between_two_windows(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    owner = make_tokens(expired=1)
    multiply(AccessToken.objects.get(application=owner), 39_999, token="n", token_checksum="n")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, engine.settings["NAME"]], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        run = run_here(
            runs.request_run("clear_expired", {}, trigger=Trigger.CODE, dispatch=False), window_rows=2000
        )
    finally:
        writer.kill()
        writer.communicate()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM turns")
        turns = cursor.fetchone()[0]
        cursor.execute("DROP TABLE turns")
    assert run.counts == {AccessToken._meta.db_table: 40_000}
    assert turns >= run.windows


@override_settings(MAINTENANCE={"RUN_SECONDS": 10})
def test_a_run_over_its_time_is_told() -> None:
    assert is_over_time(Run(seconds_worked=10.0))
    assert not is_over_time(Run(seconds_worked=9.9))


@pytest.mark.django_db
@override_settings(MAINTENANCE={"RUN_SECONDS": 0.0001})
def test_a_run_over_its_time_is_paused_until_somebody_resumes_it(make_tokens: Any) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired")
    Runner(run.pk, budget_seconds=20, window_rows=10).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.PAUSED, 10)
    assert "RUN_SECONDS" in run.hold_reason
    Runner(runs.resume(run).pk, budget_seconds=20, window_rows=10).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.PAUSED, 20), "resumed, it goes on for so long again"


@pytest.mark.django_db
@override_settings(MAINTENANCE={"RUN_SECONDS": 0.0001})
def test_a_failed_run_that_is_retried_has_its_time_again(make_tokens: Any) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, seconds_worked=3)
    run.refresh_from_db()
    Runner(runs.retry(run).pk, budget_seconds=20, window_rows=10).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.PAUSED, 10)


@pytest.mark.django_db
@override_settings(MAINTENANCE={"RUN_SECONDS": 0.0001})
def test_a_shard_over_its_time_pauses_the_whole_which_is_resumed_as_a_whole(make_tokens: Any) -> None:
    make_tokens(expired=40)
    run = runs.enqueue("clear_expired", shards=2)
    while not run.shard_runs.exists():
        Run.objects.filter(pk=run.pk).update(not_before=None)
        Runner(run.pk, budget_seconds=20).advance()
    first, second = run.shard_runs.order_by("shard_key")
    Runner(first.pk, budget_seconds=20, window_rows=5).advance()
    for paused in (run, first, second):
        paused.refresh_from_db()
        assert paused.status == RunStatus.PAUSED
    assert "RUN_SECONDS" in run.hold_reason
    runs.resume(run)
    Runner(first.pk, budget_seconds=20, window_rows=5).advance()
    first.refresh_from_db()
    assert (first.status, first.rows) == (RunStatus.PAUSED, 10)
    with override_settings(MAINTENANCE={}):
        run.refresh_from_db()
        run = run_here(runs.resume(run), window_rows=5)
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 40)


@pytest.mark.django_db
def test_who_pauses_the_moment_a_throttle_holds_is_obeyed_at_once(make_tokens: Any) -> None:
    make_tokens(expired=5)
    run = runs.enqueue("clear_expired")

    def hold(held: Run) -> tuple[float, str]:
        runs.pause(Run.objects.get(pk=held.pk))
        return 30, "the site is busy"

    with override_settings(MAINTENANCE={"THROTTLE": hold}):
        Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert (run.status, run.lease_until, run.losses) == (RunStatus.PAUSED, None, 0)


@on_postgresql
@override_settings(MAINTENANCE={"REPLICATION_LAG_SECONDS": 2.0})
def test_no_replica_means_no_lag(engine: EngineDatabase) -> None:
    run = Run.objects.create(operation="clear_expired", trigger=Trigger.CODE)
    assert find_hold(run, "default") is None


@pytest.mark.django_db
@override_settings(MAINTENANCE={"TIME_WINDOW": "00:00-00:01", "THROTTLE": lambda run: (5, "never asked")})
def test_a_security_operation_is_never_held(admin_user: Any) -> None:
    run = runs.enqueue("revoke_user_tokens", user_id=admin_user.pk)
    Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


@on_servers
def test_a_revocation_does_not_rest(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    """A worker that rests looks again and again whether it must stop; here it then must."""
    make_tokens(live=3)
    user = get_user_model().objects.create_user("ann")
    AccessToken.objects.update(user=user)
    looks = count()
    with override_settings(MAINTENANCE={"NICE_RATIO": 1e9, "LEASE_SECONDS": 1e6}):
        run = run_here(
            runs.request_run(
                "revoke_user_tokens", {"user_id": user.pk}, trigger=Trigger.CODE, dispatch=False
            ),
            window_rows=1,
            must_stop=lambda: next(looks) > 40,
        )
    assert (run.status, run.counts[AccessToken._meta.db_table]) == (RunStatus.SUCCEEDED, 3)
