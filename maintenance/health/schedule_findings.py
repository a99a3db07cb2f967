"""Schedules that did not bring about the run they should have, and those that beat has turned off.

Beat does not make up a daily schedule that it missed by more than two hours, and says nothing. So the record of runs
is held against the schedule, in the schedule's own zone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django_celery_beat.models import PeriodicTask

from ..exceptions import InvalidArguments, UnknownOperation
from ..models import Run
from ..operations import Operation, get_operation
from ..settings import maintenance_settings
from .findings import Finding, Level

TASKS = "maintenance.tasks."
NO_OPERATIONS = ("sweep", "pulse", "advance")
GRAVE = 3
"""So many missed times in a row are an outage."""
LOOKED_BACK_DAYS = 370
SLACK = timedelta(minutes=1)


def find_schedules(now: datetime) -> tuple[dict[str, Any], list[Finding]]:
    """Return the names of schedules that were missed, and what is wrong with schedules."""
    entries = PeriodicTask.objects.filter(task__startswith=TASKS).select_related(
        "crontab", "interval", "clocked"
    )
    findings = [finding for entry in entries.order_by("name") for finding in judge(entry, now)]
    missed = {finding.schedule for finding in findings if finding.key == "schedule_missed"}
    names = sorted(entry.name for entry in entries if entry.pk in missed)
    return {"missed_schedules": names}, findings


def judge(entry: Any, now: datetime) -> list[Finding]:
    """Return what is wrong with one schedule, a PeriodicTask; also for its page."""
    task = entry.task.removeprefix(TASKS)
    problem = _problem(entry, now)
    if not entry.enabled:
        return [_disabled_by_beat(entry, problem)] if problem else []
    if task in NO_OPERATIONS:
        return []
    try:
        operation, arguments = _work(entry, task)
    except (InvalidArguments, UnknownOperation, ValueError) as error:
        return [_invalid(entry, problem or str(error))]
    return _overdue(entry, operation, arguments, now)


def missed_times(entry: Any, *, since: datetime, before: datetime) -> list[datetime]:
    """Return when `entry` was due after `since` and until `before`, the latest first, three at most."""
    found: list[datetime] = []
    for due in _due_times(entry, since=since, before=before):
        if due <= since + SLACK or len(found) == GRAVE:
            break
        found.append(due)
    return found


def _overdue(entry: Any, operation: Operation, arguments: dict[str, Any], now: datetime) -> list[Finding]:
    last = (
        Run.objects.using(router.db_for_write(Run))
        .filter(operation=operation.name, arguments=arguments, parent=None)
        .order_by("-created")
        .first()
    )
    since = _reference(entry, last, operation)
    before = now - timedelta(seconds=maintenance_settings.SCHEDULE_GRACE_SECONDS)
    missed = missed_times(entry, since=since, before=before)
    if not missed:
        return []
    often = f"{GRAVE} times or more" if len(missed) == GRAVE else ("twice" if len(missed) == 2 else "once")
    cause = "beat sent it, but no worker took it" if _was_sent(entry, missed[0]) else "beat was not up"
    return [
        Finding(
            key="schedule_missed",
            level=Level.UNHEALTHY if len(missed) == GRAVE else Level.WARNING,
            message=f"{entry.name}: was due {often} and did not run, the last time at {missed[0]:%Y-%m-%d %H:%M %Z}; "
            f"{cause}. It is not made up for: run {operation.name} now.",
            since=missed[-1],
            schedule=entry.pk,
        )
    ]


def _reference(entry: Any, last: Run | None, operation: Operation) -> datetime:
    """Return from when on the entry owes a run: its last run, or the moment when somebody changed it.

    Beat writes to the entry as well, when it sends it: that is no change.
    """
    is_beats = entry.last_run_at is not None and abs(entry.date_changed - entry.last_run_at) < timedelta(
        minutes=10
    )
    changed = entry.last_run_at - SLACK * 2 if is_beats else entry.date_changed
    if last is None:
        return changed
    covered = last.created + timedelta(seconds=operation.minimum_interval_seconds)
    return covered if is_beats else max(covered, changed)


def _was_sent(entry: Any, due: datetime) -> bool:
    return entry.last_run_at is not None and entry.last_run_at >= due - SLACK


def _due_times(entry: Any, *, since: datetime, before: datetime) -> Iterator[datetime]:
    """Yield the times when `entry` was due until `before`, the latest first. Solar schedules are not judged."""
    if entry.crontab is not None:
        yield from _crontab_times(entry.crontab, before)
    elif entry.interval is not None:
        every = entry.interval.schedule.run_every
        for number in range(int((before - since) / every), 0, -1):
            yield since + number * every
    elif entry.clocked is not None and entry.clocked.clocked_time <= before:
        yield entry.clocked.clocked_time


def _crontab_times(crontab: Any, before: datetime) -> Iterator[datetime]:
    """Yield when `crontab` was due, backwards. As Celery has it: day of month and day of week must both fit."""
    schedule, zone = crontab.schedule, crontab.timezone
    today = before.astimezone(zone).date()
    for back in range(LOOKED_BACK_DAYS):
        day = today - timedelta(days=back)
        if (
            day.month not in schedule.month_of_year
            or day.day not in schedule.day_of_month
            or day.isoweekday() % 7 not in schedule.day_of_week
        ):
            continue
        for hour in sorted(schedule.hour, reverse=True):
            for minute in sorted(schedule.minute, reverse=True):
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                if due <= before:
                    yield due


def _work(entry: Any, task: str) -> tuple[Operation, dict[str, Any]]:
    """Return what the entry has run. Raises InvalidArguments, UnknownOperation and ValueError."""
    arguments = json.loads(entry.kwargs or "{}")
    if not isinstance(arguments, dict):
        raise ValueError("its keyword arguments are no JSON object")
    name = arguments.pop("operation", "") if task == "run_operation" else task
    operation = get_operation(name)
    given = {name: value for name, value in arguments.items() if value is not None}
    return operation, operation.clean(given)


def _problem(entry: Any, now: datetime) -> str:
    """Return why beat turns the entry off, or nothing."""
    for text, what in ((entry.args, "arguments"), (entry.kwargs, "keyword arguments")):
        try:
            json.loads(text or "[]")
        except ValueError:
            return f"its {what} are no JSON"
    if entry.expires is not None and entry.expires <= now:
        return f"it expired at {entry.expires:%Y-%m-%d %H:%M %Z}"
    if not any((entry.crontab, entry.interval, entry.clocked, entry.solar_id)):
        return "it has no times"
    return ""


def _disabled_by_beat(entry: Any, problem: str) -> Finding:
    return Finding(
        key="schedule_disabled_by_beat",
        level=Level.WARNING,
        message=f"{entry.name}: is off, and beat would turn it off again: {problem}. Mend and enable it, or delete it.",
        since=entry.date_changed,
        schedule=entry.pk,
    )


def _invalid(entry: Any, problem: str) -> Finding:
    return Finding(
        key="schedule_invalid",
        level=Level.WARNING,
        message=f"{entry.name}: cannot run: {problem} Mend its task and arguments.",
        since=entry.date_changed,
        schedule=entry.pk,
    )
