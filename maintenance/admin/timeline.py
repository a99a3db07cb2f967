"""A run's events as a timeline: newest first, the slices of undisturbed work drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Run, RunEvent
from ..words import seconds_in_words

SHOWN = 60
"""Events a page shows; older ones are behind a link."""

Kind = RunEvent.Kind
TONES = {
    Kind.HELD: "warn",
    Kind.PAUSED: "warn",
    Kind.PAUSE_REQUESTED: "warn",
    Kind.CANCEL_REQUESTED: "warn",
    Kind.RETRIED: "warn",
    Kind.LOST: "bad",
    Kind.FAILED: "bad",
    Kind.SUCCEEDED: "good",
    Kind.STARTED: "busy",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    when: datetime
    title: str
    actor: str
    text: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The newest entries, and the key of the event before which older ones are; None where there are none."""

    entries: list[Entry]
    older: int | None


def timeline_of(run: Run, *, before: int | None = None) -> Timeline:
    """Return the events of `run`, those older than the event `before` where that is given. One query."""
    rows = RunEvent.objects.filter(run=run.pk).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    events = list(rows[: SHOWN + 1])
    older = events[SHOWN - 1].pk if len(events) > SHOWN else None
    return Timeline(entries=_entries(events[:SHOWN]), older=older)


def _entries(newest_first: Sequence[RunEvent]) -> list[Entry]:
    entries: list[Entry] = []
    slices: list[RunEvent] = []
    for event in newest_first:
        if _is_slice(event):
            slices.append(event)
            continue
        entries += _drawn_together(slices)
        slices = []
        entries.append(_entry(event))
    return entries + _drawn_together(slices)


def _is_slice(event: RunEvent) -> bool:
    return event.kind == Kind.STARTED or (event.kind == Kind.INTERRUPTED and not event.text)


def _drawn_together(slices: Sequence[RunEvent]) -> list[Entry]:
    """Return one entry for several slices in a row, each of which began and was over without a word."""
    if len(slices) <= 2:
        return [_entry(event) for event in slices]
    begun = [event for event in slices if event.kind == Kind.STARTED]
    took = (slices[0].created - slices[-1].created).total_seconds()
    title = ngettext("%(count)d slice", "%(count)d slices", len(begun)) % {"count": len(begun)}
    workers = sorted({event.actor for event in begun})
    return [
        Entry(
            when=slices[0].created,
            title=title,
            actor=", ".join(workers),
            text=_("in %(took)s") % {"took": seconds_in_words(took)},
            tone="busy",
        )
    ]


def _entry(event: RunEvent) -> Entry:
    return Entry(
        when=event.created,
        title=event.get_kind_display(),
        actor=event.actor,
        text=event.text,
        tone=TONES.get(Kind(event.kind), "quiet") if event.kind in Kind else "quiet",
    )
