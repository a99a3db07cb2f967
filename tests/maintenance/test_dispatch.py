"""The message: which goes first, and what becomes of it where there is no broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery, current_app
from django.contrib.auth import get_user_model
from django.db import transaction
from kombu import Queue

from maintenance import runs
from maintenance.dispatch import ADVANCE
from maintenance.models import RunStatus
from tests.servers import free_port

QUEUE = "maintenance"

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@contextmanager
def broker_at(url: str) -> Iterator[None]:
    """Have the broker at `url` be the one of this thread's Celery app."""
    before = current_app._get_current_object()
    app = Celery("dispatching", broker=url, set_as_current=False)
    app.conf.broker_connection_timeout = 2
    app.set_current()
    try:
        yield
    finally:
        before.set_current()
        app.close()


@pytest.fixture
def broker(redis_url: str) -> Iterator[None]:
    with broker_at(redis_url):
        received()
        yield


def received() -> list[str]:
    """Take the messages that wait and return their runs, in the order in which a worker gets them."""
    found = []
    with current_app.connection_for_write() as connection:
        queue = Queue(QUEUE)(connection.default_channel)
        queue.declare()
        while message := queue.get(no_ack=True):
            assert message.headers["task"] == ADVANCE
            found.append(json.loads(message.body)[0][0])
    return found


def test_security_goes_before_hygiene(broker: None) -> None:
    user = get_user_model().objects.create_user("ann")
    hygiene = runs.enqueue("clear_expired")
    security = runs.enqueue("revoke_user_tokens", user_id=user.pk)
    assert received() == [str(security.pk), str(hygiene.pk)]


def test_nothing_is_sent_before_the_transaction_has_committed(broker: None) -> None:
    with transaction.atomic():
        run = runs.enqueue("clear_expired")
        assert received() == []
    assert received() == [str(run.pk)]


def test_without_a_broker_the_caller_has_its_run_soon_and_the_sweep_sends_it(broker: None) -> None:
    with broker_at(f"redis://127.0.0.1:{free_port()}/0"):
        run = runs.enqueue("clear_expired")
    run.refresh_from_db()
    assert (run.status, run.sent) == (RunStatus.ENQUEUED, None)
    assert [swept.pk for swept in runs.sweep()] == [run.pk]
    assert received() == [str(run.pk)]
