"""The loop: exact counts, one owner, stops between windows, goes on from the cursor."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.exceptions import InvalidArguments, TransitionRefused, UnknownOperation
from maintenance.models import Run, RunStatus
from maintenance.record import RunRecord
from maintenance.runner import Runner, run_here
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql

TABLE = "oauth2_provider_accesstoken"


@on_every_engine
def test_a_run_clears_what_is_expired_and_counts_it_exactly(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=25, live=3)
    run = run_here(runs.enqueue("clear_expired"), window_rows=10)
    assert (run.status, run.counts, run.progress) == (RunStatus.SUCCEEDED, {TABLE: 25}, 1.0)
    assert run.active_key is None
    assert AccessToken.objects.count() == 3


@on_every_engine
def test_a_run_that_is_interrupted_goes_on_from_its_cursor(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=25, live=3)
    run = runs.enqueue("clear_expired")
    seen: list[Run] = []
    for _ in range(100):
        seen.clear()
        Runner(run.pk, window_rows=10, must_stop=lambda: bool(seen), on_window=seen.append).advance()
        run.refresh_from_db()
        if run.status == RunStatus.SUCCEEDED:
            break
        assert run.status == RunStatus.INTERRUPTED
    assert run.counts == {TABLE: 25}
    assert run.attempts > 3


@on_every_engine
def test_a_worker_that_was_overtaken_changes_nothing(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=25)
    run = runs.enqueue("clear_expired")
    rivals: list[Run] = []

    def overtake(_: Run) -> None:
        if not rivals:
            Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            runs.sweep()
            rivals.append(run_here(run))

    Runner(run.pk, window_rows=10, on_window=overtake).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert run.counts == {TABLE: 25}
    assert not AccessToken.objects.exists()


@on_every_engine
def test_pause_cancel_and_resume_take_effect_within_one_window(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=40)
    run = runs.enqueue("clear_expired")
    Runner(run.pk, window_rows=10, on_window=lambda run: runs.pause(run) if run.rows else None).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.PAUSED, 10)
    runs.resume(run)
    Runner(run.pk, window_rows=10, on_window=lambda run: runs.cancel(run)).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.CANCELLED, 20)
    assert AccessToken.objects.count() == 20
    with pytest.raises(TransitionRefused):
        runs.resume(run)


@on_every_engine
def test_a_second_request_for_the_same_work_gets_the_active_run(engine: EngineDatabase) -> None:
    first, second = runs.enqueue("clear_expired"), runs.enqueue("clear_expired")
    assert first == second
    run_here(first)
    assert runs.enqueue("clear_expired") != first


@pytest.mark.django_db
def test_bad_requests_are_refused_before_a_run_exists() -> None:
    with pytest.raises(UnknownOperation, match="There are: cleanup_inactive_applications, clear_expired"):
        runs.enqueue("clear_everything")
    with pytest.raises(InvalidArguments, match="takes no such argument"):
        runs.enqueue("clear_expired", days=3)
    with pytest.raises(InvalidArguments, match="days"):
        runs.enqueue("purge_runs", days=-1)
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_the_third_worker_lost_without_progress_fails_the_run() -> None:
    run = runs.enqueue("clear_expired")
    for losses in (1, 2, 3):
        run.refresh_from_db()
        assert RunRecord.claim(run.pk)
        Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        runs.sweep()
        run.refresh_from_db()
        assert run.losses == losses
    assert (run.status, run.error_class) == (RunStatus.FAILED, "WorkerLost")
    runs.retry(run)
    assert run_here(run).status == RunStatus.SUCCEEDED


@pytest.mark.django_db
@override_settings(MAINTENANCE={"THROTTLE": lambda run: (30, "the site is busy")})
def test_a_held_run_says_why_and_until_when() -> None:
    run = runs.enqueue("clear_expired")
    Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert (run.status, run.hold_reason) == (RunStatus.INTERRUPTED, "the site is busy")
    assert run.not_before is not None
    assert run.not_before > timezone.now() + timedelta(seconds=20)
    assert runs.sweep() == []


def end_own_connection() -> None:
    """Have the server end the connection of this thread, unasked."""
    import psycopg

    parameters = connection.get_connection_params()
    own = connection.connection.info.backend_pid
    names = {name: parameters[name] for name in ("host", "user", "dbname")}
    with psycopg.connect(**names) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [own])


class Severing:
    """Asked between two windows, and while it rests, whether to stop: does not, but may end the connection.

    `at_most`: so often from one window to the next, however often it is asked.
    """

    def __init__(self, *, chance: float, at_most: int = 1000) -> None:
        self.chance, self.at_most, self.severed, self.since_window = chance, at_most, 0, 0
        self.random = random.Random(9)

    def __call__(self) -> bool:
        if self.since_window < self.at_most and self.random.random() < self.chance:
            end_own_connection()
            self.severed += 1
            self.since_window += 1
        return False

    def on_window(self, run: Run) -> None:
        self.since_window = 0


@on_postgresql
def test_connections_lost_between_windows_are_mended(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=60, live=3)
    severing = Severing(chance=0.6, at_most=2)
    run = run_here(
        runs.enqueue("clear_expired"), window_rows=10, must_stop=severing, on_window=severing.on_window
    )
    assert (run.status, run.counts) == (RunStatus.SUCCEEDED, {TABLE: 60}), run.error_message
    assert severing.severed >= 5
    assert AccessToken.objects.count() == 3


@on_postgresql
def test_a_connection_that_is_lost_again_and_again_fails_the_run(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5)
    run = run_here(runs.enqueue("clear_expired"), must_stop=Severing(chance=1))
    assert (run.status, run.error_class) == (RunStatus.FAILED, "OperationalError")
    assert AccessToken.objects.count() in (0, 5)
