"""A run's row in the hands of the worker that holds it: every write is guarded by the fence."""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from oauth2_provider.models.lookup import change, find

from .database import close_unusable
from .dispatch import send
from .exceptions import FencedOut, TransitionRefused
from .models import HELD_BY_WORKER, WAITING, Run, RunEvent, RunStatus
from .operations import Job, WindowResult
from .runs import give_back, move, note
from .settings import maintenance_settings
from .windows import WindowMark, next_size, remember

logger = logging.getLogger(__name__)


class RunRecord:
    """The row of a claimed run. Raises FencedOut wherever another worker has taken the run over."""

    def __init__(self, run: Run, *, holder: str) -> None:
        self.run = run
        self.holder = holder
        self.alias = router.db_for_write(Run)
        self._stored = run

    @classmethod
    def claim(cls, run_id: Any) -> RunRecord | None:
        """Take the run by one conditional UPDATE; None where it has ended, waits, or is another worker's."""
        alias, now = router.db_for_write(Run), timezone.now()
        holder = f"{socket.gethostname()}:{os.getpid()}"
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        released = Q(not_before__isnull=True) | Q(not_before__lte=now)
        claimed = (
            Run.objects.using(alias)
            .filter(free, released, pk=run_id, status__in=WAITING)
            .update(
                status=RunStatus.RUNNING,
                fence=F("fence") + 1,
                attempts=F("attempts") + 1,
                lease_holder=holder,
                lease_until=_lease_end(now),
                heartbeat=now,
                started=Coalesce("started", now),
                not_before=None,
                hold_reason="",
                sent=None,
            )
        )
        if not claimed:
            return None
        record = cls(Run.objects.using(alias).get(pk=run_id), holder=holder)
        record.note(RunEvent.Kind.STARTED)
        return record

    def reload(self) -> None:
        """Read the row anew."""
        run = find(Run.objects.db_manager(self.alias), pk=self.run.pk)
        if run is None:
            raise Run.DoesNotExist
        if run.fence != self.run.fence:
            raise FencedOut
        self.run = run

    def accept(self) -> None:
        """Go on with the row as it was stored last. Where that is rolled back after all, `reload` tells."""
        self.run = self._stored

    def store(
        self,
        cursor: dict[str, Any],
        *,
        progress: float,
        counts: Counter[str] | None = None,
        seconds: float = 0.0,
        window_rows: int | None = None,
        mark: WindowMark | None = None,
    ) -> None:
        """Write where the run stands, and renew the lease. `accept` goes on from there.

        `window_rows`, the size of the next window, says that a window of rows was worked: progress, which
        clears the record of lost workers. `mark` is that window.
        """
        now = timezone.now()
        changes: dict[str, Any] = {
            "cursor": cursor,
            "counts": dict(Counter(self.run.counts) + (counts or Counter())),
            "progress": progress,
            "seconds_worked": self.run.seconds_worked + seconds,
            "heartbeat": now,
            "lease_until": _lease_end(now),
        }
        if window_rows is not None:
            changes.update(windows=self.run.windows + 1, window_rows=window_rows, losses=0)
        if mark is not None:
            changes["recent_windows"] = remember(self.run.recent_windows, mark)
        self._change(changes)

    def store_window(
        self,
        cursor: dict[str, Any],
        *,
        progress: float,
        result: WindowResult | None,
        seconds: float,
        size: int,
        using: str,
    ) -> None:
        """Write what a window of `size` rows on the database `using` did; None: it found the stage at its end."""
        if result is None:
            self.store(cursor, progress=progress, seconds=seconds)
            return
        counts = result.counts
        mark = WindowMark(
            ended=time.time(), size=size, rows=counts.total(), seconds=seconds, progress=progress
        )
        following = next_size(size, seconds, using, is_full=result.is_full)
        self.store(
            cursor, progress=progress, counts=counts, seconds=seconds, window_rows=following, mark=mark
        )

    def renew(self, *, window_rows: int | None = None) -> None:
        """Renew the lease without progress, as between two attempts; `window_rows` is the size of the next."""
        now = timezone.now()
        changes: dict[str, Any] = {"heartbeat": now, "lease_until": _lease_end(now)}
        if window_rows is not None:
            changes["window_rows"] = window_rows
        self._change(changes)

    def _change(self, changes: dict[str, Any]) -> None:
        rows, fence = Run.objects.db_manager(self.alias), self.run.fence
        stored = change(rows, self.run.pk, changes, fence=fence, status__in=HELD_BY_WORKER)
        if stored is None:
            raise FencedOut
        self._stored = stored

    def answer_requests(self) -> None:
        """Take note of those who asked again; the cutoff that is read after this covers them."""
        rows = Run.objects.using(self.alias).filter(pk=self.run.pk, fence=self.run.fence)
        if not rows.update(is_requested_again=False):
            raise FencedOut

    def leave(self, status: RunStatus, kind: RunEvent.Kind, *, text: str = "", **values: Any) -> None:
        """Change the status, and release the run where it is no worker's any more.

        Where somebody asked to pause or cancel this moment, that stands: `run.status` tells.
        """
        if status not in HELD_BY_WORKER:
            values = {"lease_until": None, **values}
        try:
            move(self.run, status, fence=self.run.fence, **values)
        except TransitionRefused:
            self.reload()
            return
        self.note(kind, text=text)

    def fail(self, error: Exception) -> None:
        """Store what went wrong; the cursor stays, a retry goes on from it. Then one log line.

        A database's DETAIL lines quote the values of a row: only the first line of the message is kept.
        """
        close_unusable(self.alias)
        lines = str(error).splitlines()
        try:
            move(
                self.run,
                RunStatus.FAILED,
                fence=self.run.fence,
                error_class=type(error).__name__,
                error_message=lines[0] if lines else "",
                traceback="".join(traceback.format_tb(error.__traceback__)),
            )
        except TransitionRefused:
            logger.info("another worker has the run", extra={"action": "fenced_out", "run": str(self.run.pk)})
            return
        self.note(RunEvent.Kind.FAILED, text=type(error).__name__)
        logger.error(
            "run failed",
            extra={"action": "run_failed", "run": str(self.run.pk), "operation": self.run.operation},
        )

    def give_back(self, why: str) -> None:
        """Leave the run to the next slice, which goes on from the cursor; without progress, not again and again."""
        close_unusable(self.alias)
        give_back(self.run, why)
        if self.run.status == RunStatus.INTERRUPTED:
            send(self.run)

    def note(self, kind: RunEvent.Kind, *, text: str = "") -> None:
        """Add to the run's log."""
        note(self.run, kind, text=text, actor=self.holder)


def job_of(run: Run) -> Job:
    """Return what the operation of `run` is given: the cutoff of its pass, or where none has begun, its start.

    What the operation keeps of its work (archives) it keeps for the whole, where `run` is a shard.
    """
    cutoff = parse_datetime(run.cursor.get("cutoff", "")) or run.started
    return Job(arguments=run.arguments, cutoff=cutoff or timezone.now(), run_id=str(run.parent_id or run.pk))


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=maintenance_settings.LEASE_SECONDS)
