"""The cursor of a run: where each stage stands, by the stage's name, and how much that is of the whole.

The names are kept so that a run goes on when its stages have become others meanwhile: by an upgrade that adds, removes
or renames one, or by a setting that decides about one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .operations import Stage

Cursor = dict[str, Any]


def fresh_cursor(stages: Sequence[Stage], *, cutoff: datetime, number: int) -> Cursor:
    """Return the cursor before the first stage of pass `number`; the bounds of all stages are fixed now."""
    return {
        "cutoff": cutoff.isoformat(),
        "pass": number,
        "stage": 0,
        "stages": [stage.name for stage in stages],
        "positions": [stage.begin() for stage in stages],
    }


def fits(cursor: Cursor, stages: Sequence[Stage]) -> bool:
    """Tell whether the positions of `cursor` are those of `stages`; never where it keeps no names, as once."""
    return cursor.get("stages") == [stage.name for stage in stages]


def carried_over(cursor: Cursor, stages: Sequence[Stage], *, is_shard: bool) -> Cursor:
    """Return `cursor` with a position for each of `stages`, which are not those that it was made for.

    A stage of the same name stays where it stands, another one begins now; in a shard, which has one stage to do,
    it does not. Without names nobody can tell which position is whose: all begin anew, which finds what is left.
    It counts as another pass, so that no shard of the former stages is taken for one of these.
    """
    positions = dict(zip(_distinct(cursor.get("stages", [])), _standing(cursor), strict=False))
    names = [stage.name for stage in stages]
    return {
        **cursor,
        "pass": cursor["pass"] + 1,
        "stage": 0,
        "stages": names,
        "positions": [
            positions[key] if key in positions else None if is_shard else stage.begin()
            for key, stage in zip(_distinct(names), stages, strict=True)
        ],
    }


def after_window(cursor: Cursor, number: int, position: Any) -> Cursor:
    """Return `cursor` with stage `number` at `position`; None: that stage is done."""
    positions = [*cursor["positions"]]
    positions[number] = position
    return {**cursor, "positions": positions, "stage": number if position is not None else number + 1}


def progress_of_cursor(cursor: Cursor, stages: Sequence[Stage]) -> float:
    """Return how much of all `stages` lies behind `cursor`, 0 to 1, each counting the same."""
    number = cursor["stage"]
    if number >= len(stages):
        return 1.0
    position = cursor["positions"][number] if fits(cursor, stages) else None
    inner = stages[number].fraction(position) if position is not None else 0.0
    return (number + inner) / len(stages)


def _standing(cursor: Cursor) -> list[Any]:
    """Return the positions, None for every stage that is done."""
    return [
        position if number >= cursor["stage"] else None for number, position in enumerate(cursor["positions"])
    ]


def _distinct(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name with how often it came before: two stages may share one."""
    seen: Counter[str] = Counter()
    keys = []
    for name in names:
        keys.append((name, seen[name]))
        seen[name] += 1
    return keys
