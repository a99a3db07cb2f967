"""When a schedule (an entry of django-celery-beat) fires: in words, the next times, what clock changes do to it.

Times follow the entry as beat does: a crontab's month, day of month and day of week must all match, by the clock of
the entry's zone; an interval counts from the last time it fired. `enabled` is not looked at, except where said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from cron_descriptor import (
    ExpressionDescriptor,
    FormatException,
    MissingFieldException,
    Options,
    WrongArgumentException,
)
from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone
from django.utils.translation import gettext as _

TASKS = "maintenance.tasks."
"""How the names of our tasks begin."""
DAYS_LOOKED_AHEAD = 366 * 8
"""29 February may be 8 years away."""
DAYS_OF_CLOCK_CHANGES = 360
HOURS_OF_A_DAY = 24
OVERDUE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class ClockChange:
    """A moment at which the clocks of a zone are put forward or back; `first` and `last` bound the local times that
    are skipped, or come twice (`last` exclusive, both without a zone)."""

    at: datetime
    first: datetime
    last: datetime
    is_forward: bool


def operation_name(entry: Any) -> str | None:
    """Return the operation that `entry` has run; None for the sweep and for tasks that are not ours."""
    name = entry.task.removeprefix(TASKS) if entry.task.startswith(TASKS) else ""
    if name in ("", "sweep", "advance"):
        return None
    if name != "run_operation":
        return name
    keywords = read_json(entry.kwargs, default={})
    given = keywords.get("operation") if isinstance(keywords, dict) else None
    return given if isinstance(given, str) else None


def read_json(text: str | None, *, default: Any) -> Any:
    """Return the value of `text`; `default` where it is empty, None where it is no JSON."""
    if not text:
        return default
    try:
        return json.loads(text)
    except ValueError:
        return None


def zone_of(entry: Any) -> tzinfo:
    """Return the zone by whose clock `entry` fires: a crontab's own, else the site's."""
    return ZoneInfo(str(entry.crontab.timezone)) if entry.crontab else timezone.get_default_timezone()


def in_words(entry: Any) -> str:
    """Return when `entry` fires, as a phrase: "at 02:15, Europe/Berlin", "every 5 minutes"."""
    if entry.interval:
        return _interval_in_words(entry.interval.every, entry.interval.period)
    if entry.crontab:
        return f"{_crontab_in_words(entry.crontab)}, {entry.crontab.timezone}"
    if entry.clocked:
        at = timezone.localtime(entry.clocked.clocked_time)
        return _("once, on %(when)s") % {
            "when": f"{at:%Y-%m-%d %H:%M}, {timezone.get_current_timezone_name()}"
        }
    if entry.solar:
        return _("at %(event)s, at latitude %(latitude)s, longitude %(longitude)s") % {
            "event": entry.solar.get_event_display().lower(),
            "latitude": entry.solar.latitude,
            "longitude": entry.solar.longitude,
        }
    return _("never: it has no schedule")


def next_times(entry: Any, *, count: int = 3, after: datetime | None = None) -> list[datetime]:
    """Return the next `count` times after `after` (now) that `entry` fires, in its zone; fewer where it ends."""
    after = after or timezone.now()
    if entry.one_off and entry.total_run_count:
        return []
    start = max(after, entry.start_time) if entry.start_time else after
    times: list[datetime] = []
    for time in _times(entry, start):
        if entry.expires and time >= entry.expires:
            break
        times.append(time)
        if len(times) >= (1 if entry.one_off else count):
            break
    return times


def last_due(entry: Any, *, before: datetime | None = None, since: datetime) -> datetime | None:
    """Return the latest time after `since` and not after `before` (now) that `entry` was to fire; None for none."""
    before = before or timezone.now()
    if entry.crontab:
        days = _days_back(before.astimezone(zone_of(entry)).date(), since.astimezone(zone_of(entry)).date())
        for day in days:
            times = [time for time in _times_of_day(entry, day) if since < time <= before]
            if times:
                return max(times)
        return None
    if entry.interval:
        length = _length(entry)
        passed = (before - since) // length
        return since + passed * length if passed > 0 else None
    if entry.clocked:
        return entry.clocked.clocked_time if since < entry.clocked.clocked_time <= before else None
    return None


def overdue_since(
    entry: Any, *, now: datetime | None = None, last_run: datetime | None = None
) -> datetime | None:
    """Return the time at which `entry`, enabled, was to fire last and did not; None where it is in time.

    Beat makes up for no daily entry that it missed by more than two hours, and forgets when an entry fired once it was
    disabled in the admin: `last_run`, when its operation was last run, bears witness too.
    """
    now = now or timezone.now()
    if not entry.enabled or (entry.one_off and entry.total_run_count):
        return None
    witnesses = [entry.last_run_at, entry.date_changed, entry.start_time, last_run]
    since = max((moment for moment in witnesses if moment is not None), default=None)
    if since is None or since > now or (entry.expires and entry.expires <= now):
        return None
    if entry.interval:
        due = since + _length(entry)
        return due if now - due > max(OVERDUE_AFTER, _length(entry)) else None
    return last_due(entry, before=now - OVERDUE_AFTER, since=since)


def disabled_by_beat(entry: Any) -> str | None:
    """Return why beat turned `entry` off, or would; None where nothing tells.

    Beat disables what it cannot read, what has expired and what was to run once; it says so in its log alone.
    """
    if entry.enabled:
        return None
    if not isinstance(read_json(entry.args, default=[]), list):
        return _("its positional arguments are no JSON list")
    if not isinstance(read_json(entry.kwargs, default={}), dict):
        return _("its keyword arguments are no JSON object")
    if not any((entry.interval_id, entry.crontab_id, entry.solar_id, entry.clocked_id)):
        return _("its schedule was deleted")
    if entry.expires and entry.expires <= timezone.now():
        return _("it expired on %(when)s") % {"when": f"{timezone.localtime(entry.expires):%Y-%m-%d %H:%M}"}
    if entry.one_off and entry.last_run_at:
        return _("it was to run once, and did")
    return None


def clock_change_warnings(entry: Any, *, after: datetime | None = None) -> list[str]:
    """Return what daylight saving does to `entry` in the coming year; nothing where it fires at other hours.

    Nothing either for what fires in every hour: an hour more or less is all the same to it.
    """
    if not entry.crontab or len(entry.crontab.schedule.hour) == HOURS_OF_A_DAY:
        return []
    return [
        warning
        for change in clock_changes(zone_of(entry), after=after or timezone.now())
        if (warning := _warning(entry, change))
    ]


def clock_changes(
    zone: tzinfo, *, after: datetime, days: int = DAYS_OF_CLOCK_CHANGES
) -> Iterator[ClockChange]:
    """Yield the clock changes of `zone` in the `days` after `after`, exact to the minute."""
    day = after.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for _day in range(days):
        following = day + timedelta(days=1)
        before, then = _offset(day, zone), _offset(following, zone)
        if before != then:
            yield _clock_change(_moment_of_change(day, following, zone), zone)
        day = following


# -- in words


def _interval_in_words(every: int, period: str) -> str:
    if every == 1:
        singular = {"days": _("day"), "hours": _("hour"), "minutes": _("minute"), "seconds": _("second")}
        return _("every %(period)s") % {"period": singular.get(period, period)}
    plural = {"days": _("days"), "hours": _("hours"), "minutes": _("minutes"), "seconds": _("seconds")}
    return _("every %(every)s %(period)s") % {"every": every, "period": plural.get(period, period)}


def _crontab_in_words(crontab: Any) -> str:
    fields = (
        crontab.minute,
        crontab.hour,
        crontab.day_of_month,
        crontab.month_of_year,
        crontab.day_of_week,
    )
    expression = " ".join(str(field).replace(" ", "") for field in fields)
    options = Options()
    options.use_24hour_time_format = True
    options.locale_code = "en_US"
    try:
        words = ExpressionDescriptor(expression, options).get_full_description()
    except (FormatException, MissingFieldException, WrongArgumentException, ValueError, IndexError):
        return expression
    return words[:1].lower() + words[1:]


# -- times


def _times(entry: Any, after: datetime) -> Iterator[datetime]:
    if entry.crontab:
        yield from _crontab_times(entry, after)
    elif entry.interval:
        yield from _interval_times(entry, after)
    elif entry.clocked:
        if entry.clocked.clocked_time > after:
            yield timezone.localtime(entry.clocked.clocked_time, timezone.get_default_timezone())
    elif entry.solar:
        yield from _solar_times(entry, after)


def _crontab_times(entry: Any, after: datetime) -> Iterator[datetime]:
    first = after.astimezone(zone_of(entry)).date()
    for number in range(DAYS_LOOKED_AHEAD):
        yield from (time for time in _times_of_day(entry, first + timedelta(days=number)) if time > after)


def _times_of_day(entry: Any, day: date) -> Iterator[datetime]:
    """Yield when the crontab fires on `day` of its zone, in order.

    A local time that is skipped fires as much later; one that comes twice, the first time.
    """
    zone = zone_of(entry)
    moments = {local.replace(tzinfo=zone).astimezone(UTC) for local in _local_times(entry, day)}
    yield from (moment.astimezone(zone) for moment in sorted(moments))


def _local_times(entry: Any, day: date) -> Iterator[datetime]:
    """Yield the local times of `day` that the crontab names, without a zone."""
    schedule = entry.crontab.schedule
    if (
        day.month not in schedule.month_of_year
        or day.day not in schedule.day_of_month
        or day.isoweekday() % 7 not in schedule.day_of_week
    ):
        return
    for hour in schedule.hour:
        for minute in schedule.minute:
            yield datetime(day.year, day.month, day.day, hour, minute)


def _days_back(last: date, first: date) -> Iterator[date]:
    for number in range(min((last - first).days + 1, DAYS_LOOKED_AHEAD)):
        yield last - timedelta(days=number)


def _interval_times(entry: Any, after: datetime) -> Iterator[datetime]:
    length = _length(entry)
    last = entry.last_run_at or entry.date_changed or after
    time = last + max(1, -((last - after) // length)) * length if last <= after else last + length
    while True:
        if time > after:
            yield time.astimezone(timezone.get_default_timezone())
        time += length


def _length(entry: Any) -> timedelta:
    return max(timedelta(**{entry.interval.period: entry.interval.every}), timedelta(microseconds=1))


def _solar_times(entry: Any, after: datetime) -> Iterator[datetime]:
    """Yield the next time alone: beat's own reckoning knows no other, and needs the package ephem."""
    try:
        remaining = entry.schedule.remaining_estimate(after)
    except (ImportError, ValueError, ObjectDoesNotExist):
        return
    yield (timezone.now() + remaining).astimezone(timezone.get_default_timezone())


