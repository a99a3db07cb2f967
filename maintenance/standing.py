"""Where a run stands, in one word and one sentence: running, waiting or dead, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from .models import ENDED, HELD_BY_WORKER, WAITING, Run, RunStatus
from .settings import maintenance_settings
from .shards import AT_WORK
from .words import age_in_words, number_in_words, seconds_in_words

TAKEN_WITHIN = timedelta(minutes=2)
"""A run that no worker has taken for longer deserves the question whether there is a worker."""

TONES = {
    RunStatus.ENQUEUED: "quiet",
    RunStatus.RUNNING: "busy",
    RunStatus.PAUSING: "warn",
    RunStatus.PAUSED: "warn",
    RunStatus.CANCELLING: "warn",
    RunStatus.CANCELLED: "quiet",
    RunStatus.INTERRUPTED: "quiet",
    RunStatus.SUCCEEDED: "good",
    RunStatus.FAILED: "bad",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`label` is the word on the badge, `tone` its colour: good, busy, quiet, warn or bad."""

    label: str
    tone: str
    sentence: str


def standing_of(run: Run, now: datetime) -> Standing:
    """Return where `run` stands at `now`."""
    if run.status in WAITING and run.hold_reason == AT_WORK:
        return Standing(label=_("Running"), tone="busy", sentence=_("Its shards are at work."))
    if is_held(run, now):
        return Standing(label=_("Held"), tone="warn", sentence=_held(run, now))
    if is_lost(run, now):
        return Standing(label=_("Worker lost"), tone="bad", sentence=_lost(run, now))
    tone = TONES[RunStatus(run.status)]
    return Standing(label=run.get_status_display(), tone=tone, sentence=_sentence(run, now))


def is_held(run: Run, now: datetime) -> bool:
    """Tell whether a throttle or the switch keeps `run` from going on."""
    return run.status in WAITING and run.not_before is not None and run.not_before > now


def is_lost(run: Run, now: datetime) -> bool:
    """Tell whether the worker that has `run` has said nothing for longer than its lease."""
    return run.status in HELD_BY_WORKER and run.lease_until is not None and run.lease_until < now


def duration_seconds(run: Run, now: datetime) -> float | None:
    """Return how long it took from the first slice to the end, or to `now`; None before it began."""
    if run.started is None:
        return None
    return ((run.finished or now) - run.started).total_seconds()


def _held(run: Run, now: datetime) -> str:
    words: dict[str, Any] = {"reason": capfirst(run.hold_reason or _("no reason given"))}
    if run.not_before is not None:
        words["seconds"] = age_in_words(now, run.not_before)
        words["time"] = f"{localtime(run.not_before):%H:%M:%S}"
    return _("%(reason)s; looks again in %(seconds)s, at %(time)s.") % words


def _lost(run: Run, now: datetime) -> str:
    words = {"worker": run.lease_holder or _("its worker"), "age": _heartbeat_age(run, now)}
    return _("No sign of %(worker)s for %(age)s. The sweep gives the run to another worker.") % words


def _sentence(run: Run, now: datetime) -> str:
    if run.status in ENDED:
        return _ended(run, now)
    if run.status in WAITING:
        return _waiting(run, now)
    if run.status == RunStatus.PAUSED:
        return capfirst(run.hold_reason) or _("Resume it, and it goes on where it stopped.")
    words = {"worker": run.lease_holder or _("A worker"), "age": _heartbeat_age(run, now)}
    if run.status == RunStatus.PAUSING:
        return _("%(worker)s ends its window, then the run pauses.") % words
    if run.status == RunStatus.CANCELLING:
        return _("%(worker)s ends its window, then the run is cancelled.") % words
    return _("%(worker)s is at it; last sign of life %(age)s ago.") % words


def _waiting(run: Run, now: datetime) -> str:
    since = run.heartbeat or run.created
    words = {"age": age_in_words(since, now), "queue": maintenance_settings.QUEUE}
    if now - since > TAKEN_WITHIN:
        return _("No worker has taken it for %(age)s. Is one at work on the queue “%(queue)s”?") % words
    if run.status == RunStatus.INTERRUPTED:
        return _("Between two slices: the next worker that is free goes on.")
    return _("Waits for a worker since %(age)s.") % words


def _ended(run: Run, now: datetime) -> str:
    if run.status == RunStatus.FAILED:
        return f"{run.error_class}: {run.error_message}" if run.error_message else run.error_class
    seconds = duration_seconds(run, now)
    words = {"took": seconds_in_words(seconds or 0.0), "rows": number_in_words(sum(run.counts.values()))}
    if run.status == RunStatus.CANCELLED:
        return _("Stopped after %(took)s. What it did stays done: %(rows)s rows.") % words
    return _("Done in %(took)s: %(rows)s rows.") % words


def _heartbeat_age(run: Run, now: datetime) -> str:
    return age_in_words(run.heartbeat, now) if run.heartbeat is not None else "-"
