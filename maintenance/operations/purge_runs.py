"""purge_runs: delete the record of runs that ended long ago, with their events and what they archived.

Likewise what else is kept of the past: the audit trail, the hourly figures of tables, and signs of life of workers
that are no more; each for as long as its setting says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.db import router
from django.db.models import Max, Q, QuerySet

from oauth2_provider.batching import Walk, Window, delete_window, in_chunks

from ..models import ENDED, ArchivedApplication, AuditEvent, Heartbeat, Run, RunEvent, TableSnapshot
from ..settings import maintenance_settings
from .base import ArgumentsForm, Job, Number, Operation, Preview, Stage
from .fields import DAYS_AT_MOST
from .tally import Tally
from .walks import WalkStage

HEARTBEAT_DAYS = 7
RUNS_AT_MOST = 10_000
"""Whose events and archives a preview looks for."""
EVENTS_OF_A_RUN = 10
"""About: a preview looks into as many runs as have the rows that it may count."""


class PurgeRunsForm(ArgumentsForm):
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=DAYS_AT_MOST,
        help_text="Keep runs of the last so many days. Default: RUN_RETENTION_DAYS.",
    )


class PurgeRunsStage(WalkStage):
    name = "runs"

    def __init__(self, job: Job, days: int) -> None:
        self.rows = (
            Run.objects.using(router.db_for_write(Run))
            .filter(created__lt=job.cutoff - timedelta(days=days), status__in=ENDED, parent=None)
            .order_by()
        )

    def walk(self, by: Any = None) -> Walk:
        return Walk(rows=self.rows, fields=("created", "pk"))

    def with_shards(self) -> QuerySet[Run]:
        """Return the runs that go and the shards that go with them."""
        whole = Run.objects.using(self.rows.db).order_by()
        return whole.filter(Q(pk__in=self.rows.values("pk")) | Q(parent__in=self.rows.values("pk")))

    def tally_dependents(self, tally: Tally, keys: Sequence[Any], *, going: Number) -> None:
        """Add the events and archives that go with `going` runs, of which `keys` are looked into.

        By keys, a chunk at a time: for a subquery a planner may read those tables from end to end.
        """
        for model in (RunEvent, ArchivedApplication):
            stored, looked_at = model._base_manager.using(self.rows.db).order_by(), 0
            for chunk in in_chunks(keys, self.rows.db):
                if not tally.has_room(model._meta.db_table):
                    break
                tally.add(stored.filter(run__in=chunk))
                looked_at += len(chunk)
            tally.extrapolate(model._meta.db_table, looked_at=looked_at, of=going)

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        runs = self.rows.filter(walk.inside(window))
        keys = list(runs.values_list("pk", flat=True))
        stored = Run.objects.using(runs.db).order_by()
        shards = list(stored.filter(parent__in=keys).values_list("pk", flat=True))
        events = RunEvent.objects.using(runs.db).filter(run__in=[*keys, *shards]).order_by()
        archives = ArchivedApplication.objects.using(runs.db).filter(run__in=[*keys, *shards]).order_by()
        return Counter(
            {
                ArchivedApplication._meta.db_table: delete_window(archives),
                RunEvent._meta.db_table: delete_window(events),
                Run._meta.db_table: delete_window(stored.filter(pk__in=shards))
                + delete_window(stored.filter(pk__in=keys)),
            }
        )


class PurgeRecordStage(WalkStage):
    """Rows of one table of records, by their own date."""

    def __init__(self, name: str, rows: QuerySet[Any], order: str) -> None:
        self.name = name
        self.rows = rows.order_by()
        self.order = order

    def walk(self, by: Any = None) -> Walk:
        return Walk(rows=self.rows, fields=(self.order, "pk"))

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        rows = self.rows.filter(walk.inside(window))
        return Counter({self.rows.model._meta.db_table: delete_window(rows)})


class PurgeRuns(Operation):
    name = "purge_runs"
    title = "Purge runs"
    description = "Deletes the record of runs that ended long ago."
    form_class = PurgeRunsForm
    minimum_interval_seconds = 600.0

    def stages(self, job: Job) -> Sequence[Stage]:
        return [PurgeRunsStage(job, self._days(job)), *_record_stages(job)]

    def preview(self, job: Job) -> Preview:
        tally = Tally(job.budget)
        runs = PurgeRunsStage(job, self._days(job))
        going = tally.add(runs.with_shards())
        most = min(RUNS_AT_MOST, max(tally.budget.rows // EVENTS_OF_A_RUN, 1))
        runs.tally_dependents(tally, tally.keys(runs.with_shards(), most), going=going)
        for stage in _record_stages(job):
            tally.add(stage.rows, order=stage.order)
        return tally.preview(path="set-based", warnings=[])

    def _days(self, job: Job) -> int:
        return int(self.values(job.arguments)["days"] or maintenance_settings.RUN_RETENTION_DAYS)


def _record_stages(job: Job) -> list[PurgeRecordStage]:
    """Return the stages beside that of the runs. The newest figures stay: what was removed adds up from them."""
    kinds: tuple[tuple[str, Any, str, int], ...] = (
        ("audit_events", AuditEvent, "created", maintenance_settings.AUDIT_RETENTION_DAYS),
        ("table_snapshots", TableSnapshot, "hour", maintenance_settings.SNAPSHOT_RETENTION_DAYS),
        ("heartbeats", Heartbeat, "seen", HEARTBEAT_DAYS),
    )
    stages = []
    for name, model, order, days in kinds:
        stored = model.objects.using(router.db_for_write(model))
        rows = stored.filter(**{f"{order}__lt": job.cutoff - timedelta(days=days)})
        if model is TableSnapshot:
            rows = rows.filter(hour__lt=stored.aggregate(newest=Max("hour"))["newest"] or job.cutoff)
        stages.append(PurgeRecordStage(name, rows, order))
    return stages
