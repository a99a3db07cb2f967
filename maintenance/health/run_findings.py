"""Runs that are stuck, operations that fail, expiry that nobody clears."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import QuerySet

from ..models import HELD_BY_WORKER, Run, RunStatus
from ..operations import Operation, OperationKind, all_operations
from ..settings import maintenance_settings
from .findings import Finding, Level
from .liveness import installed_at

FAILURES_AT_MOST = 3
"""So many failures in a row are more than bad luck."""
LISTED_AT_MOST = 20
CLEARED_WITHIN = timedelta(days=7)
SECURITY_DAYS = 7


def find_runs(now: datetime) -> tuple[dict[str, Any], list[Finding]]:
    """Return the number of stuck runs and the operations that fail, with what to do."""
    stuck = stuck_runs(now)
    failing = [finding for operation in all_operations() for finding in _failing(operation, now)]
    operations = sorted({finding.message.split(" ")[0] for finding in failing})
    figures = {"stuck_runs": len(stuck), "failing_operations": operations}
    return figures, [*[_stuck(run) for run in stuck], *failing, *_uncleared(now)]


def stuck_runs(now: datetime) -> list[Run]:
    """Return runs whose worker has been lost for a lease and more, and that no sweep took back; the first twenty."""
    limit = now - timedelta(seconds=maintenance_settings.LEASE_SECONDS)
    return list(_runs().filter(status__in=HELD_BY_WORKER, lease_until__lt=limit)[:LISTED_AT_MOST])


def last_success(operation: str) -> Run | None:
    """Return the last run of `operation` that succeeded."""
    return _ended(operation).filter(status=RunStatus.SUCCEEDED).first()


def last_ended(operation: str) -> Run | None:
    """Return the last run of `operation` that succeeded or failed."""
    return _ended(operation).first()


def _stuck(run: Run) -> Finding:
    return Finding(
        key="run_stuck",
        level=Level.UNHEALTHY,
        message=f"{run.operation} has lost its worker ({run.lease_holder or 'unknown'}), and no sweep took it back. "
        "See that beat and a worker are up: the sweep mends it within a minute.",
        since=run.lease_until,
        run=run.pk,
    )


def _failing(operation: Operation, now: datetime) -> list[Finding]:
    if operation.kind is OperationKind.SECURITY:
        return [_failure(run, 1, is_grave=True) for run in _unmended(operation.name, now)]
    last = list(_ended(operation.name)[:FAILURES_AT_MOST])
    failures = 0
    for run in last:
        if run.status != RunStatus.FAILED:
            break
        failures += 1
    return [_failure(last[0], failures, is_grave=failures >= FAILURES_AT_MOST)] if failures else []


def _failure(run: Run, failures: int, *, is_grave: bool) -> Finding:
    often = {1: "failed", 2: "failed twice in a row"}.get(failures, f"failed {failures} times in a row")
    return Finding(
        key="operation_failing",
        level=Level.UNHEALTHY if is_grave else Level.WARNING,
        message=f"{run.operation} {often} ({run.error_class}). See the run's page; a retry goes on where it stopped.",
        since=run.finished,
        run=run.pk,
    )


def _unmended(operation: str, now: datetime) -> list[Run]:
    """Return failed runs whose work no later run has done: what they were to end may be valid still."""
    recent = _ended(operation).filter(created__gt=now - timedelta(days=SECURITY_DAYS))
    failed = list(recent.filter(status=RunStatus.FAILED)[:LISTED_AT_MOST])
    return [run for run in failed if not _is_mended(run)]


def _is_mended(run: Run) -> bool:
    later = _ended(run.operation).filter(status=RunStatus.SUCCEEDED, created__gte=run.created)
    return later.filter(arguments=run.arguments).exists()


def _uncleared(now: datetime) -> list[Finding]:
    last = last_success("clear_expired")
    since = last.finished if last is not None else installed_at()
    if since is None or now - since < CLEARED_WITHIN:
        return []
    what = "has not succeeded for a week" if last is not None else "has never succeeded"
    return [
        Finding(
            key="never_run" if last is None else "success_too_old",
            level=Level.WARNING,
            message=f"clear_expired {what}: tokens pile up. Enable its schedule, or run manage.py cleartokens nightly.",
            since=since,
            run=last.pk if last is not None else None,
        )
    ]


def _ended(operation: str) -> QuerySet[Run]:
    statuses = (RunStatus.SUCCEEDED, RunStatus.FAILED)
    return (
        _runs()
        .filter(operation=operation, parent=None, status__in=statuses, dry_run=False)
        .order_by("-created")
    )


def _runs() -> QuerySet[Run]:
    return Run.objects.using(router.db_for_write(Run)).order_by("created")
