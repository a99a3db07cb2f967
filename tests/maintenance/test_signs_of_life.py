"""The tasks that a worker takes say that it lives, on which queue, and that beat sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from maintenance import runs, tasks
from maintenance.models import Heartbeat
from tests.celery import app

pytestmark = pytest.mark.django_db


@contextmanager
def taken_by_a_worker(task: Any, *, queue: str, **request: Any) -> Iterator[None]:
    """Have `task` see the request that a worker gives it."""
    delivery = {"exchange": "", "routing_key": queue, "redelivered": False}
    task.push_request(
        called_directly=False, is_eager=False, hostname="celery@here", delivery_info=delivery, **request
    )
    try:
        yield
    finally:
        task.pop_request()


def seen() -> set[tuple[str, str, str]]:
    return set(Heartbeat.objects.values_list("role", "name", "queue"))


def messages(queue: str) -> list[str]:
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        found = []
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            found.append(message.headers["task"])
        return found


def empty_queues() -> None:
    with app.connection_for_write() as connection:
        for queue in ("maintenance", "celery"):
            connection.default_channel.queue_declare(queue)
            connection.default_channel.queue_purge(queue)


def test_a_scheduled_sweep_shows_beat_and_worker() -> None:
    with taken_by_a_worker(tasks.sweep, queue="maintenance", periodic_task_name="maintenance: sweep"):
        tasks.sweep.run()
    assert seen() == {("beat", "beat", ""), ("worker", "celery@here", "maintenance")}


def test_a_sweep_at_the_start_of_a_worker_is_no_sign_of_beat() -> None:
    with taken_by_a_worker(tasks.sweep, queue="maintenance"):
        tasks.sweep.run()
    assert seen() == {("worker", "celery@here", "maintenance")}


def test_a_sweep_by_another_queue_asks_for_a_pulse_by_that_of_the_runs() -> None:
    empty_queues()
    with taken_by_a_worker(tasks.sweep, queue="celery"):
        tasks.sweep.run()
    assert seen() == {("worker", "celery@here", "celery")}
    assert messages("maintenance") == ["maintenance.tasks.pulse"]
    with taken_by_a_worker(tasks.pulse, queue="maintenance"):
        tasks.pulse.run()
    assert ("worker", "celery@here", "maintenance") in seen()


def test_a_slice_is_a_sign_of_life() -> None:
    run = runs.enqueue("clear_expired")
    with taken_by_a_worker(tasks.advance, queue="maintenance"):
        tasks.advance.run(str(run.pk))
    assert seen() == {("worker", "celery@here", "maintenance")}


def test_what_is_called_by_hand_shows_nobody() -> None:
    tasks.sweep()
    assert seen() == set()
