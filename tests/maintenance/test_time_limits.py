"""What happens to a run when a slice runs into the time limit of its task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connections, transaction
from django.test import override_settings

from maintenance import runs
from maintenance.models import Run, RunEvent, RunStatus
from maintenance.runner import Runner, run_here
from maintenance.windows import WindowMark
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql

TABLE = "oauth2_provider_accesstoken"
MakeTokens = Callable[..., Any]


def slice_out_of_time(run: Run, *, on_window: Callable[[Run], None]) -> Run:
    Runner(run.pk, window_rows=10, on_window=on_window, out_of_time=(SoftTimeLimitExceeded,)).advance()
    run.refresh_from_db()
    return run


def limit_after_rows(run: Run) -> None:
    if run.rows:
        raise SoftTimeLimitExceeded


@on_every_engine
def test_a_slice_at_its_time_limit_leaves_the_run_to_the_next(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    make_tokens(expired=45)
    run = runs.enqueue("clear_expired")
    for rows in (10, 20, 30, 40):
        slice_out_of_time(run, on_window=limit_after_rows)
        assert (run.status, run.rows, run.losses, run.lease_until) == (RunStatus.INTERRUPTED, rows, 1, None)
    interrupted = run.events.filter(kind=RunEvent.Kind.INTERRUPTED).values_list("text", flat=True)
    assert list(interrupted) == ["the time limit of a task was reached"] * 4
    assert run.sent is not None
    assert run_here(run).counts == {TABLE: 45}
    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_a_window_that_never_gets_done_fails_the_run_with_a_reason(make_tokens: MakeTokens) -> None:
    make_tokens(expired=5)
    run = runs.enqueue("clear_expired")
    for status in (RunStatus.INTERRUPTED, RunStatus.INTERRUPTED, RunStatus.FAILED):
        assert slice_without_progress(run).status == status
    assert run.error_class == "OutOfTime"
    assert run.error_message == (
        "3 workers were lost in a row without progress; the last time, the time limit of a task was reached."
    )
    assert run_here(runs.retry(run)).status == RunStatus.SUCCEEDED


def slice_without_progress(run: Run) -> Run:
    """Let the limit strike where the worker first asks whether it has to stop."""

    def strike() -> bool:
        raise SoftTimeLimitExceeded

    Runner(run.pk, must_stop=strike, out_of_time=(SoftTimeLimitExceeded,)).advance()
    run.refresh_from_db()
    return run


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("ask", "status"), [(runs.pause, RunStatus.PAUSED), (runs.cancel, RunStatus.CANCELLED)]
)
def test_what_somebody_asked_for_meanwhile_stands(
    make_tokens: MakeTokens, ask: Callable[[Run], Run], status: RunStatus
) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired")

    def ask_and_strike(seen: Run) -> None:
        ask(seen)
        raise SoftTimeLimitExceeded

    assert slice_out_of_time(run, on_window=ask_and_strike).status == status


SHORT_STATEMENTS = {
    "LOCK_TIMEOUT_SECONDS": 30,
    "STATEMENT_TIMEOUT_SECONDS": 0.3,
    "WINDOW_MINIMUM_ROWS": 1,
    "WINDOW_INITIAL_ROWS": 64,
}


@contextmanager
def row_locked(token: str) -> Iterator[None]:
    """Have another client hold the row of `token` for the time of the block."""
    is_locked, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(AccessToken.objects.select_for_update().filter(token=token))
            is_locked.set()
            is_over.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_locked.wait(30)
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@on_postgresql
@override_settings(MAINTENANCE=SHORT_STATEMENTS)
def test_a_window_whose_statements_run_out_of_time_is_left_to_the_next_slice(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    """It is tried until the slice is over, under a lease that is renewed; the next one begins with a small window."""
    make_tokens(expired=40)
    run = runs.enqueue("clear_expired")
    leases: set[datetime | None] = set()

    def look_at_the_lease() -> bool:
        leases.add(Run.objects.get(windows=0).lease_until)
        return False

    with row_locked("expired 0"):
        Runner(run.pk, budget_seconds=0.8, must_stop=look_at_the_lease).advance()
    run.refresh_from_db()
    assert (run.status, run.rows, run.losses, run.lease_until) == (RunStatus.INTERRUPTED, 0, 1, None)
    tried = run.events.filter(kind=RunEvent.Kind.RETRIED).count()
    assert 1 <= tried < 6
    assert len(leases) >= tried
    assert run.window_rows == 64 // 2**tried
    assert run.sent is not None
    gave_back = run.events.get(kind=RunEvent.Kind.INTERRUPTED)
    assert gave_back.text == "OperationalError came again and again until the slice was over"
    finished = run_here(run)
    assert (finished.status, finished.rows, finished.losses) == (RunStatus.SUCCEEDED, 40, 0)
    first = WindowMark.unpack(finished.recent_windows[0])
    assert first.size == run.window_rows


@on_postgresql
@override_settings(MAINTENANCE=SHORT_STATEMENTS)
def test_a_window_that_runs_out_of_time_slice_after_slice_fails_the_run_with_its_reason(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    make_tokens(expired=5)
    run = runs.enqueue("clear_expired")
    with row_locked("expired 0"):
        for status in (RunStatus.INTERRUPTED, RunStatus.INTERRUPTED, RunStatus.FAILED):
            Runner(run.pk, budget_seconds=0.1).advance()
            run.refresh_from_db()
            assert run.status == status
    assert run.error_message.endswith("OperationalError came again and again until the slice was over.")
    assert run_here(runs.retry(run)).rows == 5
