"""The state machine as a table: every arrow is taken or refused, by one UPDATE."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connections

from maintenance import runs
from maintenance.exceptions import RunNotStored, TransitionRefused
from maintenance.models import (
    ACTIVE,
    ENDED,
    HELD_BY_WORKER,
    TRANSITIONS,
    AuditEvent,
    Run,
    RunStatus,
    Trigger,
    active_key,
)
from maintenance.record import RunRecord
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers


def stored_run(status: RunStatus) -> Run:
    key = None if status in ENDED else active_key("clear_expired", {})
    return Run.objects.create(operation="clear_expired", trigger=Trigger.CODE, status=status, active_key=key)


@pytest.mark.django_db
@pytest.mark.parametrize("after", RunStatus)
@pytest.mark.parametrize("before", RunStatus)
def test_a_run_moves_along_the_arrows_and_nowhere_else(before: RunStatus, after: RunStatus) -> None:
    run = stored_run(before)
    if after in TRANSITIONS[before]:
        runs.move(run, after)
        assert Run.objects.get(pk=run.pk).status == after
        assert (Run.objects.get(pk=run.pk).active_key is None) == (after in ENDED or before in ENDED)
    else:
        with pytest.raises(TransitionRefused, match=f"is {before}; it cannot become {after}"):
            runs.move(run, after)
        assert Run.objects.get(pk=run.pk).status == before


PAUSED_BY = {
    RunStatus.ENQUEUED: RunStatus.PAUSED,
    RunStatus.RUNNING: RunStatus.PAUSING,
    RunStatus.INTERRUPTED: RunStatus.PAUSED,
}
CANCELLED_BY = {
    RunStatus.ENQUEUED: RunStatus.CANCELLED,
    RunStatus.RUNNING: RunStatus.CANCELLING,
    RunStatus.PAUSING: RunStatus.CANCELLING,
    RunStatus.PAUSED: RunStatus.CANCELLED,
    RunStatus.INTERRUPTED: RunStatus.CANCELLED,
}
RESUMED_BY = {RunStatus.PAUSED: RunStatus.ENQUEUED}
RETRIED_BY = {RunStatus.FAILED: RunStatus.ENQUEUED}


@pytest.mark.django_db
@pytest.mark.parametrize("before", RunStatus)
@pytest.mark.parametrize(
    ("control", "table"),
    [
        (runs.pause, PAUSED_BY),
        (runs.cancel, CANCELLED_BY),
        (runs.resume, RESUMED_BY),
        (runs.retry, RETRIED_BY),
    ],
    ids=["pause", "cancel", "resume", "retry"],
)
def test_what_each_control_does_in_each_status(
    control: Callable[..., Run], table: dict[RunStatus, RunStatus], before: RunStatus
) -> None:
    run = stored_run(before)
    if before in table:
        assert control(run, actor="somebody").status == table[before]
        assert run.events.get().actor == "somebody"
    else:
        with pytest.raises(TransitionRefused):
            control(run)
        assert Run.objects.get(pk=run.pk).status == before


def test_every_status_is_active_or_ended_and_every_end_is_reachable() -> None:
    assert set(ACTIVE) | set(ENDED) == set(RunStatus)
    assert set(TRANSITIONS) == set(RunStatus)
    assert set(HELD_BY_WORKER) < set(ACTIVE)
    assert {after for targets in TRANSITIONS.values() for after in targets} == set(RunStatus)


@pytest.mark.django_db
def test_a_failed_run_is_not_retried_beside_an_active_one_of_the_same_work() -> None:
    failed = stored_run(RunStatus.FAILED)
    active = runs.enqueue("clear_expired")
    with pytest.raises(TransitionRefused, match="replaced by an active run"):
        runs.retry(failed)
    runs.cancel(active)
    assert runs.retry(failed).status == RunStatus.ENQUEUED


def side_by_side(*work: Callable[[], Any]) -> list[Any]:
    """Run the functions at the same time, each in a thread and on a connection of its own."""
    gate, results = threading.Barrier(len(work)), []

    def go(function: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results.append(function())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@on_every_engine
def test_of_many_requests_for_the_same_work_one_makes_the_run(engine: EngineDatabase) -> None:
    made = side_by_side(*[lambda: runs.enqueue("clear_expired")] * 4)
    assert len({run.pk for run in made}) == 1
    assert sorted(run.is_new for run in made) == [False, False, False, True]
    assert Run.objects.count() == 1


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_a_run_that_the_database_refuses_is_an_error_and_not_asked_for_without_end(
    engine: EngineDatabase,
) -> None:
    """The user who asks for it is gone: no other run stands in its way."""
    user = get_user_model().objects.create_user("ann")
    get_user_model().objects.filter(pk=user.pk).delete()
    with pytest.raises(RunNotStored, match="still exist") as refused:
        runs.request_run("clear_expired", {}, trigger=Trigger.CODE, requested_by=user)
    assert isinstance(refused.value.__cause__, IntegrityError)
    assert not Run.objects.exists()
    assert not AuditEvent.objects.exists()
    assert runs.enqueue("clear_expired").status == RunStatus.ENQUEUED


@on_servers
def test_of_two_workers_with_the_same_message_one_gets_the_run(engine: EngineDatabase) -> None:
    run = runs.enqueue("clear_expired")
    claims = side_by_side(*[lambda: RunRecord.claim(run.pk)] * 2)
    assert sorted(claim is None for claim in claims) == [False, True]
    run.refresh_from_db()
    assert (run.fence, run.attempts) == (1, 1)
