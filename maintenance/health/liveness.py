"""Are there a worker, a beat and a broker?

A worker and beat are known by rows: each task that a worker takes says that it lives, and whose schedule sent it. A
worker on the wrong queue is found that way, too: what counts is a message that came by the queue of the runs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.timesince import timesince

from ..dispatch import find_broker_problem
from ..models import WAITING, Heartbeat, MaintenanceSwitch, Run
from ..settings import maintenance_settings
from .findings import Finding, Level

SETTLING = timedelta(hours=1)
"""How long after its installation a site may have neither worker nor beat."""
LONG_HOLD = timedelta(days=1)


def find_liveness(now: datetime) -> tuple[dict[str, Any], list[Finding]]:
    """Return when worker and beat were seen and whether the broker answers, with what is wrong with them."""
    worker = last_seen(Heartbeat.Role.WORKER, queue=maintenance_settings.QUEUE)
    beat = last_seen(Heartbeat.Role.BEAT)
    problem = find_broker_problem()
    waiting = waiting_since(now)
    is_beat_silent = _is_silent(beat, now, maintenance_settings.BEAT_SILENCE_SECONDS)
    findings = [
        *_beat(beat, now, is_silent=is_beat_silent),
        *_worker(worker, now, waiting=waiting, is_beat_silent=is_beat_silent),
        *_broker(problem, waiting),
        *_switch(now),
    ]
    figures = {
        "worker": {"seen": _text(worker)},
        "beat": {"seen": _text(beat)},
        "broker": {"reachable": problem is None},
        "waiting_since": _text(waiting),
    }
    return figures, findings


def last_seen(role: Heartbeat.Role, **filters: Any) -> datetime | None:
    """Return when a process of that role was seen last."""
    rows = Heartbeat.objects.using(router.db_for_write(Heartbeat)).filter(role=role, **filters)
    return rows.order_by("-seen").values_list("seen", flat=True).first()


def waiting_since(now: datetime) -> datetime | None:
    """Return since when the run waits that has waited longest for a worker, where that is too long."""
    limit = now - timedelta(seconds=maintenance_settings.WORKER_SILENCE_SECONDS)
    released = Q(not_before__isnull=True) | Q(not_before__lt=limit)
    runs = Run.objects.using(router.db_for_write(Run)).filter(released, status__in=WAITING)
    rows = runs.annotate(since=Coalesce("not_before", "heartbeat", "created")).filter(since__lt=limit)
    return rows.order_by("since").values_list("since", flat=True).first()


def installed_at() -> datetime | None:
    """Return when the app's first migration was applied."""
    migrations = MigrationRecorder.Migration.objects.using(router.db_for_write(Run))
    applied = migrations.filter(app="maintenance").order_by("applied").values_list("applied", flat=True)
    return applied.first()


def _beat(seen: datetime | None, now: datetime, *, is_silent: bool) -> list[Finding]:
    if not is_silent:
        return []
    todo = "Start it (celery -A <project> beat), and see that the schedule 'maintenance: sweep' is enabled."
    return [
        Finding(
            key="beat_silent",
            level=_level_of_silence(seen, now),
            message=f"Beat {_silence(seen, now)}: nothing scheduled runs. {todo}",
            since=seen,
        )
    ]


def _worker(
    seen: datetime | None, now: datetime, *, waiting: datetime | None, is_beat_silent: bool
) -> list[Finding]:
    """Judge the worker; while beat is silent nothing comes for it to answer, so only waiting runs tell."""
    is_silent = _is_silent(seen, now, maintenance_settings.WORKER_SILENCE_SECONDS)
    queue = maintenance_settings.QUEUE
    todo = f"Start one with: celery -A <project> worker --queues {queue}"
    if waiting is not None:
        moment = f"{waiting:%Y-%m-%d %H:%M %Z}"
        what = f"No worker takes the runs of the queue {queue!r}, the first of which waits since {moment}."
        if not is_silent:
            what = f"The workers are behind: a run waits since {moment}."
            todo = "Start more of them, or give them more processes (--concurrency)."
        level = Level.UNHEALTHY if is_silent else Level.WARNING
        return [Finding(key="runs_wait", level=level, message=f"{what} {todo}", since=waiting)]
    if not is_silent or (is_beat_silent and seen is not None):
        return []
    message = f"A worker on the queue {queue!r} {_silence(seen, now)}. {todo}"
    return [
        Finding(key="worker_silent", level=_level_of_silence(seen, now), message=message, since=seen),
    ]


def _broker(problem: str | None, waiting: datetime | None) -> list[Finding]:
    if problem is None:
        return []
    message = (
        f"The broker cannot be reached ({problem}). Nothing is lost: runs are in the database and go on once it is "
        "back. See to the broker, and to CELERY_BROKER_URL."
    )
    level = Level.UNHEALTHY if waiting is not None else Level.WARNING
    return [Finding(key="broker_unreachable", level=level, message=message)]


def _switch(now: datetime) -> list[Finding]:
    held = MaintenanceSwitch.find_hold()
    if held is None:
        return []
    is_long = held.since is not None and now - held.since > LONG_HOLD
    reason = held.hold_reason[0].upper() + held.hold_reason[1:]
    return [
        Finding(
            key="held_all",
            level=Level.WARNING if is_long else Level.INFO,
            message=f"{reason}. Release it when the reason is over: manage.py maintenance_runs release",
            since=held.since,
        )
    ]


def _is_silent(seen: datetime | None, now: datetime, seconds: float) -> bool:
    return seen is None or now - seen > timedelta(seconds=seconds)


def _level_of_silence(seen: datetime | None, now: datetime) -> Level:
    """Never seen is no alarm while a site is being set up."""
    if seen is not None:
        return Level.WARNING
    installed = installed_at()
    return Level.WARNING if installed is not None and now - installed > SETTLING else Level.INFO


def _silence(seen: datetime | None, now: datetime) -> str:
    return "was never seen" if seen is None else f"was last seen {timesince(seen, now, depth=1)} ago"


def _text(moment: datetime | None) -> str | None:
    return timezone.localtime(moment).isoformat() if moment else None
