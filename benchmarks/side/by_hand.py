"""The clear-out as one would write it in SQL for this data alone: windows by primary key, or by what expires.

Options: `window` in rows; `by` is "pk" or "expires"; `nice`, seconds of rest for each second of work.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import django

django.setup()

from django.db import connection  # noqa: E402
from side.measure import measure, options  # noqa: E402

IDLE_AFTER = "interval '1 day'"
UNHOOK = """
WITH gone AS ({delete} RETURNING id), unhooked AS (
  UPDATE oauth2_provider_accesstoken SET source_refresh_token_id = NULL
  WHERE source_refresh_token_id = ANY (ARRAY(SELECT id FROM gone)))
SELECT count(*) FROM gone
"""
HELD_BY_REFRESH = "EXISTS (SELECT FROM oauth2_provider_refreshtoken r WHERE r.access_token_id = t.id)"
HELD_BY_ACCESS = "EXISTS (SELECT FROM oauth2_provider_accesstoken a WHERE a.id_token_id = t.id)"
IDLE = (
    "revoked IS NULL AND EXISTS (SELECT FROM oauth2_provider_accesstoken a "
    f"WHERE a.id = t.access_token_id AND a.expires < now() - {IDLE_AFTER})"
)
STAGES = (
    ("refreshtoken", "revoked", "revoked < now()"),
    ("refreshtoken", "id", "access_token_id IS NULL AND revoked IS NULL"),
    ("refreshtoken", "id", IDLE),
    ("accesstoken", "expires", f"expires < now() AND NOT {HELD_BY_REFRESH}"),
    ("idtoken", "expires", f"expires < now() AND NOT {HELD_BY_ACCESS}"),
    ("grant", "expires", "expires < now()"),
)


def pk_windows(table: str, size: int) -> Iterator[str]:
    """Yield the condition of each stretch of `size` rows in the order of the primary key."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) - 1, max(id) FROM {table}")
        after, last = cursor.fetchone()
        while after is not None and after < last:
            cursor.execute(
                f"SELECT id FROM {table} WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s", [after, size - 1]
            )
            row = cursor.fetchone()
            upto = row[0] if row else last
            yield f"id > {after} AND id <= {upto}"
            after = upto


def id_lists(table: str, column: str, condition: str, size: int) -> Iterator[str]:
    """Yield the condition of each `size` rows that go, found through the index on `column`."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT id FROM {table} t WHERE {condition} ORDER BY {column} LIMIT %s", [size])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return
            yield f"id = ANY (ARRAY{ids}::bigint[])"


def clear(stage: tuple[str, str, str], size: int, *, by_index: bool, nice: float) -> int:
    name, column, condition = stage
    table = f"oauth2_provider_{name}"
    windows = id_lists(table, column, condition, size) if by_index else pk_windows(table, size)
    count = 0
    with connection.cursor() as cursor:
        for window in windows:
            began = time.monotonic()
            delete = f"DELETE FROM {table} t WHERE {window} AND {condition}"
            if name == "refreshtoken":
                cursor.execute(UNHOOK.format(delete=delete))
                count += cursor.fetchone()[0]
            else:
                cursor.execute(delete)
                count += cursor.rowcount
            time.sleep(nice * (time.monotonic() - began))
    return count


def work() -> dict[str, int]:
    chosen = options()
    by_index, nice = chosen["by"] == "expires", chosen.get("nice", 0.0)
    counts: Counter[str] = Counter()
    for stage in STAGES:
        counts[stage[0]] += clear(stage, chosen["window"], by_index=by_index, nice=nice)
    return dict(counts)


if __name__ == "__main__":
    measure(work)