# -- clock changes


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _moment_of_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first minute with the offset of `after`, between the two."""
    low, high = 0, int((after - before).total_seconds() // 60)
    while high - low > 1:
        middle = (low + high) // 2
        moment = before + timedelta(minutes=middle)
        low, high = (middle, high) if _offset(moment, zone) == _offset(before, zone) else (low, middle)
    return before + timedelta(minutes=high)


def _clock_change(moment: datetime, zone: tzinfo) -> ClockChange:
    old = (moment + _offset(moment - timedelta(minutes=1), zone)).replace(tzinfo=None)
    new = (moment + _offset(moment, zone)).replace(tzinfo=None)
    return ClockChange(at=moment, first=min(old, new), last=max(old, new), is_forward=new > old)


def _warning(entry: Any, change: ClockChange) -> str | None:
    days = {change.first.date(), (change.last - timedelta(minutes=1)).date()}
    local = [time for day in sorted(days) for time in _local_times(entry, day)]
    hit = sorted(time for time in local if change.first <= time < change.last)
    if not hit:
        return None
    values = {
        "zone": entry.crontab.timezone,
        "day": f"{hit[0]:%Y-%m-%d}",
        "times": _listed(hit),
        "forward": f"{hit[0] + (change.last - change.first):%H:%M}",
    }
    if change.is_forward:
        return (
            _("On %(day)s the clocks of %(zone)s skip %(times)s: it fires at %(forward)s instead.") % values
        )
    return _("On %(day)s %(times)s comes twice in %(zone)s: it fires the first time only.") % values


def _listed(times: list[datetime]) -> str:
    if len(times) <= 3:
        return ", ".join(f"{time:%H:%M}" for time in times)
    return _("%(first)s to %(last)s") % {"first": f"{times[0]:%H:%M}", "last": f"{times[-1]:%H:%M}"}
