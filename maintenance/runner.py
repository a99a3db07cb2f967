"""The loop that works a run: windows in short transactions, with the run's own record in each of them.

A window's rows, the cursor, the counts and the heartbeat change in one transaction, guarded by the fence: a worker
that was overtaken changes nothing. What is done is counted once, whenever the worker is lost. Where the rows live in
another database than the run, the cursor follows the window at once and a window may be worked again, which
is harmless to the rows and may miss a count.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from oauth2_provider.batching import PASSING

from . import shards
from .cursors import after_window, carried_over, fits, fresh_cursor, progress_of_cursor
from .database import check_foreign_keys, close_unusable, reset_timeouts, set_timeouts
from .dispatch import send
from .exceptions import FencedOut, ShardFailed, SliceSpent
from .models import ENDED, WAITING, Run, RunEvent, RunStatus
from .operations import Job, Operation, OperationKind, Stage, WindowResult, get_operation
from .record import RunRecord, job_of
from .settings import maintenance_settings
from .signals import run_started
from .slices import Slice, never
from .throttles import Hold, find_hold, find_switch_hold, is_over_time, rest_seconds
from .tracing import set_attributes, span
from .windows import WindowSizes

logger = logging.getLogger(__name__)

LOST = (OperationalError, InterfaceError)  # maybe a lost connection
PATHS = {"set-based": "by set-based statements", "orm": "through the ORM, which is slower"}


class Runner:
    """Works one run in this process.

    `budget_seconds` is how long before it stops between two windows and sends the run on (None: to the end).
    `must_stop` is asked between windows. `on_window` is told the run after each, for progress bars. `out_of_time` is
    what a time limit raises in the middle of the work: the run is left to the next slice, as from a lost worker.
    """

    def __init__(
        self,
        run_id: Any,
        *,
        budget_seconds: float | None = None,
        must_stop: Callable[[], bool] = never,
        on_window: Callable[[Run], None] | None = None,
        window_rows: int | None = None,
        out_of_time: tuple[type[Exception], ...] = (),
    ) -> None:
        self.run_id = run_id
        self.slice = Slice(budget_seconds, must_stop=must_stop)
        self.on_window = on_window
        self.sizes = WindowSizes(fixed=window_rows)
        self.out_of_time = out_of_time
        self.record: RunRecord
        self.stages: Sequence[Stage] = ()
        self.is_beyond_mending = False

    @property
    def run(self) -> Run:
        """The run as it was read last."""
        return self.record.run

    def advance(self) -> Run | None:
        """Claim the run and work it until it ends or the slice is over.

        Returns None where there is nothing to claim: it has ended, waits, or another worker has it.
        """
        record = RunRecord.claim(self.run_id)
        if record is None:
            return None
        self.record = record
        if self.run.attempts == 1 and self.run.parent_id is None:
            run_started.send_robust(sender=Run, run=self.run)
        try:
            with self._span("slice", attempt=self.run.attempts):
                self._work_with_retries()
        except FencedOut:
            logger.info("another worker has the run", extra={"action": "fenced_out", "run": str(self.run_id)})
        except SliceSpent as spent:
            self.record.give_back(str(spent))
        except self.out_of_time:
            self.record.give_back("the time limit of a task was reached")
        except Exception as error:
            self.record.fail(error)
        if self.run.parent_id is not None and self.run.status in ENDED:
            shards.wake_parent(self.run)
        return self.run

    def _work_with_retries(self) -> None:
        """Work; what is lost between two windows is mended from the cursor on, unless that brings no progress.

        A window mends its own losses: what it could not mend is raised.
        """
        lost: Exception | None = None
        attempt, mended_at = 0, None
        while True:
            try:
                if lost is not None:
                    self._recover(lost, attempt)
                return self._work()
            except LOST as error:
                attempt = attempt + 1 if self.run.cursor == mended_at else 1
                lost, mended_at = error, self.run.cursor
                if self.is_beyond_mending or attempt == maintenance_settings.WINDOW_ATTEMPTS:
                    raise

    def _work(self) -> None:
        operation = get_operation(self.run.operation)
        job = job_of(self.run)
        self.stages = operation.stages(job)
        self._begin(job)
        if not fits(self.run.cursor, self.stages) and self._awaits_former_stages():
            return
        while True:
            if self._is_stopped():
                return
            if self.run.cursor["stage"] < len(self.stages):
                if self._is_sharded and self._awaits_shards():
                    return
                if not self._is_sharded:
                    self._advance_stage()
                continue
            if left := operation.remaining(job) if self.run.parent_id is None else 0:
                self.record.note(RunEvent.Kind.NOTE, text=f"{left} rows left: another pass")
                self._save(self._fresh_cursor(job))
            elif self._succeed(operation):
                return
            elif self.run.is_requested_again:
                job = self._begin_again(operation)

    def _succeed(self, operation: Operation) -> bool:
        """End the run; False where it must not: somebody asked for what it does since its cutoff, or to stop it.

        Only a security operation owes anything to those who asked after it had begun.
        """
        self.record.leave(
            RunStatus.SUCCEEDED,
            RunEvent.Kind.SUCCEEDED,
            unless_requested_again=operation.kind is OperationKind.SECURITY,
            progress=1.0,
        )
        return self.run.status == RunStatus.SUCCEEDED

    def _begin_again(self, operation: Operation) -> Job:
        """Go back to the first stage with a cutoff that covers every request so far; returns the job with it."""
        with transaction.atomic(using=self.record.alias):
            self.record.answer_requests()  # holds the row: who asks from here on is answered by yet another pass
            job = replace(job_of(self.run), cutoff=timezone.now())
            self.stages = operation.stages(job)
            self._save(self._fresh_cursor(job))
        self.record.note(RunEvent.Kind.NOTE, text="requested again: another pass")
        return job

    def _is_stopped(self) -> bool:
        """Act on what somebody asked for, on the end of the slice and on throttles; True: the slice is over."""
        if self.run.status == RunStatus.PAUSING:
            self.record.leave(RunStatus.PAUSED, RunEvent.Kind.PAUSED)
        elif self.run.status == RunStatus.CANCELLING:
            self.record.leave(RunStatus.CANCELLED, RunEvent.Kind.CANCELLED)
        elif self.slice.must_stop():
            self._interrupt("the worker shuts down")
        elif self.slice.is_spent:
            self._interrupt("")
        else:
            return self._is_held()
        return True

    @property
    def _is_urgent(self) -> bool:
        """Whether no throttle is for it."""
        return get_operation(self.run.operation).kind is OperationKind.SECURITY

    def _is_held(self) -> bool:
        if self._is_urgent:
            return False
        if self.slice.budget_seconds is None:
            return self._hold_by(find_switch_hold())
        if is_over_time(self.run) and self._is_paused_for_its_time():
            return True
        return self._hold_by(find_hold(self.run, self._using()))

    def _is_paused_for_its_time(self) -> bool:
        """Pause the run until somebody resumes it; a shard pauses the whole. False: the whole has ended."""
        limit = f"worked for RUN_SECONDS ({maintenance_settings.RUN_SECONDS} s); resume it to go on"
        if self.run.parent_id is None:
            self.record.leave(RunStatus.PAUSING, RunEvent.Kind.HELD, text=limit)
        else:
            shards.pause_parent(self.run, limit, actor=self.record.holder)
            self.record.reload()
        if self.run.status != RunStatus.PAUSING:
            return False
        self.record.leave(RunStatus.PAUSED, RunEvent.Kind.PAUSED, hold_reason=limit)
        return True

    def _hold_by(self, hold: Hold | None) -> bool:
        if hold is None:
            return False
        self._let_go(RunEvent.Kind.HELD, hold.reason, seconds=hold.seconds)
        return True

    # -- stages and windows

    def _begin(self, job: Job) -> None:
        if "positions" in self.run.cursor:
            return
        path, reasons = get_operation(self.run.operation).path(job)
        self.record.note(RunEvent.Kind.NOTE, text="; ".join([f"rows go {PATHS[path]}", *reasons]))
        self._save(self._fresh_cursor(job))

    def _fresh_cursor(self, job: Job) -> dict[str, Any]:
        return fresh_cursor(self.stages, cutoff=job.cutoff, number=self.run.cursor.get("pass", 0) + 1)

    def _awaits_former_stages(self) -> bool:
        """Go on with the stages as they are now; True: shards of the one it is at are still at work.

        An upgrade or a setting has changed them since the run began.
        """
        if self._is_sharded and shards.shards_of_stage(self.run).exists() and self._awaits_shards():
            return True
        is_shard = self.run.parent_id is not None
        self._save(carried_over(self.run.cursor, self.stages, is_shard=is_shard))
        self.record.note(
            RunEvent.Kind.NOTE, text="its stages are others than when it began: going on with these"
        )
        return False

    def _advance_stage(self) -> None:
        """Work one window, or step to the next stage."""
        cursor = self.run.cursor
        if cursor["positions"][cursor["stage"]] is None:
            self._save({**cursor, "stage": cursor["stage"] + 1})
        else:
            self._window_with_retries()

    @property
    def _is_sharded(self) -> bool:
        return self.run.shards > 1

    def _awaits_shards(self) -> bool:
        """Start the shards of the stage, or take them over; True: some are at work, and the run rests till then."""
        cursor = self.run.cursor
        number = cursor["stage"]
        statuses = set(shards.shards_of_stage(self.run).values_list("status", flat=True))
        if cursor["positions"][number] is None:
            self._save({**cursor, "stage": number + 1})
            return False
        if statuses & {RunStatus.FAILED, RunStatus.CANCELLED}:
            raise ShardFailed
        if statuses == {RunStatus.SUCCEEDED}:
            with transaction.atomic(using=self.record.alias):
                done = {"counts": shards.gather(self.run), "seconds": shards.seconds_worked(self.run)}
                self._save({**cursor, "stage": number + 1}, **done)
            return False
        if not statuses:
            with transaction.atomic(using=self.record.alias):
                self._save(cursor)
                shards.start_shards(self.run, self.stages[number])
        shards.resume_left_behind(self.run)
        self._let_go(RunEvent.Kind.HELD, shards.AT_WORK, seconds=maintenance_settings.LEASE_SECONDS)
        shards.wake_if_none_is_open(self.run)
        return True

    def _window_with_retries(self) -> None:
        attempts = maintenance_settings.WINDOW_ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                seconds = self._traced_window()
            except PASSING as error:
                if attempt == attempts:
                    self.is_beyond_mending = True
                    raise
                self._recover(error, attempt)
            else:
                self.sizes.recover()
                self.slice.rest(rest_seconds(seconds, self._using(), is_urgent=self._is_urgent))
                return

    def _traced_window(self) -> float:
        stage, before = self.stages[self.run.cursor["stage"]].name, sum(self.run.counts.values())
        with self._span("window", stage=stage, size=self._size()) as current:
            seconds = self._window()
            set_attributes(current, rows=sum(self.run.counts.values()) - before)
        return seconds

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
                cursor = after_window(cursor, number, result.position if result else None)
                is_joint = using == self.record.alias
                if is_joint:
                    check_foreign_keys(using)
                    self._store_window(cursor, result, seconds=time.monotonic() - began, size=size)
        finally:
            reset_timeouts(using)
        if not is_joint:
            self._store_window(cursor, result, seconds=time.monotonic() - began, size=size)
        self.record.accept()
        if self.on_window is not None:
            self.on_window(self.run)
        return time.monotonic() - began

    def _recover(self, error: Exception, attempt: int) -> None:
        """Pause and make ready to try again. Raises SliceSpent where the slice is over: the next one goes on."""
        if self.slice.is_spent:
            with suppress(*LOST):  # with the database away, the lease runs out
                self._make_ready(error, attempt)
            raise SliceSpent(type(error).__name__) from error
        self.slice.rest(random.uniform(0.05, 0.2) * 2**attempt)  # noqa: S311 - jitter
        self._make_ready(error, attempt)

    def _make_ready(self, error: Exception, attempt: int) -> None:
        """See to a sound connection, the row as it is, a smaller window and a lease for it."""
        close_unusable(self.record.alias, self._using())
        self.record.reload()
        self.record.note(RunEvent.Kind.RETRIED, text=f"{type(error).__name__}, attempt {attempt}")
        before, size = self.sizes.halve(self.run.window_rows)
        self.record.renew(window_rows=None if self.sizes.fixed else size)
        if size < before:
            self.record.note(RunEvent.Kind.WINDOW_RESIZED, text=f"{before} rows to {size}")

    # -- the record

    def _save(self, cursor: dict[str, Any], **done: Any) -> None:
        self.record.store(cursor, progress=progress_of_cursor(cursor, self.stages), **done)
        self.record.accept()

    def _store_window(
        self, cursor: dict[str, Any], result: WindowResult | None, *, seconds: float, size: int
    ) -> None:
        progress, using = progress_of_cursor(cursor, self.stages), self._using()
        self.record.store_window(
            cursor, progress=progress, result=result, seconds=seconds, size=size, using=using
        )

    def _interrupt(self, why: str) -> None:
        self._let_go(RunEvent.Kind.INTERRUPTED, why)
        if self.run.status == RunStatus.INTERRUPTED:
            send(self.run)

    def _let_go(self, kind: RunEvent.Kind, why: str, *, seconds: float | None = None) -> None:
        """Leave the run to whoever comes next, not within `seconds`; or pause or cancel it, if asked this moment."""
        waits: dict[str, Any] = {}
        if seconds is not None:
            waits = {"not_before": timezone.now() + timedelta(seconds=seconds), "hold_reason": why}
        self.record.leave(RunStatus.INTERRUPTED, kind, text=why, **waits)
        if self.run.status != RunStatus.INTERRUPTED:
            self._is_stopped()

    # -- small things

    def _span(self, name: str, **attributes: Any) -> AbstractContextManager[Any]:
        return span(name, run=str(self.run.pk), operation=self.run.operation, **attributes)

    def _using(self) -> str:
        number = min(self.run.cursor.get("stage", 0), len(self.stages) - 1)
        return self.stages[number].using() if self.stages else self.record.alias

    def _size(self) -> int:
        return self.sizes.next(self.run.window_rows)


def run_here(run: Run, **options: Any) -> Run:
    """Work `run` in this process, without Celery, until it ends or stops; throttles do not hold it.

    The shards of a sharded run are worked one after the other.
    """
    while True:
        claimed = Runner(run.pk, **options).advance()
        run = Run.objects.get(pk=run.pk)
        if claimed is None or run.shards == 1 or run.status != RunStatus.INTERRUPTED:
            return run
        for shard in shards.shards_of_stage(run).filter(status__in=WAITING):
            Runner(shard.pk, **options).advance()
