"""Sharded runs: a stage worked side by side by several runs, each with a contiguous range of keys.

The parent run waits at each stage until none of its shards is open, which is decided in SQL, then takes their
counts over, each exactly once, and goes on. That is the barrier: what a stage frees, the next one finds.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from django.db.models import QuerySet, Sum
from django.utils import timezone

from .dispatch import send, send_on_commit
from .exceptions import TransitionRefused
from .models import ENDED, Run, RunStatus
from .operations import Stage
from .runs import pause, resume

AT_WORK = "its shards are at work"
"""Why the whole waits while they are."""


def shard_key(run: Run) -> str:
    """Return what the shards of the run's current stage have in common."""
    return f"{run.cursor['pass']}:{run.cursor['stage']}:"


def shards_of_stage(run: Run) -> QuerySet[Run]:
    """Return the shards of the stage that `run` is at."""
    return Run.objects.filter(parent=run.pk, shard_key__startswith=shard_key(run))


def start_shards(run: Run, stage: Stage) -> None:
    """Make the shards of the current stage and send them on. The caller holds a transaction and the run's fence."""
    number = run.cursor["stage"]
    positions = stage.split(run.cursor["positions"][number], run.shards)
    for index, position in enumerate(positions):
        others = [None] * len(run.cursor["positions"])
        others[number] = position
        shard = Run.objects.create(
            operation=run.operation,
            arguments=run.arguments,
            trigger=run.trigger,
            requested_by_id=run.requested_by_id,
            parent=run,
            shard_key=f"{shard_key(run)}{index}",
            cursor={**run.cursor, "stage": 0, "positions": others},
            started=run.started,
        )
        send_on_commit(shard)


def seconds_worked(run: Run) -> float:
    """Return the seconds that the current stage's shards worked, all together."""
    return float(shards_of_stage(run).aggregate(seconds=Sum("seconds_worked"))["seconds"] or 0.0)


def gather(run: Run) -> Counter[str]:
    """Return the counts of the current stage's shards and mark them as taken; one transaction with the parent's."""
    counts: Counter[str] = Counter()
    ended = shards_of_stage(run).filter(is_gathered=False)
    for shard in ended.select_for_update():
        counts.update(shard.counts)
    ended.update(is_gathered=True)
    return counts


def wake_parent(shard: Run) -> None:
    """Send the parent of an ended `shard` on where it was the last of its stage, or failed."""
    parent = Run.objects.get(shard_runs=shard.pk)
    if shard.status == RunStatus.FAILED:
        _wake(parent)
    else:
        wake_if_none_is_open(parent)


def pause_parent(shard: Run, reason: str, *, actor: str) -> None:
    """Pause the parent of `shard` with all its shards, unless it has ended; it shows `reason`."""
    parent = Run.objects.get(shard_runs=shard.pk)
    with suppress(TransitionRefused):  # it has ended, or another shard was first
        pause(parent, actor=actor, reason=reason)
        Run.objects.filter(pk=parent.pk, status=RunStatus.PAUSED).update(hold_reason=reason)


def resume_left_behind(run: Run) -> None:
    """Resume the shards of the current stage that paused only after the whole was resumed: they ended a window."""
    for shard in shards_of_stage(run).filter(status=RunStatus.PAUSED, parent__status=RunStatus.RUNNING):
        with suppress(TransitionRefused):
            resume(shard)


def wake_if_none_is_open(parent: Run) -> None:
    """Send a waiting parent on where no shard of it is open. A lost message is the sweep's to mend."""
    if not Run.objects.filter(parent=parent.pk).exclude(status__in=ENDED).exists():
        _wake(parent)


def _wake(parent: Run) -> None:
    waiting = Run.objects.filter(pk=parent.pk, status=RunStatus.INTERRUPTED)
    if waiting.update(not_before=timezone.now()):
        send(parent)
