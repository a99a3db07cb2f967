"""The Celery tasks: thin triggers that have a run made, one slice of a run, and the sweep."""

from __future__ import annotations

import logging
import multiprocessing
from typing import Any

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_ready, worker_shutting_down

from . import runs
from .dispatch import SOFT_LIMIT_SECONDS, TIME_LIMIT_SECONDS, send_pulse
from .exceptions import TooSoon
from .heartbeats import note_heartbeat
from .models import Heartbeat, Trigger
from .operations import OperationKind, get_operation
from .runner import Runner
from .settings import maintenance_settings
from .snapshots import take_snapshot_if_due

logger = logging.getLogger(__name__)

_shutting_down = multiprocessing.Event()
"""Made at import, before a prefork pool forks: set in the main process, seen in its children."""


@worker_shutting_down.connect
def _stop_slices(**kwargs: Any) -> None:
    _shutting_down.set()


@worker_ready.connect
def _sweep_at_start(**kwargs: Any) -> None:
    sweep.delay()


@shared_task(bind=True, ignore_result=True)
def clear_expired(self: Task) -> str | None:
    """Have what is expired deleted; returns the run's id."""
    return _trigger(self, "clear_expired", {})


@shared_task(bind=True, ignore_result=True)
def purge_runs(self: Task, days: int | None = None) -> str | None:
    """Have the record of old runs deleted."""
    return _trigger(self, "purge_runs", {"days": days})


@shared_task(bind=True, ignore_result=True)
def revoke_user_tokens(self: Task, /, user_id: Any = None, **arguments: Any) -> str | None:
    """Have every token and code of a user revoked; other holders by the operation's other arguments."""
    return _trigger(self, "revoke_user_tokens", {"user_id": user_id, **arguments})


@shared_task(bind=True, ignore_result=True)
def cleanup_inactive_applications(self: Task, /, **arguments: Any) -> str | None:
    """Have applications removed that nobody has used."""
    return _trigger(self, "cleanup_inactive_applications", arguments)


@shared_task(bind=True, ignore_result=True)
def migrate_token_scopes(self: Task, /, old: str, new: str = "", **arguments: Any) -> str | None:
    """Have a scope replaced in tokens and codes."""
    return _trigger(self, "migrate_token_scopes", {"old": old, "new": new, **arguments})


@shared_task(bind=True, ignore_result=True)
def run_operation(self: Task, /, operation: str, **arguments: Any) -> str | None:
    """Have any registered operation run: for schedules of a site's own."""
    return _trigger(self, operation, arguments)


@shared_task(
    bind=True,
    ignore_result=True,
    acks_late=True,
    soft_time_limit=SOFT_LIMIT_SECONDS,
    time_limit=TIME_LIMIT_SECONDS,
)
def advance(self: Task, run_id: str) -> None:
    """Work one slice of the run."""
    _note_worker(self)
    Runner(
        run_id,
        budget_seconds=maintenance_settings.SLICE_SECONDS,
        must_stop=_shutting_down.is_set,
        out_of_time=(SoftTimeLimitExceeded,),
    ).advance()


@shared_task(bind=True, ignore_result=True)
def sweep(self: Task) -> int:
    """Send on what waits and take back what was lost; returns how many runs that were. Then the hour's figures."""
    if _is_scheduled(self):
        note_heartbeat(Heartbeat.Role.BEAT, "beat")
    if _note_worker(self) != maintenance_settings.QUEUE:
        send_pulse()
    swept = len(runs.sweep())
    take_snapshot_if_due()
    return swept


@shared_task(bind=True, ignore_result=True)
def pulse(self: Task) -> None:
    """Show that a worker takes what comes by the queue of the runs."""
    _note_worker(self)


def _note_worker(task: Task) -> str:
    """Write that the worker lives that has taken `task`; returns the queue. Outside of a worker: none to see to."""
    request = task.request
    if request.called_directly or request.is_eager:
        return maintenance_settings.QUEUE
    queue = str((request.delivery_info or {}).get("routing_key") or "")
    note_heartbeat(Heartbeat.Role.WORKER, str(request.hostname), queue=queue)
    return queue


def _is_scheduled(task: Task) -> bool:
    return bool(getattr(task.request, "periodic_task_name", None))


def _trigger(task: Task, operation: str, arguments: dict[str, Any]) -> str | None:
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        run = runs.request_run(
            operation, given, trigger=Trigger.SCHEDULE if _is_scheduled(task) else Trigger.CODE
        )
    except TooSoon as too_soon:
        logger.warning(str(too_soon), extra={"action": "run_too_soon", "operation": operation})
        return None
    if get_operation(operation).kind is OperationKind.SECURITY:
        advance(str(run.pk))  # at once: a small one is over before its message would have come round
    return str(run.pk)
