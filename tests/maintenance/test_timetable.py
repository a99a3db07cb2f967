"""When schedules fire: in words, the next times, what daylight saving does; held against what beat really does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_beat.schedulers import ModelEntry

from maintenance import timetable

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2027, 3, 27, 12, tzinfo=UTC)
"""The day before the clocks of Berlin go from 02:00 to 03:00."""
AUTUMN = datetime(2027, 10, 30, 12, tzinfo=UTC)


def crontab(minute: str = "15", hour: str = "2", *, zone: str = "UTC", **fields: Any) -> PeriodicTask:
    days = {
        name: fields.pop(name) for name in ("day_of_week", "day_of_month", "month_of_year") if name in fields
    }
    timing = CrontabSchedule(minute=minute, hour=hour, timezone=zone, **days)
    return PeriodicTask(name="an entry", task="maintenance.tasks.clear_expired", crontab=timing, **fields)


def interval(every: int, period: str, **fields: Any) -> PeriodicTask:
    timing = IntervalSchedule(every=every, period=period)
    return PeriodicTask(name="an entry", task="maintenance.tasks.sweep", interval=timing, **fields)


def fired_by_beat(entry: PeriodicTask, start: datetime, end: datetime) -> list[datetime]:
    """Return when beat's own schedule is due between the two, asked each minute as beat would."""
    schedule = entry.crontab.schedule
    now, last, fired = start, start, []
    schedule.nowfun = lambda: now.astimezone(zone)
    zone = ZoneInfo(str(entry.crontab.timezone))
    while now < end:
        if schedule.is_due(last).is_due:
            fired.append(now)
            last = now
        now += timedelta(minutes=1)
    return fired


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (crontab(), "at 02:15, UTC"),
        (
            crontab("30", "3", day_of_week="0", zone="Europe/Berlin"),
            "at 03:30, only on Sunday, Europe/Berlin",
        ),
        (crontab("*/5", "*"), "every 5 minutes, UTC"),
        (interval(1, "minutes"), "every minute"),
        (interval(6, "hours"), "every 6 hours"),
        (PeriodicTask(task="x"), "never: it has no schedule"),
        (
            PeriodicTask(
                task="x", clocked=ClockedSchedule(clocked_time=datetime(2027, 1, 2, 3, 4, tzinfo=UTC))
            ),
            "once, on 2027-01-02 03:04, UTC",
        ),
        (
            PeriodicTask(task="x", solar=SolarSchedule(event="sunrise", latitude=52, longitude=13)),
            "at sunrise, at latitude 52, longitude 13",
        ),
    ],
)
def test_a_schedule_in_words(entry: PeriodicTask, words: str) -> None:
    assert timetable.in_words(entry) == words


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize(
    "entry",
    [
        crontab("30", "2", zone="Europe/Berlin"),
        crontab("15", "1,2,3", zone="Europe/Berlin"),
        crontab("0", "4", zone="Asia/Kolkata"),
        crontab("10", "2", day_of_week="0", zone="Europe/Berlin"),
    ],
)
def test_the_next_times_are_those_at_which_beat_fires(entry: PeriodicTask, start: datetime) -> None:
    end = start + timedelta(days=3)
    expected = fired_by_beat(entry, start, end)
    assert expected
    times = timetable.next_times(entry, count=len(expected), after=start)
    assert [time.astimezone(UTC) for time in times] == expected


def test_the_next_times_are_in_the_zone_of_the_entry() -> None:
    [time] = timetable.next_times(
        crontab("15", "2", zone="Europe/Berlin"), count=1, after=SPRING - timedelta(1)
    )
    assert (time.tzinfo, f"{time:%H:%M}") == (BERLIN, "02:15")


def test_a_leap_day_is_found() -> None:
    entry = crontab("0", "0", day_of_month="29", month_of_year="2")
    times = timetable.next_times(entry, count=2, after=datetime(2097, 1, 1, tzinfo=UTC))
    assert times == [datetime(2104, 2, 29, tzinfo=UTC)]  # 2100 is none, and the one after is too far


def test_a_start_an_expiry_and_once_bound_the_next_times() -> None:
    start = datetime(2027, 1, 10, tzinfo=UTC)
    entry = crontab(start_time=start, expires=start + timedelta(days=2))
    after = datetime(2027, 1, 1, tzinfo=UTC)
    assert timetable.next_times(entry, count=5, after=after) == [
        start + timedelta(days=number, hours=2, minutes=15) for number in (0, 1)
    ]
    assert len(timetable.next_times(crontab(one_off=True), after=after)) == 1
    assert timetable.next_times(crontab(one_off=True, total_run_count=1), after=after) == []
    assert timetable.next_times(PeriodicTask(task="x"), after=after) == []


def test_an_interval_counts_from_the_last_time_it_fired() -> None:
    last = datetime(2027, 1, 1, 10, tzinfo=UTC)
    entry = interval(6, "hours", last_run_at=last)
    after = last + timedelta(hours=13)
    assert timetable.next_times(entry, count=2, after=after) == [
        last + timedelta(hours=18),
        last + timedelta(hours=24),
    ]


