"""Counting for a preview: bounded in rows and in time, however large the tables are."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import OperationalError, connections, transaction
from django.db.models import DateTimeField, Max, Min, Model, QuerySet

from oauth2_provider.batching import counted_up_to, estimated_count, estimated_total

from ..settings import maintenance_settings
from .base import Inexact, Preview

SAMPLES = 5
SHORTEST_SECONDS = 0.05
STEPS_BETWEEN_LOOKS = 5000
"""Of SQLite's virtual machine, between two looks at the clock."""


class Tally:
    """Adds up what a run would deal with.

    No count goes beyond PREVIEW_ROWS. All statements together take about PREVIEW_SECONDS; what comes after that is
    left to the engine's own estimate.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: dict[str, int] = {}
        self.samples: dict[str, list[str]] = {}
        self.inexact: dict[str, Inexact] = {}
        self._ages: list[datetime] = []
        self._deadline = time.monotonic() + maintenance_settings.PREVIEW_SECONDS

    @property
    def has_time(self) -> bool:
        return time.monotonic() < self._deadline

    def add(self, rows: QuerySet[Any], *, reason: str | None = None) -> int:
        """Count `rows` under their table and, where given, under `reason`; returns how many."""
        table = rows.model._meta.db_table
        count, doubt = self._count(rows)
        self.counts[table] += count
        if reason is not None:
            self.reasons[reason] = count
        if doubt is not None:
            self.inexact.update({name: doubt for name in (table, reason) if name is not None})
        if count:
            self._look_at(rows, reason or table)
        return count

    def add_parts(self, parts: Iterable[QuerySet[Any]]) -> None:
        """Add rows of one table part by part, until PREVIEW_ROWS are counted or the time is up."""
        for rows in parts:
            table = rows.model._meta.db_table
            if self.counts[table] >= maintenance_settings.PREVIEW_ROWS or not self.has_time:
                self.inexact.setdefault(table, Inexact.AT_LEAST)
                return
            self.add(rows)

    def keys(self, rows: QuerySet[Any], at_most: int) -> list[Any]:
        """Return the keys of `rows`, no more than `at_most`; none where there is no time for it."""
        try:
            with statement_limit(rows.db, self._seconds()):
                return list(rows.order_by().values_list("pk", flat=True)[:at_most])
        except OperationalError:
            return []

    def add_ages(self, moments: Iterable[datetime | None]) -> None:
        """Widen the span from the oldest to the newest."""
        self._ages += [moment for moment in moments if moment is not None]

    def preview(self, *, path: str, warnings: list[str], **values: Any) -> Preview:
        """Return the preview of all that was added."""
        return Preview(
            counts=dict(self.counts),
            reasons=self.reasons,
            samples=self.samples,
            inexact=self.inexact,
            oldest=min(self._ages, default=None),
            newest=max(self._ages, default=None),
            path=path,
            warnings=warnings,
            **values,
        )

    def _count(self, rows: QuerySet[Any]) -> tuple[int, Inexact | None]:
        most = maintenance_settings.PREVIEW_ROWS
        try:
            with statement_limit(rows.db, self._seconds()):
                count = counted_up_to(rows, most)
        except OperationalError:
            return _estimate(rows), Inexact.ABOUT
        return count, Inexact.AT_LEAST if count >= most else None

    def _look_at(self, rows: QuerySet[Any], name: str) -> None:
        """Take a few keys and the ages, where there is time for it."""
        try:
            with statement_limit(rows.db, self._seconds()):
                self.samples[name] = [
                    str(key) for key in rows.order_by().values_list("pk", flat=True)[:SAMPLES]
                ]
                if _is_dated(rows.model):
                    counted = rows.order_by()[: maintenance_settings.PREVIEW_ROWS]
                    ages = counted.aggregate(oldest=Min("created"), newest=Max("created"))
                    self.add_ages(ages.values())
        except OperationalError:
            return

    def _seconds(self) -> float:
        return max(self._deadline - time.monotonic(), SHORTEST_SECONDS)


@contextmanager
def statement_limit(using: str, seconds: float) -> Iterator[None]:
    """Have a statement inside that takes longer than `seconds` end in an OperationalError; leave all as it was."""
    limits = {"postgresql": _on_postgresql, "mysql": _on_mysql, "sqlite": _on_sqlite}
    limit = limits.get(connections[using].vendor)
    if limit is None:
        yield
        return
    with limit(using, seconds):
        yield


def _is_dated(model: type[Model]) -> bool:
    """Tell whether rows say when they came to be: a column of that name may hold something else."""
    return any(field.name == "created" and isinstance(field, DateTimeField) for field in model._meta.fields)


def _estimate(rows: QuerySet[Any]) -> int:
    if connections[rows.db].vendor in ("postgresql", "mysql"):
        return estimated_count(rows, at_most=sys.maxsize)
    return estimated_total(rows.model, rows.db) or 0


@contextmanager
def _on_postgresql(using: str, seconds: float) -> Iterator[None]:
    """Local to a transaction, so that it is right behind a pooler; the savepoint undoes it after an error."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])
        yield
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _on_mysql(using: str, seconds: float) -> Iterator[None]:
    connection = connections[using]
    is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]
    name, value = (
        ("max_statement_time", seconds) if is_mariadb else ("max_execution_time", round(seconds * 1000))
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT @@SESSION.{name}")
        before = cursor.fetchone()[0]
        cursor.execute(f"SET SESSION {name} = %s", [value])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {name} = %s", [before])


@contextmanager
def _on_sqlite(using: str, seconds: float) -> Iterator[None]:
    connection = connections[using]
    connection.ensure_connection()
    deadline = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)
