"""The clear-out as one would write it in SQL for MariaDB and SQLite: windows by primary key, a statement a table.

Option: `window` in rows.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from side.measure import measure, options  # noqa: E402

PREFIX = "oauth2_provider_"
HELD = "NOT EXISTS (SELECT 1 FROM {prefix}{holder} h WHERE h.{column} = {prefix}{table}.id)"
IDLE = (
    "revoked IS NULL AND EXISTS (SELECT 1 FROM {prefix}accesstoken a "
    "WHERE a.id = {prefix}refreshtoken.access_token_id AND a.expires < %s)"
)


def stages() -> list[tuple[str, str, list[str]]]:
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    idle = connection.ops.adapt_datetimefield_value(timezone.now() - timedelta(days=1))
    unheld = HELD.format(prefix=PREFIX, table="accesstoken", holder="refreshtoken", column="access_token_id")
    unnamed = HELD.format(prefix=PREFIX, table="idtoken", holder="accesstoken", column="id_token_id")
    return [
        ("refreshtoken", "revoked < %s", [now]),
        ("refreshtoken", "access_token_id IS NULL AND revoked IS NULL", []),
        ("refreshtoken", IDLE.format(prefix=PREFIX), [idle]),
        ("accesstoken", f"expires < %s AND {unheld}", [now]),
        ("idtoken", f"expires < %s AND {unnamed}", [now]),
        ("grant", "expires < %s", [now]),
    ]


def clear(table: str, condition: str, parameters: list[str], size: int) -> int:
    name, count = connection.ops.quote_name(f"{PREFIX}{table}"), 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) - 1, max(id) FROM {name}")
        after, last = cursor.fetchone()
        while after is not None and after < last:
            cursor.execute(
                f"SELECT id FROM {name} WHERE id > %s ORDER BY id LIMIT 1 OFFSET {size - 1}", [after]
            )
            row = cursor.fetchone()
            upto = row[0] if row else last
            bounds = f"id > {after} AND id <= {upto} AND {condition}"
            with transaction.atomic():
                if table == "refreshtoken":
                    cursor.execute(
                        f"UPDATE {PREFIX}accesstoken SET source_refresh_token_id = NULL "
                        f"WHERE source_refresh_token_id IN (SELECT id FROM {name} WHERE {bounds})",
                        parameters,
                    )
                cursor.execute(f"DELETE FROM {name} WHERE {bounds}", parameters)
                count += cursor.rowcount
            after = upto
    return count


def work() -> dict[str, int]:
    counts: Counter[str] = Counter()
    for table, condition, parameters in stages():
        counts[table] += clear(table, condition, parameters, options()["window"])
    return dict(counts)


if __name__ == "__main__":
    measure(work)
