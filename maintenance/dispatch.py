"""Sends the one message there is: go on with run R."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import router, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from .exceptions import UnknownOperation
from .models import Run
from .operations import OperationKind, get_operation
from .settings import maintenance_settings

logger = logging.getLogger(__name__)

ADVANCE = "maintenance.tasks.advance"
PULSE = "maintenance.tasks.pulse"
PULSE_EXPIRES_SECONDS = 60
SOFT_LIMIT_SECONDS, TIME_LIMIT_SECONDS = 60, 120
"""Of a slice, as a last resort: after the first it is asked to stop where it is, after the second it is killed."""
VISIBILITY_TRANSPORTS = {"redis", "rediss", "valkey", "valkeys", "sentinel"}
VISIBILITY_SECONDS = 3600.0
"""Of those transports, unless broker_transport_options say otherwise."""
PUBLISH_OPTIONS: dict[str, Any] = {
    "retry": True,
    "retry_policy": {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2},
    "ignore_result": True,
}
"""A caller that enqueues must not hang when the broker is away: the sweep sends what could not be sent."""


def send_on_commit(run: Run) -> None:
    """Send the message for `run` once the transaction that this thread is in, if any, has committed."""
    transaction.on_commit(lambda: send(run), using=router.db_for_write(Run))


def send(run: Run) -> bool:
    """Send the message for `run` now; returns whether the broker took it."""
    try:
        current_app.send_task(
            ADVANCE,
            args=[str(run.pk)],
            queue=maintenance_settings.QUEUE,
            priority=_priority(run),
            **PUBLISH_OPTIONS,
        )
    except (OperationalError, OSError) as error:
        logger.warning(
            "the broker did not take a message; the sweep will send it again",
            extra={"action": "message_not_sent", "run": str(run.pk), "error": type(error).__name__},
        )
        return False
    Run.objects.filter(pk=run.pk).update(sent=timezone.now())
    return True


def send_pulse() -> bool:
    """Ask for a sign of life by the queue of the runs; returns whether the broker took it."""
    try:
        current_app.send_task(
            PULSE, queue=maintenance_settings.QUEUE, expires=PULSE_EXPIRES_SECONDS, **PUBLISH_OPTIONS
        )
    except (OperationalError, OSError):
        return False
    return True


def find_broker_problem() -> str | None:
    """Return why the broker cannot be reached, the class of the error; None where it can.

    Takes BROKER_TIMEOUT_SECONDS at most. A site whose tasks run at once, without a broker, needs none.
    """
    if current_app.conf.task_always_eager:
        return None
    seconds = maintenance_settings.BROKER_TIMEOUT_SECONDS
    connection = current_app.connection_for_write(
        connect_timeout=seconds,
        transport_options={"socket_connect_timeout": seconds, "socket_timeout": seconds, "max_retries": 0},
    )
    try:
        with connection:
            connection.ensure_connection(max_retries=1, timeout=seconds, interval_start=1)
            connection.channel()  # with Redis, the first word with the server
    except Exception as error:
        # each transport has errors of its own, and any of them means the same here
        return type(error).__name__
    return None


def find_visibility_seconds() -> Any:
    """Return after how long the broker gives a message that a worker has to another one, as the site set it.

    None where the broker knows no such time. Told by the scheme of its URL: no connection is opened.
    """
    conf = current_app.conf
    if conf.task_always_eager:
        return None
    urls = conf.broker_read_url or conf.broker_url or ""
    first = (urls if isinstance(urls, str) else next(iter(urls), "")).partition(";")[0]
    transport = first.partition("://")[0].partition("+")[0].lower()
    if transport not in VISIBILITY_TRANSPORTS:
        return None
    return (conf.broker_transport_options or {}).get("visibility_timeout", VISIBILITY_SECONDS)


def _priority(run: Run) -> int:
    """Return the priority of the run's messages: security before hygiene."""
    try:
        kind = get_operation(run.operation).kind
    except UnknownOperation:  # no longer installed: whoever works the run will say so on it
        kind = OperationKind.HYGIENE
    priorities = {
        OperationKind.SECURITY: maintenance_settings.PRIORITY_SECURITY,
        OperationKind.HYGIENE: maintenance_settings.PRIORITY_HYGIENE,
    }
    return int(priorities[kind])