def test_a_time_that_the_clocks_skip_is_warned_of() -> None:
    entry = crontab("30", "2", zone="Europe/Berlin")
    assert timetable.clock_change_warnings(entry, after=SPRING) == [
        "On 2027-03-28 the clocks of Europe/Berlin skip 02:30: it fires at 03:30 instead.",
        "On 2027-10-31 02:30 comes twice in Europe/Berlin: it fires the first time only.",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        crontab("30", "2"),
        crontab("30", "4", zone="Europe/Berlin"),
        crontab("*/5", "*", zone="Europe/Berlin"),
        crontab("30", "2", day_of_week="3", zone="Europe/Berlin"),
        interval(1, "hours"),
    ],
)
def test_no_clock_change_is_warned_of_where_it_changes_nothing(entry: PeriodicTask) -> None:
    assert timetable.clock_change_warnings(entry, after=SPRING) == []


def test_clock_changes_are_exact_to_the_minute() -> None:
    [change] = timetable.clock_changes(
        ZoneInfo("Australia/Lord_Howe"), after=datetime(2027, 3, 1, tzinfo=UTC), days=90
    )
    assert change.at == datetime(2027, 4, 3, 15, 0, tzinfo=UTC)
    assert change.last - change.first == timedelta(minutes=30)
    assert not change.is_forward


NOW = datetime(2027, 6, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entry", "since"),
    [
        (crontab(last_run_at=NOW - timedelta(hours=9, minutes=45)), None),
        (crontab(last_run_at=NOW - timedelta(days=2)), datetime(2027, 6, 10, 2, 15, tzinfo=UTC)),
        (crontab(date_changed=NOW - timedelta(hours=1)), None),
        (crontab(last_run_at=NOW - timedelta(days=2), enabled=False), None),
        (crontab(last_run_at=NOW - timedelta(days=2), expires=NOW - timedelta(days=1)), None),
        (crontab("55", "11", last_run_at=NOW - timedelta(days=1)), None),
        (interval(1, "minutes", last_run_at=NOW - timedelta(minutes=5)), None),
        (interval(1, "minutes", last_run_at=NOW - timedelta(hours=1)), NOW - timedelta(minutes=59)),
        (interval(1, "days", last_run_at=NOW - timedelta(days=3)), NOW - timedelta(days=2)),
    ],
)
def test_what_should_have_fired_is_overdue(entry: PeriodicTask, since: datetime | None) -> None:
    assert timetable.overdue_since(entry, now=NOW) == since


def test_a_run_of_the_operation_bears_witness_where_beat_forgot() -> None:
    entry = crontab(last_run_at=None, date_changed=NOW - timedelta(days=9))
    assert timetable.overdue_since(entry, now=NOW) is not None
    assert timetable.overdue_since(entry, now=NOW, last_run=NOW - timedelta(hours=9)) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kwargs": "{bad"}, "its keyword arguments are no JSON object"),
        ({"kwargs": "[]"}, "its keyword arguments are no JSON object"),
        ({"args": "{}"}, "its positional arguments are no JSON list"),
        ({"expires": datetime(2020, 1, 1, tzinfo=UTC)}, "it expired on 2020-01-01 00:00"),
        ({"one_off": True, "last_run_at": NOW}, "it was to run once, and did"),
        ({"crontab_id": None, "crontab": None}, "its schedule was deleted"),
        ({}, None),
        ({"enabled": True, "kwargs": "{bad"}, None),
    ],
)
def test_why_beat_turned_an_entry_off(db: None, fields: dict[str, Any], why: str | None) -> None:
    timing = CrontabSchedule.objects.create(minute="15", hour="2")
    entry = PeriodicTask(**{"task": "x", "enabled": False, "crontab": timing, **fields})
    assert timetable.disabled_by_beat(entry) == why


def test_beat_itself_disables_what_we_say_it_does(db: None) -> None:
    timing = CrontabSchedule.objects.create(minute="15", hour="2")
    entry = PeriodicTask.objects.create(name="bad", task="x", crontab=timing, kwargs="{bad")
    ModelEntry(entry)
    entry.refresh_from_db()
    assert not entry.enabled
    assert timetable.disabled_by_beat(entry) == "its keyword arguments are no JSON object"


@pytest.mark.parametrize(
    ("task", "kwargs", "name"),
    [
        ("maintenance.tasks.clear_expired", "{}", "clear_expired"),
        ("maintenance.tasks.run_operation", '{"operation": "clear_sessions"}', "clear_sessions"),
        ("maintenance.tasks.run_operation", "{bad", None),
        ("maintenance.tasks.run_operation", '{"operation": 3}', None),
        ("maintenance.tasks.sweep", "{}", None),
        ("site.tasks.clear_expired", "{}", None),
    ],
)
def test_the_operation_of_an_entry(task: str, kwargs: str, name: str | None) -> None:
    assert timetable.operation_name(PeriodicTask(task=task, kwargs=kwargs)) == name
