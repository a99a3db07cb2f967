"""What a preview may cost: rows looked at, and time. A page answers at once; a dry run at a terminal is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.db import OperationalError, connections, transaction

from ..settings import maintenance_settings

SHORTEST_SECONDS = 0.004
"""Left for a statement: with less, none is begun."""
STEPS_BETWEEN_LOOKS = 5000
"""Of SQLite's virtual machine, between two looks at the clock."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """`rows` of each table, and all of it before `deadline`, a time of the monotonic clock."""

    rows: int
    deadline: float

    @property
    def seconds(self) -> float:
        """What is left."""
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def has_time(self) -> bool:
        return self.seconds > SHORTEST_SECONDS

    def part(self, of: float) -> Budget:
        """Return one of `of` equal parts of the time that is left."""
        return replace(self, deadline=time.monotonic() + self.seconds / of)

    @contextmanager
    def statement(self, using: str) -> Iterator[None]:
        """Have a statement inside end in an OperationalError when the time is up; where it is, begin none."""
        seconds = self.seconds
        if seconds <= SHORTEST_SECONDS:
            raise OperationalError("no time is left for it")
        with statement_limit(using, seconds):
            yield


def budget_of_a_page() -> Budget:
    """Return what a preview in the admin may cost, from now on."""
    return _budget(maintenance_settings.PREVIEW_ROWS, maintenance_settings.PREVIEW_SECONDS)


def budget_of_a_dry_run() -> Budget:
    """Return what `--dry-run` may cost, from now on."""
    return _budget(maintenance_settings.DRY_RUN_ROWS, maintenance_settings.DRY_RUN_SECONDS)


def _budget(rows: int, seconds: float) -> Budget:
    return Budget(rows=rows, deadline=time.monotonic() + seconds)


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
