"""A real runner in a thread, that a test leads window by window."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connections

from maintenance.models import Run
from maintenance.runner import Runner


class Worker:
    """A runner in a thread: it does one window, and then one each time it is told to."""

    def __init__(self, run: Run, *, window_rows: int) -> None:
        self.may_go = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._work, args=(run.pk, window_rows))
        self.is_over = False
        self.thread.start()

    def windows(self, count: int) -> None:
        for _ in range(count):
            self.may_go.release()

    def finish(self) -> None:
        self.is_over = True
        self.may_go.release()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()

    def _work(self, pk: Any, window_rows: int) -> None:
        try:
            Runner(pk, window_rows=window_rows, on_window=self._wait).advance()
        finally:
            connections.close_all()

    def _wait(self, run: Run) -> None:
        if not self.is_over:
            self.may_go.acquire(timeout=60)
