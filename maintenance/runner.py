"""The loop that works a run: windows in short transactions, with the run's own record in each of them.

A window's rows, the cursor, the counts and the heartbeat change in one transaction, guarded by the fence: a worker
that was overtaken changes nothing. What is done is counted once, whenever the worker is lost. Where the rows live in
another database than the run, the cursor follows the window at once and a window may be worked again, which
is harmless to the rows and may miss a count.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from .database import keep_run_row_unlocked, reset_timeouts, set_timeouts
from .dispatch import send
from .exceptions import FencedOut, TransitionRefused
from .models import HELD_BY_WORKER, WAITING, Run, RunEvent, RunStatus
from .operations import Job, OperationKind, Stage, get_operation
from .runs import move, note
from .settings import maintenance_settings
from .signals import run_started
from .throttles import find_hold, is_over_time, rest_seconds
from .windows import next_size

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often a resting worker looks whether it has to stop."""


PASSING = (OperationalError, InterfaceError, IntegrityError)
"""What may be gone at the next try: deadlocks, timeouts, lost connections; a row that came to be held meanwhile."""


def never() -> bool:
    """Never stop: the default of `Runner`."""
    return False


class Runner:
    """Works one run in this process.

    `budget_seconds` is how long before it stops between two windows and sends the run on (None: to the end).
    `must_stop` is asked between windows. `on_window` is told the run after each, for progress bars.
    """

    def __init__(
        self,
        run_id: Any,
        *,
        budget_seconds: float | None = None,
        must_stop: Callable[[], bool] = never,
        on_window: Callable[[Run], None] | None = None,
        window_rows: int | None = None,
    ) -> None:
        self.run_id = run_id
        self.budget_seconds = budget_seconds
        self.must_stop = must_stop
        self.on_window = on_window
        self.window_rows = window_rows
        self.alias = router.db_for_write(Run)
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self.run: Run
        self.stages: Sequence[Stage] = ()

    def advance(self) -> Run | None:
        """Claim the run and work it until it ends or the slice is over.

        Returns None where there is nothing to claim: it has ended, waits, or another worker has it.
        """
        if not self._claim():
            return None
        try:
            self._work()
        except FencedOut:
            logger.info("another worker has the run", extra={"action": "fenced_out", "run": str(self.run_id)})
        except Exception as error:
            self._fail(error)
        return self.run

    # -- the slice

    def _claim(self) -> bool:
        now = timezone.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        released = Q(not_before__isnull=True) | Q(not_before__lte=now)
        rows = Run.objects.using(self.alias).filter(free, released, pk=self.run_id, status__in=WAITING)
        claimed = rows.update(
            status=RunStatus.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            lease_holder=self.holder,
            lease_until=self._lease_end(now),
            heartbeat=now,
            started=Coalesce("started", now),
            not_before=None,
            hold_reason="",
            sent=None,
        )
        if not claimed:
            return False
        self.run = Run.objects.using(self.alias).get(pk=self.run_id)
        note(self.run, RunEvent.Kind.STARTED, text=self.holder)
        if self.run.attempts == 1:
            run_started.send_robust(sender=Run, run=self.run)
        return True

    def _work(self) -> None:
        operation = get_operation(self.run.operation)
        started = time.monotonic()
        job = self._job()
        self.stages = operation.stages(job)
        self._begin(job)
        while True:
            if self._is_stopped(started):
                return
            if self._advance_stage():
                continue
            left = operation.remaining(job)
            if not left:
                self._succeed()
                return
            note(self.run, RunEvent.Kind.NOTE, text=f"{left} rows left: another pass")
            self._save(self._fresh_cursor(job), Counter(), seconds=0.0)

    def _is_stopped(self, started: float) -> bool:
        """Act on what somebody asked for, on the end of the slice and on throttles; True: the slice is over."""
        if self.run.status == RunStatus.PAUSING:
            self._leave(RunStatus.PAUSED, RunEvent.Kind.PAUSED)
        elif self.run.status == RunStatus.CANCELLING:
            self._leave(RunStatus.CANCELLED, RunEvent.Kind.CANCELLED)
        elif self.must_stop():
            self._interrupt("the worker shuts down")
        elif self.budget_seconds is not None and time.monotonic() - started >= self.budget_seconds:
            self._interrupt("")
        else:
            return self._is_held()
        return True

    def _is_held(self) -> bool:
        if get_operation(self.run.operation).kind is OperationKind.SECURITY or self.budget_seconds is None:
            return False
        if is_over_time(self.run):
            limit = f"worked for RUN_SECONDS ({maintenance_settings.RUN_SECONDS} s); resume it to go on"
            self._leave(RunStatus.PAUSING, RunEvent.Kind.HELD, text=limit)
            self._leave(RunStatus.PAUSED, RunEvent.Kind.PAUSED, hold_reason=limit)
            return True
        hold = find_hold(self.run, self._using())
        if hold is None:
            return False
        until = timezone.now() + timedelta(seconds=hold.seconds)
        self._leave(
            RunStatus.INTERRUPTED,
            RunEvent.Kind.HELD,
            text=hold.reason,
            not_before=until,
            hold_reason=hold.reason,
        )
        return True

    # -- stages and windows

    def _begin(self, job: Job) -> None:
        if "positions" in self.run.cursor:
            return
        self._save(self._fresh_cursor(job), Counter(), seconds=0.0)

    def _fresh_cursor(self, job: Job) -> dict[str, Any]:
        """Return a cursor before the first stage; the bounds of all stages are fixed now."""
        passes = self.run.cursor.get("pass", 0) + 1
        positions = [stage.begin() for stage in self.stages]
        return {"cutoff": job.cutoff.isoformat(), "pass": passes, "stage": 0, "positions": positions}

    def _advance_stage(self) -> bool:
        """Work one window, or step to the next stage; False: there is none."""
        cursor = self.run.cursor
        if cursor["stage"] >= len(self.stages):
            return False
        if cursor["positions"][cursor["stage"]] is None:
            self._save({**cursor, "stage": cursor["stage"] + 1}, Counter(), seconds=0.0)
            return True
        self._window_with_retries()
        return True

    def _window_with_retries(self) -> None:
        attempts = maintenance_settings.WINDOW_ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                seconds = self._window()
            except PASSING as error:
                if attempt == attempts:
                    raise
                self._recover(error, attempt)
            else:
                self._rest(rest_seconds(seconds))
                return

    def _window(self) -> float:
        """Work the next window in one transaction; returns the seconds it took."""
        cursor = self.run.cursor
        number = cursor["stage"]
        stage, using = self.stages[number], self._using()
        size = self._size()
        began = time.monotonic()
        set_timeouts(using)
        try:
            with transaction.atomic(using=using):
                set_timeouts(using, in_transaction=True)
                result = stage.work(cursor["positions"][number], size)
                counts = result.counts if result else Counter()
                cursor = self._cursor_after(number, result.position if result else None)
                seconds = time.monotonic() - began
                if using == self.alias:
                    keep_run_row_unlocked(using)
                    self._store(cursor, counts, seconds=seconds, size=size if result else None)
        finally:
            reset_timeouts(using)
        if using != self.alias:
            self._store(cursor, counts, seconds=seconds, size=size if result else None)
        self._reload()
        if self.on_window is not None:
            self.on_window(self.run)
        return time.monotonic() - began

    def _cursor_after(self, number: int, position: Any) -> dict[str, Any]:
        cursor = self.run.cursor
        positions = [*cursor["positions"]]
        positions[number] = position
        return {**cursor, "positions": positions, "stage": number if position is not None else number + 1}

    def _recover(self, error: Exception, attempt: int) -> None:
        """Make ready to try the window again: a sound connection, the row as it is, a smaller window, a pause."""
        for alias in {self.alias, self._using()}:
            connection = connections[alias]
            if not connection.in_atomic_block and not connection.is_usable():
                connection.close()
        self._reload()
        self.window_rows = max(maintenance_settings.WINDOW_MINIMUM_ROWS, self._size() // 2)
        note(self.run, RunEvent.Kind.RETRIED, text=f"{type(error).__name__}, attempt {attempt}")
        self._rest(random.uniform(0.05, 0.2) * 2**attempt)  # noqa: S311 - jitter

    # -- the record

    def _save(self, cursor: dict[str, Any], counts: Counter[str], *, seconds: float) -> None:
        self._store(cursor, counts, seconds=seconds, size=None)
        self._reload()

    def _store(
        self, cursor: dict[str, Any], counts: Counter[str], *, seconds: float, size: int | None
    ) -> None:
        """Write cursor, counts and lease under the fence. Raises FencedOut where another worker has the run."""
        now = timezone.now()
        has_progress = size is not None
        changed = (
            Run.objects.using(self.alias)
            .filter(pk=self.run_id, fence=self.run.fence, status__in=HELD_BY_WORKER)
            .update(
                cursor=cursor,
                counts=dict(Counter(self.run.counts) + counts),
                progress=self._progress(cursor),
                windows=F("windows") + int(has_progress),
                window_rows=next_size(size, seconds, self._using()) if size else F("window_rows"),
                seconds_worked=F("seconds_worked") + seconds,
                losses=0 if has_progress else F("losses"),
                heartbeat=now,
                lease_until=self._lease_end(now),
            )
        )
        if not changed:
            raise FencedOut

    def _reload(self) -> None:
        run = Run.objects.using(self.alias).get(pk=self.run_id)
        if run.fence != self.run.fence:
            raise FencedOut
        self.run = run

    def _progress(self, cursor: dict[str, Any]) -> float:
        if not self.stages:
            return 1.0
        number = cursor["stage"]
        if number >= len(self.stages):
            return 1.0
        position = cursor["positions"][number]
        inner = self.stages[number].fraction(position) if position is not None else 0.0
        return (number + inner) / len(self.stages)

    def _leave(self, status: RunStatus, kind: RunEvent.Kind, *, text: str = "", **values: Any) -> None:
        """Change the status as the worker that holds the run, and release it where it no longer does."""
        if status not in HELD_BY_WORKER:
            values = {"lease_until": None, **values}
        self._reload()
        try:
            move(self.run, status, **values)
        except TransitionRefused:
            # somebody asked to pause or cancel this moment: the next look at the status acts on it
            self._reload()
            return
        note(self.run, kind, text=text, actor=self.holder)

    def _interrupt(self, why: str) -> None:
        self._leave(RunStatus.INTERRUPTED, RunEvent.Kind.INTERRUPTED, text=why)
        if self.run.status == RunStatus.INTERRUPTED:
            send(self.run)
        else:
            self._is_stopped(time.monotonic())

    def _succeed(self) -> None:
        self._leave(RunStatus.SUCCEEDED, RunEvent.Kind.SUCCEEDED, progress=1.0)

    def _fail(self, error: Exception) -> None:
        """Store what went wrong; the cursor stays, a retry goes on from it. Then one log line."""
        lines = str(error).splitlines()
        # a database's DETAIL lines quote the values of a row: only the first line is kept
        self._reload_or_keep()
        move(
            self.run,
            RunStatus.FAILED,
            error_class=type(error).__name__,
            error_message=lines[0] if lines else "",
            traceback="".join(traceback.format_tb(error.__traceback__)),
        )
        note(self.run, RunEvent.Kind.FAILED, text=type(error).__name__)
        logger.error(
            "run failed",
            extra={"action": "run_failed", "run": str(self.run_id), "operation": self.run.operation},
        )

    def _reload_or_keep(self) -> None:
        connection = connections[self.alias]
        if not connection.in_atomic_block and not connection.is_usable():
            connection.close()

    # -- small things

    def _job(self) -> Job:
        cutoff = parse_datetime(self.run.cursor.get("cutoff", "")) or self.run.started
        return Job(arguments=self.run.arguments, cutoff=cutoff or timezone.now(), run_id=str(self.run_id))

    def _using(self) -> str:
        number = min(self.run.cursor.get("stage", 0), len(self.stages) - 1)
        return self.stages[number].using() if self.stages else self.alias

    def _size(self) -> int:
        if self.window_rows is not None:
            return self.window_rows
        return self.run.window_rows or maintenance_settings.WINDOW_INITIAL_ROWS

    def _lease_end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=maintenance_settings.LEASE_SECONDS)

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.must_stop():
            time.sleep(min(POLL_SECONDS, left))


def run_here(run: Run, **options: Any) -> Run:
    """Work `run` in this process, without Celery, until it ends; throttles do not hold it."""
    return Runner(run.pk, **options).advance() or Run.objects.get(pk=run.pk)
