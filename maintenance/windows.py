"""How large the next window is: as many rows as fit the target time, approached smoothly; how the last ones went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections

from .settings import maintenance_settings

SMOOTHING = 0.5
"""Weight of the newest window against those before."""

REMEMBERED = 120
"""How many windows a run's row keeps: some 4 kB, a minute of work."""


@dataclass(frozen=True, kw_only=True)
class WindowMark:
    """A window that was worked: when it ended (seconds of the epoch), how large it was to be, what it did."""

    ended: float
    size: int
    rows: int
    """Dealt with, over all tables."""
    seconds: float
    progress: float
    """Of the whole run after it, 0 to 1."""

    def pack(self) -> list[float]:
        """Return the mark as a list, short as JSON."""
        return [round(self.ended, 2), self.size, self.rows, round(self.seconds, 4), round(self.progress, 6)]

    @classmethod
    def unpack(cls, values: Sequence[Any]) -> WindowMark:
        """Return the mark that `pack` made `values` of."""
        ended, size, rows, seconds, progress = values
        return cls(ended=ended, size=size, rows=rows, seconds=seconds, progress=progress)


class WindowSizes:
    """How large a runner's next window is: `fixed` rows where that is given, else as the run adapted it.

    After a lost race or a time-out it is half as large. From there an adapted size grows by what windows take, and a
    fixed one comes back by WINDOW_GROWTH.
    """

    def __init__(self, *, fixed: int | None) -> None:
        self.fixed = fixed
        self.reduced: int | None = None

    def next(self, adapted: int | None) -> int:
        """Return the rows of the next window; `adapted` is what the run's row says, None before the first."""
        return self.reduced or self.fixed or adapted or int(maintenance_settings.WINDOW_INITIAL_ROWS)

    def halve(self, adapted: int | None) -> tuple[int, int]:
        """Make the next window half as large, within the minimum; returns the rows before and now."""
        before = self.next(adapted)
        lowest = min(before, int(maintenance_settings.WINDOW_MINIMUM_ROWS))
        self.reduced = max(lowest, before // 2)
        return before, self.reduced

    def recover(self) -> None:
        """Take note of a window that went well."""
        if self.reduced is None:
            return
        grown = int(self.reduced * maintenance_settings.WINDOW_GROWTH) + 1
        self.reduced = grown if self.fixed is not None and grown < self.fixed else None


def remember(marks: Sequence[Any] | None, mark: WindowMark) -> list[Any]:
    """Return the packed `marks` with `mark` after them, the oldest dropped where there are too many."""
    return [*(marks or []), mark.pack()][-REMEMBERED:]


def next_size(size: int, seconds: float, using: str, *, is_full: bool = True) -> int:
    """Return the rows of the window after one of `size` rows that took `seconds` on the database `using`.

    Grows by WINDOW_GROWTH at most, shrinks as far as it takes, stays within the minimum and the maximum. One that was
    not full (see `WindowResult`) was quick because it did little: after it, none grows.
    """
    fitted = fitted_size(size, seconds, target_seconds(using))
    return fitted if is_full else min(fitted, size)


def fitted_size(size: int, seconds: float, target: float) -> int:
    """Return the rows of the window after one of `size` rows that took `seconds` where it should take `target`."""
    fitting = size * target / max(seconds, 0.001)
    smoothed = size + SMOOTHING * (fitting - size)
    grown = min(smoothed, size * maintenance_settings.WINDOW_GROWTH)
    lowest, highest = maintenance_settings.WINDOW_MINIMUM_ROWS, maintenance_settings.WINDOW_MAXIMUM_ROWS
    return int(min(max(grown, lowest), highest))


def target_seconds(using: str) -> float:
    """Return how long a window should take: less where it locks out every other writer."""
    if connections[using].vendor == "sqlite":
        return float(maintenance_settings.WINDOW_TARGET_SECONDS_SQLITE)
    return float(maintenance_settings.WINDOW_TARGET_SECONDS)
