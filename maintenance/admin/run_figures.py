"""The figures of a run's page, ready to be shown: names and values in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import router
from django.utils import timezone
from django.utils.translation import gettext as _

from oauth2_provider.models import get_access_token_model

from .. import charts
from ..models import Run
from ..progress import RunProgress
from ..standing import duration_seconds
from ..windows import REMEMBERED, WindowMark, target_seconds
from ..words import age_in_words, number_in_words, seconds_in_words
from .confirmation import table_title


def facts(run: Run, progress: RunProgress) -> list[tuple[str, str]]:
    """Return the figures of the head line, those that are known: name and value."""
    now = timezone.now()
    took = duration_seconds(run, now)
    known = [
        (_("Rows"), number_in_words(progress.rows)),
        (_("Now"), _per_second(progress.rate)),
        (_("Mean"), _per_second(progress.mean_rate)),
        (
            _("To go"),
            _("about %s") % seconds_in_words(progress.eta_seconds) if progress.eta_seconds else None,
        ),
        (_("Took") if run.finished else _("Began"), _took(run, took)),
    ]
    return [(name, value) for name, value in known if value is not None]


def details(run: Run) -> list[tuple[str, str]]:
    """Return what is known of who has the run and how it went so far: name and value."""
    now = timezone.now()
    heartbeat = age_in_words(run.heartbeat, now) if run.heartbeat is not None and run.is_active else None
    known: list[tuple[str, str | None]] = [
        (_("Worker"), run.lease_holder or None),
        (_("Last sign of life"), _("%s ago") % heartbeat if heartbeat else None),
        (_("Lease"), _lease(run, now)),
        (_("Slices"), number_in_words(run.attempts)),
        (_("Workers lost without progress"), str(run.losses) if run.losses else None),
        (_("Windows"), number_in_words(run.windows)),
        (_("Next window"), _("%s rows") % number_in_words(run.window_rows) if run.window_rows else None),
        (_("Time in windows"), seconds_in_words(run.seconds_worked)),
        (_("Shards"), str(run.shards) if run.shards > 1 else None),
    ]
    return [(name, value) for name, value in known if value is not None]


def window_charts(marks: list[WindowMark]) -> list[charts.Chart]:
    """Return what the last windows were like: how many rows each was to hold, and how long it took."""
    if not marks:
        return []
    head = [_("Window ended"), _("Size"), _("Rows"), _("Seconds")]
    rows = [
        [_clock(m), number_in_words(m.size), number_in_words(m.rows), f"{m.seconds:.2f}"] for m in marks[::-1]
    ]
    sizes = [
        charts.Bar(value=m.size, tone="one", label=_("%s rows") % number_in_words(m.size)) for m in marks
    ]
    times = [charts.Bar(value=m.seconds, tone="two", label=seconds_in_words(m.seconds)) for m in marks]
    slots = next(count for count in (40, 80, REMEMBERED) if count >= len(marks))
    target = target_seconds(router.db_for_write(get_access_token_model()))
    size_svg, most = charts.level_bars(sizes, key="sizes", title=_("Rows of the last windows"), slots=slots)
    time_svg, longest = charts.level_bars(
        times, key="times", title=_("Seconds of the last windows"), slots=slots, line=target
    )
    last = marks[-1]
    return [
        charts.Chart(
            key="sizes",
            title=_("Rows a window"),
            description=_("The last one was to hold %s.") % number_in_words(last.size),
            svg=size_svg,
            top=number_in_words(most),
            head=head,
            rows=rows,
        ),
        charts.Chart(
            key="times",
            title=_("Seconds a window"),
            description=_("The last one took %(took)s; the line is the target, %(target)s.")
            % {"took": seconds_in_words(last.seconds), "target": seconds_in_words(target)},
            svg=time_svg,
            top=seconds_in_words(longest),
        ),
    ]


def counts_of(run: Run, shard_runs: Sequence[Run]) -> list[tuple[str, str, int]]:
    """Return the rows dealt with by table, what open shards did in it: what they are called, the table, how many."""
    total = Counter(run.counts)
    for shard in shard_runs:
        if not shard.is_gathered:
            total.update(shard.counts)
    return sorted((_title(table), table, rows) for table, rows in total.items())


def _title(table: str) -> str:
    """Return what the rows of `table` are called; nothing where no model is known."""
    title = table_title(table)
    return "" if title == table else title


def _per_second(rate: float | None) -> str | None:
    return None if rate is None else _("%s rows/s") % number_in_words(rate)


def _took(run: Run, seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return seconds_in_words(seconds) if run.finished else _("%s ago") % seconds_in_words(seconds)


def _lease(run: Run, now: datetime) -> str | None:
    if run.lease_until is None or not run.is_active:
        return None
    if run.lease_until < now:
        return _("out for %s") % age_in_words(run.lease_until, now)
    return _("for %s more") % age_in_words(now, run.lease_until)


def _clock(mark: WindowMark) -> str:
    ended = datetime.fromtimestamp(mark.ended, tz=timezone.get_current_timezone())
    return f"{ended:%H:%M:%S}"
