"""What happens to a run when a slice runs into the time limit of its task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.test import override_settings

from maintenance import runs
from maintenance.models import Run, RunEvent, RunStatus
from maintenance.runner import Runner, run_here
from maintenance.windows import WindowMark
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql

from .locks import row_locked

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
        "3 slices in a row ended without progress; the last time, the time limit of a task was reached."
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


def advance_until(run: Run, *, retries: int, look: Callable[[], object] = lambda: None) -> None:
    """Work a slice that is over once it has seen `retries`; `look` is called while it rests."""
    noted = run.events.filter(kind=RunEvent.Kind.RETRIED)
    enough = noted.count() + retries

    def spend() -> bool:
        look()
        if noted.count() >= enough:
            runner.slice.budget_seconds = 0.0
        return False

    runner = Runner(run.pk, budget_seconds=600.0, must_stop=spend)
    runner.advance()
    run.refresh_from_db()


@on_postgresql
@override_settings(MAINTENANCE=SHORT_STATEMENTS)
def test_a_window_whose_statements_run_out_of_time_is_left_to_the_next_slice(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    """It is tried until the slice is over, under a lease that is renewed; the next one begins with a small window."""
    make_tokens(expired=40)
    run = runs.enqueue("clear_expired")
    leases: set[datetime | None] = set()
    with row_locked("expired 0"):
        advance_until(
            run, retries=2, look=lambda: leases.add(Run.objects.values_list("lease_until", flat=True).get())
        )
    assert (run.status, run.rows, run.losses, run.lease_until) == (RunStatus.INTERRUPTED, 0, 1, None)
    tried = run.events.filter(kind=RunEvent.Kind.RETRIED).count()
    assert 2 <= tried < 6
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
            advance_until(run, retries=1)
            assert run.status == status
    assert run.error_message.endswith("OperationalError came again and again until the slice was over.")
    assert run_here(runs.retry(run)).rows == 5
