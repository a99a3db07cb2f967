"""The default schedules, as data: a migration installs them once, and from then on the rows are the site's.

An entry fires a trigger task of `maintenance.tasks`; times are UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One entry: at `crontab` (minute, hour, day of week), or each `every_minutes`."""

    name: str
    task: str
    description: str
    crontab: tuple[str, str, str] | None = None
    every_minutes: int | None = None
    is_enabled: bool = True
    expire_seconds: int | None = None
    """A message older than this is dropped: no pile after a worker was away."""


DEFAULT_SCHEDULES = (
    Schedule(
        name="maintenance: clear expired",
        task="maintenance.tasks.clear_expired",
        description="Deletes expired and revoked tokens, codes and pushed requests.",
        crontab=("15", "2", "*"),
        expire_seconds=6 * 3600,
    ),
    Schedule(
        name="maintenance: purge runs",
        task="maintenance.tasks.purge_runs",
        description="Deletes the record of runs that ended long ago.",
        crontab=("45", "3", "*"),
        expire_seconds=6 * 3600,
    ),
    Schedule(
        name="maintenance: sweep",
        task="maintenance.tasks.sweep",
        description="Goes on with runs whose message or worker was lost.",
        every_minutes=1,
        expire_seconds=60,
    ),
    Schedule(
        name="maintenance: clean up inactive applications",
        task="maintenance.tasks.cleanup_inactive_applications",
        description="Removes applications that nobody has used. Off until an operator turns it on.",
        crontab=("30", "3", "0"),
        is_enabled=False,
        expire_seconds=6 * 3600,
    ),
)


def install(apps: Any, using: str) -> None:
    """Create the entries that are not there, with the models of `apps`; what is there stays as it is."""
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(using)
    for schedule in DEFAULT_SCHEDULES:
        if tasks.filter(name=schedule.name).exists():
            continue
        tasks.create(
            name=schedule.name,
            task=schedule.task,
            description=schedule.description,
            enabled=schedule.is_enabled,
            expire_seconds=schedule.expire_seconds,
            args=json.dumps([]),
            kwargs=json.dumps({}),
            **_timing(apps, using, schedule),
        )


def _timing(apps: Any, using: str, schedule: Schedule) -> dict[str, Any]:
    if schedule.crontab is None:
        intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(using)
        fields = {"every": schedule.every_minutes, "period": "minutes"}
        return {"interval": intervals.filter(**fields).first() or intervals.create(**fields)}
    minute, hour, day_of_week = schedule.crontab
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects.using(using)
    fields = {
        "minute": minute,
        "hour": hour,
        "day_of_week": day_of_week,
        "day_of_month": "*",
        "month_of_year": "*",
        "timezone": "UTC",
    }
    return {"crontab": crontabs.filter(**fields).first() or crontabs.create(**fields)}
