"""purge_runs: delete the record of runs that ended long ago, with their events and what they archived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.db import router

from oauth2_provider.batching import Walk, Window, counted_up_to, delete_window

from ..models import ENDED, ArchivedApplication, Run, RunEvent
from ..settings import maintenance_settings
from .base import ArgumentsForm, Job, Operation, Preview, Stage
from .walks import WalkStage

COUNTED_AT_MOST = 1_000_000


class PurgeRunsForm(ArgumentsForm):
    days = forms.IntegerField(
        required=False,
        min_value=1,
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


class PurgeRuns(Operation):
    name = "purge_runs"
    title = "Purge runs"
    description = "Deletes the record of runs that ended long ago."
    form_class = PurgeRunsForm
    minimum_interval_seconds = 600.0

    def stages(self, job: Job) -> Sequence[Stage]:
        return [PurgeRunsStage(job, self._days(job))]

    def preview(self, job: Job) -> Preview:
        rows = PurgeRunsStage(job, self._days(job)).rows
        return Preview(counts={Run._meta.db_table: counted_up_to(rows, COUNTED_AT_MOST)})

    def _days(self, job: Job) -> int:
        return int(self.values(job.arguments)["days"] or maintenance_settings.RUN_RETENTION_DAYS)
