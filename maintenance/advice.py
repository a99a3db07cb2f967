"""What a large run leaves behind on PostgreSQL, and what an operator may do about it. Nothing is run by itself.

A delete marks rows dead; autovacuum makes their room usable again, but returns neither it nor that of the indexes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connections, router

from oauth2_provider.models import get_access_token_model

from .models import Run

LARGE_RUN_ROWS = 100_000
DEAD_SHARE = 0.2
BLOATED_INDEXES = 1.0
"""Indexes larger than so many times their table are worth a rebuild after a large run."""


@dataclass(frozen=True, kw_only=True)
class TableState:
    """A table after a run: rows by the statistics collector, sizes in bytes, and what to do."""

    table: str
    live_rows: int
    dead_rows: int
    last_autovacuum: datetime | None
    table_bytes: int
    index_bytes: int
    advice: list[str]


def table_states(run: Run) -> list[TableState]:
    """Return the tables that `run` took rows from; empty for a small run, and off PostgreSQL."""
    tables = [table for table, rows in run.total_counts.items() if rows]
    using = router.db_for_write(get_access_token_model())
    if run.rows < LARGE_RUN_ROWS or connections[using].vendor != "postgresql":
        return []
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_live_tup, n_dead_tup, last_autovacuum, pg_relation_size(relid), "
            "pg_indexes_size(relid) FROM pg_stat_user_tables WHERE relname = ANY(%s) ORDER BY relname",
            [tables],
        )
        return [
            TableState(
                table=table,
                live_rows=live,
                dead_rows=dead,
                last_autovacuum=vacuumed,
                table_bytes=table_bytes,
                index_bytes=index_bytes,
                advice=_advice(table, live, dead, is_bloated=index_bytes > BLOATED_INDEXES * table_bytes),
            )
            for table, live, dead, vacuumed, table_bytes, index_bytes in cursor.fetchall()
        ]


def _advice(table: str, live: int, dead: int, *, is_bloated: bool) -> list[str]:
    advice = []
    if dead > DEAD_SHARE * max(live, 1):
        advice.append(f"VACUUM (ANALYZE) {table}; or leave it to autovacuum, which will come soon.")
    else:
        advice.append(f"ANALYZE {table}; the planner's figures are from before.")
    if is_bloated:
        advice.append(f"REINDEX TABLE CONCURRENTLY {table}; its indexes keep the room of what is gone.")
    return advice
