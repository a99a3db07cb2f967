"""How far a run is, how quick it is, and when it will be done: from its own row, its shards' and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .cursors import fits
from .exceptions import InvalidArguments, UnknownOperation
from .models import ENDED, HELD_BY_WORKER, Run, RunStatus
from .operations import Stage, get_operation
from .record import job_of
from .windows import WindowMark
from .words import name_in_words

SMOOTHING_SECONDS = 20.0
"""A window counts half as much after some 14 s of others: what is true now, without its jitter."""
LONGEST_GAP_SECONDS = 10.0
"""A longer gap between two windows was a hold or a pause, and says nothing about the speed."""
FIRST_PROGRESS = 0.01
"""Below this nobody knows how long it takes."""
FEWEST_MARKS = 3


@dataclass(frozen=True, kw_only=True)
class StageProgress:
    """One stage of a run: "done", "current" or "waiting", and how much of it is done, 0 to 1."""

    number: int
    title: str
    state: str
    fraction: float

    @property
    def percent(self) -> int:
        return int(self.fraction * 100)


@dataclass(frozen=True, kw_only=True)
class ShardProgress:
    """One shard of a run's stage, and how much of its range is done, 0 to 1."""

    run: Run
    number: int
    fraction: float
    rows: int

    @property
    def percent(self) -> int:
        return int(self.fraction * 100)


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """How far a run is (0 to 1), rows a second now and on the mean, seconds to go; None where nobody can tell."""

    fraction: float
    stages: list[StageProgress]
    shards: list[ShardProgress]
    rows: int
    rate: float | None
    mean_rate: float | None
    eta_seconds: float | None
    marks: list[WindowMark]

    @property
    def percent(self) -> int:
        return int(self.fraction * 100)


def progress_of(run: Run, shard_runs: Sequence[Run] = ()) -> RunProgress:
    """Return the progress of `run`; `shard_runs` are those of the stage it is at. No query."""
    stages = stages_of(run)
    shards = _shards(run, shard_runs, stages)
    marks = [WindowMark.unpack(values) for values in run.recent_windows or []]
    marks = marks or _merged([shard.run for shard in shards])
    parts = _stage_progress(run, stages, shards)
    fraction = sum(part.fraction for part in parts) / len(parts) if parts and shards else run.progress
    rows = sum(run.counts.values()) + sum(shard.rows for shard in shards if not shard.run.is_gathered)
    is_at_work = run.status in HELD_BY_WORKER or any(s.run.status in HELD_BY_WORKER for s in shards)
    seconds = run.seconds_worked + sum(shard.run.seconds_worked for shard in shards)
    return RunProgress(
        fraction=1.0 if run.status == RunStatus.SUCCEEDED else fraction,
        stages=parts,
        shards=shards,
        rows=rows,
        rate=_rate(marks, "rows") if is_at_work else None,
        mean_rate=rows / seconds if seconds > 0 and rows else None,
        eta_seconds=eta_seconds(marks, fraction) if is_at_work and not shards else None,
        marks=marks,
    )


def eta_seconds(marks: Sequence[WindowMark], progress: float) -> float | None:
    """Return the seconds to go at the speed of the recent windows; None before 1 %, or where nothing moves."""
    if progress < FIRST_PROGRESS:
        return None
    rate = _rate(marks, "progress")
    return (1.0 - progress) / rate if rate else None


def stages_of(run: Run) -> Sequence[Stage]:
    """Return the stages of `run`; none where its operation is no longer what it was when the run began."""
    if "positions" not in run.cursor:
        return []
    try:
        stages = get_operation(run.operation).stages(job_of(run))
    except (UnknownOperation, InvalidArguments, KeyError, ValueError):
        return []
    return stages if fits(run.cursor, stages) else []


def _stage_progress(
    run: Run, stages: Sequence[Stage], shards: Sequence[ShardProgress]
) -> list[StageProgress]:
    here = run.cursor.get("stage", 0)
    parts = []
    for number, stage in enumerate(stages):
        state = "done" if number < here else "current" if number == here else "waiting"
        if run.status in ENDED and state == "current":
            state = "stopped"
        fraction = 1.0 if state == "done" else 0.0
        if number == here:
            fraction = _fraction_of_shards(shards) if shards else _fraction(stage, run, number)
        title = name_in_words(stage.name)
        parts.append(StageProgress(number=number + 1, title=title, state=state, fraction=fraction))
    return parts


def _shards(run: Run, shard_runs: Sequence[Run], stages: Sequence[Stage]) -> list[ShardProgress]:
    here = run.cursor.get("stage", 0)
    if not shard_runs or here >= len(stages):
        return []
    return [
        ShardProgress(
            run=shard,
            number=number,
            fraction=1.0 if shard.status == RunStatus.SUCCEEDED else _fraction(stages[here], shard, here),
            rows=sum(shard.counts.values()),
        )
        for number, shard in enumerate(shard_runs, start=1)
    ]


def _fraction(stage: Stage, run: Run, number: int) -> float:
    position = run.cursor["positions"][number]
    if position is None:
        return 1.0
    return stage.fraction(position)


def _fraction_of_shards(shards: Sequence[ShardProgress]) -> float:
    return sum(shard.fraction for shard in shards) / len(shards)


def _merged(shard_runs: Sequence[Run]) -> list[WindowMark]:
    """Return the windows of several shards in the order in which they ended."""
    marks = [WindowMark.unpack(values) for run in shard_runs for values in run.recent_windows or []]
    return sorted(marks, key=lambda mark: mark.ended)


def _rate(marks: Sequence[WindowMark], what: str) -> float | None:
    """Return how much `what` ("rows" or "progress") grows in a second: a moving average that forgets with time."""
    if len(marks) < FEWEST_MARKS:
        return None
    rate: float | None = None
    for before, mark in pairwise(marks):
        gap = mark.ended - before.ended
        seconds = max(gap if gap <= LONGEST_GAP_SECONDS else mark.seconds, 0.001)
        grown: Any = mark.rows if what == "rows" else mark.progress - before.progress
        if grown < 0:  # another pass has begun
            rate = None
            continue
        weight = 1.0 if rate is None else 1.0 - math.exp(-seconds / SMOOTHING_SECONDS)
        rate = (rate or 0.0) + weight * (grown / seconds - (rate or 0.0))
    return rate
