"""A stage that walks a table by an index: what most operations need."""

from __future__ import annotations

from collections import Counter
from typing import Any

from oauth2_provider.batching import Key, Walk, Window

from .base import Position, Stage, WindowResult


class WalkStage(Stage):
    """Walks the rows of `walk()` from the first to the last there is at the start.

    A subclass says what happens to the rows of a window, in `work_window`.
    """

    def walk(self, by: Any = None) -> Walk:
        """Return the walk; `by` is what `chosen_walk` returned when the stage began."""
        raise NotImplementedError

    def chosen_walk(self) -> Any:
        """Return which of several walks to take, as JSON; asked once."""
        return None

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        """Deal with the rows of `window`; returns how many, by table."""
        raise NotImplementedError

    def using(self) -> str:
        return str(self.walk(self.chosen_walk()).rows.db)

    def begin(self) -> Position | None:
        by = self.chosen_walk()
        walk = self.walk(by)
        first, last = walk.first(), walk.last()
        if first is None or last is None:
            return None
        return {"by": by, "first": walk.to_json(first), "last": walk.to_json(last), "after": None}

    def work(self, position: Position, size: int) -> WindowResult | None:
        walk = self.walk(position["by"])
        after, last = self._key(walk, position["after"]), walk.from_json(position["last"])
        window = walk.next_window(after=after, last=last, size=size)
        if window is None:
            return None
        counts = self.work_window(walk, window)
        position = {**position, "after": walk.to_json(window.upto)}
        return WindowResult(position=position, counts=counts, is_full=window.upto != last)

    def split(self, position: Position, shards: int) -> list[Position]:
        walk = self.walk(position["by"])
        first, last = walk.from_json(position["first"]), walk.from_json(position["last"])
        bounds = [walk.to_json(key) for key in walk.cuts(first, last, shards)]
        starts = [position["after"], *bounds]
        ends = [*bounds, position["last"]]
        return [
            {**position, "first": after or position["first"], "after": after, "last": upto}
            for after, upto in zip(starts, ends, strict=True)
        ]

    def fraction(self, position: Position) -> float:
        walk = self.walk(position["by"])
        after = self._key(walk, position["after"])
        if after is None:
            return 0.0
        return walk.fraction(
            after, first=walk.from_json(position["first"]), last=walk.from_json(position["last"])
        )

    def _key(self, walk: Walk, values: list[str] | None) -> Key | None:
        return None if values is None else walk.from_json(values)
