"""How large the next window is: as many rows as fit the target time, approached smoothly."""

from __future__ import annotations

from django.db import connections

from .settings import maintenance_settings

SMOOTHING = 0.5
"""Weight of the newest window against those before."""


def next_size(size: int, seconds: float, using: str) -> int:
    """Return the rows of the window after one of `size` rows that took `seconds` on the database `using`.

    Grows by WINDOW_GROWTH at most, shrinks as far as it takes, stays within the minimum and the maximum.
    """
    fitting = size * target_seconds(using) / max(seconds, 0.001)
    smoothed = size + SMOOTHING * (fitting - size)
    grown = min(smoothed, size * maintenance_settings.WINDOW_GROWTH)
    lowest, highest = maintenance_settings.WINDOW_MINIMUM_ROWS, maintenance_settings.WINDOW_MAXIMUM_ROWS
    return int(min(max(grown, lowest), highest))


def target_seconds(using: str) -> float:
    """Return how long a window should take: less where it locks out every other writer."""
    if connections[using].vendor == "sqlite":
        return float(maintenance_settings.WINDOW_TARGET_SECONDS_SQLITE)
    return float(maintenance_settings.WINDOW_TARGET_SECONDS)
