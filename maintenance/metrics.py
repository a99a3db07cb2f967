"""Metrics in the text format of Prometheus, read from the database at each scrape.

No process keeps a counter: whichever process is asked, and whichever has been restarted, the figures are the same.
Needs the extra `prometheus`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import Count, Min, Q
from django.utils import timezone

from .exceptions import MaintenanceError
from .health import Status, collect_health
from .health.run_findings import last_ended, last_success
from .models import HELD_BY_WORKER, Heartbeat, MaintenanceSwitch, Run, RunStatus
from .operations import all_operations
from .snapshots import latest_snapshots, removed_since
from .statistics import backlog

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RECENT = timedelta(days=1)


class MetricsUnavailable(MaintenanceError):  # noqa: N818 - the fact
    """Metrics need prometheus_client: install the extra `prometheus`."""


def render_metrics() -> bytes:
    """Return all metrics as of now. Raises MetricsUnavailable without prometheus_client."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as exc:
        raise MetricsUnavailable from exc
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseCollector())
    return generate_latest(registry)


class DatabaseCollector:
    """Collects what the database says; for a registry of its own, or of the site's."""

    def describe(self) -> list[Any]:
        """Return nothing: to register asks no database."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield the metric families."""
        now = timezone.now()
        yield from _health(now)
        yield from _runs(now)
        yield from _operations()
        yield from _tables()
        yield from _signs_of_life()


def _gauge(name: str, documentation: str, *labels: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"maintenance_{name}", documentation, labels=labels)


def _single(name: str, documentation: str, value: float) -> Any:
    family = _gauge(name, documentation)
    family.add_metric([], value)
    return family


def _health(now: datetime) -> Iterator[Any]:
    health = collect_health(now)
    status = _gauge("health_status", "1 for the health that the site is in.", "status")
    for each in Status:
        status.add_metric([str(each)], float(each == health.status))
    yield status
    findings = _gauge("findings", "What a look at the health found, by kind.", "key", "level")
    kinds = sorted({(finding.key, str(finding.level)) for finding in health.findings})
    for key, level in kinds:
        found = [each for each in health.findings if (each.key, str(each.level)) == (key, level)]
        findings.add_metric([key, level], len(found))
    yield findings
    checks = health.checks
    if health.is_partial:
        return
    yield _single("stuck_runs", "Runs that lost their worker and were not taken back.", checks["stuck_runs"])
    yield _single("missed_schedules", "Schedules whose run did not come.", len(checks["missed_schedules"]))
    yield _single("broker_reachable", "1 where the broker answers.", float(checks["broker"]["reachable"]))
    held = MaintenanceSwitch.find_hold() is not None
    yield _single("held", "1 while the switch holds all hygiene work.", float(held))


def _runs(now: datetime) -> Iterator[Any]:
    runs = Run.objects.using(router.db_for_write(Run)).order_by()
    recent = runs.filter(Q(finished=None) | Q(finished__gte=now - RECENT), parent=None, dry_run=False)
    counted = {
        (row["operation"], row["status"]): row["runs"]
        for row in recent.values("operation", "status").annotate(runs=Count("pk"))
    }
    family = _gauge("runs", "Runs that are active, or ended in the last 24 hours.", "operation", "status")
    known = {operation.name for operation in all_operations()} | {name for name, _ in counted}
    for name in sorted(known):
        for status in RunStatus:
            family.add_metric([name, str(status)], counted.get((name, str(status)), 0))
    yield family
    oldest = runs.filter(status__in=HELD_BY_WORKER).aggregate(oldest=Min("heartbeat"))["oldest"]
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield _single(
        "lease_age_seconds", "Since the last window of the run at work that is the most silent.", age
    )


def _operations() -> Iterator[Any]:
    success = _gauge("last_success_timestamp_seconds", "When the operation last succeeded.", "operation")
    duration = _gauge(
        "last_run_duration_seconds", "From start to end of the last run, rests included.", "operation"
    )
    worked = _gauge("last_run_worked_seconds", "Seconds in windows of the last run.", "operation")
    for operation in all_operations():
        succeeded = last_success(operation.name)
        if succeeded is not None and succeeded.finished is not None:
            success.add_metric([operation.name], succeeded.finished.timestamp())
        ended = last_ended(operation.name)
        if ended is not None and ended.started is not None and ended.finished is not None:
            duration.add_metric([operation.name], (ended.finished - ended.started).total_seconds())
            worked.add_metric([operation.name], ended.seconds_worked)
    yield from (success, duration, worked)


def _tables() -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily

    rows = _gauge("table_rows", "Rows of the token table, estimated where it is big.", "table")
    expired = _gauge("backlog_rows", "Rows past their time, estimated where there are many.", "table")
    oldest = _gauge("oldest_expired_timestamp_seconds", "Since when the oldest such row is over.", "table")
    removed = CounterMetricFamily("maintenance_rows_removed", "Rows that runs removed.", labels=["table"])
    snapshots = latest_snapshots()
    since = removed_since(next(iter(snapshots.values()), None))
    for figures in backlog():
        table = figures.table
        rows.add_metric([table], figures.rows)
        expired.add_metric([table], figures.expired)
        if figures.oldest_expired is not None:
            oldest.add_metric([table], figures.oldest_expired.timestamp())
        total = snapshots[table].removed_total if table in snapshots else 0
        removed.add_metric([table], total + since[table])
    yield from (rows, expired, oldest, removed)


def _signs_of_life() -> Iterator[Any]:
    seen = _gauge("last_seen_timestamp_seconds", "When it was last seen.", "role", "name", "queue")
    for heartbeat in Heartbeat.objects.using(router.db_for_write(Heartbeat)).order_by(
        "role", "name", "queue"
    ):
        seen.add_metric([heartbeat.role, heartbeat.name, heartbeat.queue], heartbeat.seen.timestamp())
    yield seen
