"""The history of the token tables: once an hour their figures, and what came and went since the hour before.

Taken by the sweep. What runs removed is told apart from what was counted already by a note on the run itself,
written in the transaction of the figures: every row counts once, however often and wherever the sweep runs.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, models, router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .exceptions import UnknownOperation
from .models import Run, TableSnapshot
from .operations import get_operation
from .statistics import TableBacklog, backlog, token_models

OVERLAP = timedelta(minutes=10)
"""Runs are looked at again for so long after their end: a commit may come after the moment it names."""


def take_snapshot_if_due(now: datetime | None = None) -> list[TableSnapshot]:
    """Store this hour's figures where nobody has; returns them, or an empty list."""
    moment = now or timezone.now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if _rows().filter(hour__gte=hour).exists():
        return []
    figures = backlog(now=moment)  # before the transaction: the tables may be in another database
    try:
        with transaction.atomic(using=router.db_for_write(TableSnapshot)):
            return _take(figures, hour=hour, moment=moment)
    except IntegrityError:  # another sweep was faster
        return []


def latest_snapshots() -> dict[str, TableSnapshot]:
    """Return the newest snapshot by table."""
    newest = _rows().order_by("-hour").first()
    if newest is None:
        return {}
    return {snapshot.table: snapshot for snapshot in _rows().filter(hour=newest.hour)}


def removed_since(snapshot: TableSnapshot | None) -> Counter[str]:
    """Return the rows by table that runs removed and no snapshot has counted."""
    counts: Counter[str] = Counter()
    for run in _runs_since(snapshot):
        counts.update(_uncounted(run, run.total_counts))
    return counts


def _take(figures: list[TableBacklog], *, hour: datetime, moment: datetime) -> list[TableSnapshot]:
    before = latest_snapshots()
    newest = next(iter(before.values()), None)
    snapshots = [_snapshot(each, before.get(each.table), hour=hour, moment=moment) for each in figures]
    TableSnapshot.objects.using(router.db_for_write(TableSnapshot)).bulk_create(snapshots)
    removed: Counter[str] = Counter()
    for run in _runs_since(newest):
        counts = run.total_counts
        removed.update(_uncounted(run, counts))
        Run.objects.using(router.db_for_write(Run)).filter(pk=run.pk).update(snapshot_counts=counts)
    for snapshot in snapshots:
        _count(snapshot, before.get(snapshot.table), removed[snapshot.table])
        snapshot.save(update_fields=["created", "removed", "removed_total"])
    return snapshots


def _snapshot(
    figures: TableBacklog, before: TableSnapshot | None, *, hour: datetime, moment: datetime
) -> TableSnapshot:
    return TableSnapshot(
        table=figures.table,
        hour=hour,
        taken=moment,
        rows=figures.rows,
        expired=figures.expired,
        is_estimate=figures.is_estimate,
        highest_key=_highest_key(figures.table, before),
    )


def _highest_key(table: str, before: TableSnapshot | None) -> int | None:
    """Return the highest key that the table has had; None where keys are no numbers."""
    model: Any = next(model for model in token_models() if model._meta.db_table == table)
    if not isinstance(model._meta.pk, models.IntegerField):
        return None
    highest = model._base_manager.order_by("-pk").values_list("pk", flat=True).first()
    return max(highest or 0, (before.highest_key or 0) if before else 0)


def _count(snapshot: TableSnapshot, before: TableSnapshot | None, removed: int) -> None:
    """Fill in what came and went since `before`; for the first one there is no telling what came."""
    snapshot.removed = removed
    snapshot.removed_total = removed + (before.removed_total if before else 0)
    if before is None:
        return
    if snapshot.highest_key is not None and before.highest_key is not None:
        snapshot.created = snapshot.highest_key - before.highest_key
    else:
        snapshot.created = max(0, snapshot.rows - before.rows + removed)


def _runs_since(snapshot: TableSnapshot | None) -> QuerySet[Run]:
    """Return the runs that may have removed what `snapshot` has not counted; shards speak through their parent."""
    runs = Run.objects.using(router.db_for_write(Run)).filter(parent=None, dry_run=False)
    if snapshot is None:
        return runs
    return runs.filter(Q(finished=None) | Q(finished__gte=snapshot.taken - OVERLAP))


def _uncounted(run: Run, counts: dict[str, int]) -> Counter[str]:
    try:
        operation = get_operation(run.operation)
    except UnknownOperation:  # no longer installed
        return Counter()
    counted = operation.removed(run.snapshot_counts)
    return Counter(
        {
            table: rows - counted.get(table, 0)
            for table, rows in operation.removed(counts).items()
            if rows > counted.get(table, 0)
        }
    )


def _rows() -> QuerySet[TableSnapshot]:
    return TableSnapshot.objects.using(router.db_for_write(TableSnapshot)).all()
