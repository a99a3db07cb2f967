"""What the dashboard shows: a card for each operation, the token tables, what came and went. Bounded queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from .. import charts, timetable
from ..exceptions import InvalidArguments
from ..models import ACTIVE, Run, RunStatus
from ..operations import Operation, all_operations
from ..permissions import may_run
from ..standing import TONES, Standing, duration_seconds, standing_of
from ..statistics import (
    Clearance,
    DayFigures,
    backlog,
    created_and_removed_per_day,
    days_to_clear,
    rows_about,
    table_sizes,
    token_models,
)
from ..words import age_in_words, bytes_in_words, name_in_words, number_in_words, seconds_in_words

ACTIVE_SHOWN = 20
NEXT_TIMES = 3
BIG_COLUMNS = ("cursor", "recent_windows", "traceback")


@dataclass(frozen=True, kw_only=True)
class ScheduleLine:
    """One schedule of an operation: when in words, the next times, and what is wrong with it."""

    name: str
    url: str | None
    words: str
    next_times: list[str]
    is_enabled: bool
    overdue: str | None


@dataclass(frozen=True, kw_only=True)
class Card:
    """One operation: its last runs, its schedules, and whether the operator may have it run."""

    operation: Operation
    last: Run | None
    standing: Standing | None
    last_success: str | None
    spark: SafeString
    runs_shown: int
    schedules: list[ScheduleLine]
    may_run: bool
    needs_arguments: bool
    """It has no defaults to be previewed with."""


@dataclass(frozen=True, kw_only=True)
class TableLine:
    """One token table, in words; None where nobody can tell, and for `revoked` where no such row is kept."""

    title: str
    table: str
    rows: str
    expired: str
    revoked: str | None
    oldest: str | None
    size: str | None
    indexes: str | None
    to_clear: str
    tone: str


def active_runs(now: datetime) -> list[tuple[Run, str, Standing, int]]:
    """Return the runs that have not ended, the newest first: run, title, standing, percent."""
    titles = {operation.name: operation.title for operation in all_operations()}
    runs = _runs().filter(parent=None, status__in=ACTIVE).order_by("-created")[:ACTIVE_SHOWN]
    return [
        (run, titles.get(run.operation, run.operation), standing_of(run, now), int(run.progress * 100))
        for run in runs
    ]


def cards(user: Any, now: datetime) -> list[Card]:
    """Return a card for each operation, in the order of their names."""
    entries = PeriodicTask.objects.filter(task__startswith=timetable.TASKS).order_by("name")
    entries = entries.select_related("crontab", "interval", "clocked", "solar")
    by_operation: dict[str | None, list[Any]] = {}
    for entry in entries:
        by_operation.setdefault(timetable.operation_name(entry), []).append(entry)
    return [
        _card(operation, by_operation.get(operation.name, []), user, now) for operation in all_operations()
    ]


def table_lines(now: datetime) -> list[TableLine]:
    """Return the token tables: rows, what of them is over, size, and whether removal keeps up."""
    sizes = {size.table: size for size in table_sizes()}
    clearances = {clearance.table: clearance for clearance in days_to_clear()}
    models = {model._meta.db_table: model for model in token_models()}
    lines = []
    for figures in backlog(now=now):
        about = "≈ " if figures.is_estimate else ""
        size, (words, tone) = sizes.get(figures.table), clearance_in_words(clearances.get(figures.table))
        oldest = figures.oldest_expired
        lines.append(
            TableLine(
                title=name_in_words(str(models[figures.table]._meta.verbose_name_plural)),
                table=figures.table,
                rows=about + number_in_words(figures.rows),
                expired=about + number_in_words(figures.expired),
                revoked=_revoked(models[figures.table]),
                oldest=age_in_words(oldest, now) if oldest is not None else None,
                size=bytes_in_words(size.table_bytes) if size else None,
                indexes=bytes_in_words(size.index_bytes) if size else None,
                to_clear=words,
                tone=tone,
            )
        )
    return lines


def clearance_in_words(clearance: Clearance | None) -> tuple[str, str]:
    """Return how long the backlog will be there, and the tone of that."""
    if clearance is None or not clearance.is_known:
        return _("no history yet"), "quiet"
    if clearance.days is None:
        return _("grows"), "bad"
    if clearance.days == 0:
        return _("nothing to clear"), "good"
    if clearance.days < 1:
        return _("within a day"), "good"
    return _("about %s") % seconds_in_words(clearance.days * 86_400), "good" if clearance.days < 7 else "warn"


def flow_chart(days: Sequence[DayFigures] | None = None) -> charts.Chart | None:
    """Return rows created against removed by day; None where no day is known."""
    figures = created_and_removed_per_day() if days is None else days
    if not any(day.is_known for day in figures):
        return None
    groups = [
        [
            charts.Bar(
                value=day.created, tone="one", label=_("%(day)s: %(rows)s created") % _day(day, day.created)
            ),
            charts.Bar(
                value=day.removed, tone="two", label=_("%(day)s: %(rows)s removed") % _day(day, day.removed)
            ),
        ]
        for day in figures
    ]
    created, removed = sum(day.created for day in figures), sum(day.removed for day in figures)
    title = _("Rows created and removed each day")
    svg, top = charts.grouped_bars(groups, key="flow", title=title)
    return charts.Chart(
        key="flow",
        title=title,
        description=_("%(created)s came and %(removed)s went in %(days)d days.")
        % {"created": number_in_words(created), "removed": number_in_words(removed), "days": len(figures)},
        svg=svg,
        top=number_in_words(top),
        axis=[f"{day.day:%d %b}" for day in figures[:: max(1, (len(figures) - 1) // 4)]],
        legend=[("one", _("created")), ("two", _("removed"))],
        head=[_("Day"), _("Created"), _("Removed")],
        rows=[_day_row(day) for day in reversed(figures)],
    )


def _card(operation: Operation, entries: Iterable[Any], user: Any, now: datetime) -> Card:
    runs = list(
        _runs().filter(operation=operation.name, parent=None).order_by("-created")[: charts.SPARK_SLOTS]
    )
    last = runs[0] if runs else None
    success = _last_success(operation, runs)
    bars = [_bar(run, now) for run in reversed(runs)]
    title = _("The last runs of %s: colour is the outcome, height the time it took") % operation.title
    return Card(
        operation=operation,
        last=last,
        standing=standing_of(last, now) if last is not None else None,
        last_success=age_in_words(success.finished or success.created, now) if success is not None else None,
        spark=charts.sparkline(bars, key=f"spark-{operation.name}", title=title),
        runs_shown=len(runs),
        schedules=[_schedule(entry, user, last, now) for entry in entries],
        may_run=may_run(user, operation),
        needs_arguments=_needs_arguments(operation),
    )


def _needs_arguments(operation: Operation) -> bool:
    try:
        operation.clean({})
    except InvalidArguments:
        return True
    return False


def _last_success(operation: Operation, newest_first: Sequence[Run]) -> Run | None:
    found = next((run for run in newest_first if run.status == RunStatus.SUCCEEDED), None)
    if found is not None or len(newest_first) < charts.SPARK_SLOTS:
        return found
    succeeded = _runs().filter(operation=operation.name, parent=None, status=RunStatus.SUCCEEDED)
    return succeeded.order_by("-created").first()


def _bar(run: Run, now: datetime) -> charts.Bar:
    seconds = duration_seconds(run, now) or 0.0
    label = (
        f"{localtime(run.created):%Y-%m-%d %H:%M}, {run.get_status_display()}, {seconds_in_words(seconds)}"
    )
    return charts.Bar(value=max(seconds, 0.001), tone=TONES[RunStatus(run.status)], label=label)


def _schedule(entry: Any, user: Any, last: Run | None, now: datetime) -> ScheduleLine:
    overdue = timetable.overdue_since(entry, now=now, last_run=last.created if last is not None else None)
    is_shown = user.has_perm("django_celery_beat.view_periodictask")
    times = timetable.next_times(entry, count=NEXT_TIMES, after=now) if entry.enabled else []
    return ScheduleLine(
        name=entry.name,
        url=reverse("admin:django_celery_beat_periodictask_change", args=[entry.pk]) if is_shown else None,
        words=timetable.in_words(entry),
        next_times=[f"{time:%a %d %b, %H:%M}" for time in times],
        is_enabled=entry.enabled,
        overdue=age_in_words(overdue, now) if overdue is not None else None,
    )


def _revoked(model: Any) -> str | None:
    """Return how many rows are revoked and still there; None where revoking deletes the row."""
    if not any(field.name == "revoked" for field in model._meta.fields):
        return None
    rows = model._base_manager.using(router.db_for_write(model)).filter(revoked__isnull=False).order_by()
    is_indexed = any(index.fields[:1] == ["revoked"] for index in model._meta.indexes)
    count, is_estimate = rows_about(rows, by="revoked" if is_indexed else None)
    return ("≈ " if is_estimate else "") + number_in_words(count)


def _runs() -> QuerySet[Run]:
    return Run.objects.defer(*BIG_COLUMNS)


def _day(day: DayFigures, rows: int) -> dict[str, str]:
    return {"day": f"{day.day:%d %b}", "rows": number_in_words(rows)}


def _day_row(day: DayFigures) -> list[str]:
    known = [number_in_words(day.created), number_in_words(day.removed)]
    return [f"{day.day:%Y-%m-%d}", *(known if day.is_known else ["-", "-"])]
