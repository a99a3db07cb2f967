"""What makes a hygiene run rest between two windows: it yields to live traffic.

Each check returns None, or a Hold that says for how long and why. Security operations are never asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connections
from django.utils import timezone

from .models import MaintenanceSwitch, Run
from .settings import maintenance_settings

SWITCH_SECONDS = 600.0
"""How long a run that the switch holds waits before it looks again; to release it sends it on at once."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A run rests for `seconds`, because of `reason`."""

    seconds: float
    reason: str


Check = Callable[[Run, str], Hold | None]


def find_hold(run: Run, using: str) -> Hold | None:
    """Return why `run`, working on the database `using`, must rest now; None where it may go on."""
    for check in (_switch, _time_window, _replication_lag, _site_throttle):
        hold = check(run, using)
        if hold is not None:
            return hold
    return None


def find_switch_hold() -> Hold | None:
    """Return the hold of the site's switch; None where it is off. It holds whoever works the run."""
    switch = MaintenanceSwitch.find_hold()
    return Hold(seconds=SWITCH_SECONDS, reason=switch.hold_reason) if switch is not None else None


def rest_seconds(worked_seconds: float, using: str, *, is_urgent: bool = False) -> float:
    """Return how long to rest after a window on `using`: NICE_RATIO times what it took, unless it `is_urgent`.

    Half a lease at most. On SQLite even what is urgent rests as long as it took, up to WINDOW_REST_SECONDS_SQLITE. Its
    writers do not queue: who waits for the lock looks again after a while, about as long as it has waited and up to
    25 ms at first, and takes it where it is free at that moment. Between windows without a rest it hardly ever is.
    """
    longest = float(maintenance_settings.LEASE_SECONDS) / 2
    rest = 0.0 if is_urgent else float(maintenance_settings.NICE_RATIO) * worked_seconds
    if connections[using].vendor == "sqlite":
        rest = max(rest, min(worked_seconds, float(maintenance_settings.WINDOW_REST_SECONDS_SQLITE)))
    return min(rest, longest)


def is_over_time(run: Run) -> bool:
    """Tell whether `run` has worked longer than RUN_SECONDS since it began, or was resumed.

    Of a sharded run, each shard is asked.
    """
    limit = maintenance_settings.RUN_SECONDS
    return limit is not None and run.shards == 1 and run.seconds_worked - run.seconds_before >= limit


def parse_time_window(text: str) -> tuple[time, time]:
    """Return the two times of "01:00-05:00". Raises ValueError."""
    begin, _, end = text.partition("-")
    return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())


def seconds_until_open(window: str, zone: str, now: datetime) -> float:
    """Return how long it is until the daily `window` opens; 0 while it is open. It may span midnight."""
    begin, end = parse_time_window(window)
    local = now.astimezone(ZoneInfo(zone))
    here = local.time()
    is_open = begin <= here < end if begin < end else here >= begin or here < end
    if is_open:
        return 0.0
    opens = local.replace(hour=begin.hour, minute=begin.minute, second=begin.second, microsecond=0)
    if opens <= local:
        opens += timedelta(days=1)
    return (opens.astimezone(now.tzinfo) - now).total_seconds()


def _switch(run: Run, using: str) -> Hold | None:
    return find_switch_hold()


def _time_window(run: Run, using: str) -> Hold | None:
    window = maintenance_settings.TIME_WINDOW
    if not window:
        return None
    zone = maintenance_settings.TIME_WINDOW_ZONE
    seconds = seconds_until_open(window, zone, timezone.now())
    if not seconds:
        return None
    return Hold(seconds=seconds, reason=f"outside the time window {window} ({zone})")


def _replication_lag(run: Run, using: str) -> Hold | None:
    limit = maintenance_settings.REPLICATION_LAG_SECONDS
    connection = connections[using]
    if limit is None or connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication")
        (lag,) = cursor.fetchone()
    if lag is None or lag <= limit:
        return None
    return Hold(
        seconds=maintenance_settings.HOLD_SECONDS, reason=f"replication lag {lag:.1f} s > {limit:.1f} s"
    )


def _site_throttle(run: Run, using: str) -> Hold | None:
    throttle = maintenance_settings.throttle
    answer = throttle(run) if throttle is not None else None
    if answer is None:
        return None
    seconds, reason = answer
    return Hold(seconds=float(seconds), reason=str(reason))
