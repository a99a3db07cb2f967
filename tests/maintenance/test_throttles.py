"""What makes a run rest, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from maintenance import runs
from maintenance.models import Run, RunStatus, Trigger
from maintenance.runner import Runner
from maintenance.throttles import find_hold, is_over_time, parse_time_window, rest_seconds, seconds_until_open
from tests.databases import EngineDatabase
from tests.engines import on_postgresql


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
    assert rest_seconds(0.4) == pytest.approx(0.2)


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
