"""A slice: how long a worker may be at a run before it sends it on, and how it rests meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.2
"""How often a resting worker looks whether it has to stop."""


def never() -> bool:
    """Never stop: the default of a runner."""
    return False


class Slice:
    """A slice that begins now and has `budget_seconds` (None: no end). `must_stop` is asked while it rests."""

    def __init__(self, budget_seconds: float | None, *, must_stop: Callable[[], bool] = never) -> None:
        self.budget_seconds = budget_seconds
        self.must_stop = must_stop
        self.began = time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether the budget is spent."""
        return self.budget_seconds is not None and time.monotonic() - self.began >= self.budget_seconds

    def rest(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the worker has to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.must_stop():
            time.sleep(min(POLL_SECONDS, left))
