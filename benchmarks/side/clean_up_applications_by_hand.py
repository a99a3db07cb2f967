"""Removing unused applications in SQL written for this data alone, `window` rows at a time.

Option: `with_archive`: some hundred applications at a time, each of which is looked at again under a lock and kept in
the archive before it goes, as `cleanup_inactive_applications` does; else all at once, and none is kept.
"""

from __future__ import annotations

from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from side.measure import measure, options  # noqa: E402

UNUSED = """
SELECT id FROM oauth2_provider_application a WHERE created < now() - interval '90 days'
  AND NOT EXISTS (SELECT FROM oauth2_provider_accesstoken t WHERE t.application_id = a.id AND t.expires > now())
"""
TABLES = ("refreshtoken", "accesstoken", "idtoken")
APPLICATIONS = 500


def work() -> dict[str, int]:
    with connection.cursor() as cursor:
        return {"application": (some_at_a_time if options().get("with_archive") else all_at_once)(cursor)}


def all_at_once(cursor: Any) -> int:
    cursor.execute(f"CREATE TEMPORARY TABLE unused AS {UNUSED}")
    cursor.execute("ANALYZE unused")
    for table in TABLES:
        delete(cursor, table, "JOIN unused ON unused.id = t.application_id", [])
    cursor.execute("DELETE FROM oauth2_provider_application WHERE id IN (SELECT id FROM unused)")
    return int(cursor.rowcount)


def some_at_a_time(cursor: Any) -> int:
    from maintenance.models import Run, Trigger

    run = Run.objects.create(operation="cleanup_inactive_applications", trigger=Trigger.CODE)
    cursor.execute(f"{UNUSED} ORDER BY id")
    unused, count = [key for (key,) in cursor.fetchall()], 0
    for start in range(0, len(unused), APPLICATIONS):
        keys = unused[start : start + APPLICATIONS]
        for table in TABLES:
            delete(cursor, table, "WHERE t.application_id = ANY (%s) ORDER BY t.application_id", [keys])
        with transaction.atomic():
            cursor.execute(f"{UNUSED} AND id = ANY (%s) ORDER BY id FOR UPDATE", [keys])
            sure = [key for (key,) in cursor.fetchall()]
            cursor.execute(
                "INSERT INTO maintenance_archivedapplication (run_id, client_id, name, document, archived) "
                "SELECT %s, client_id, name, to_jsonb(a), now() FROM oauth2_provider_application a "
                "WHERE id = ANY (%s)",
                [run.pk, sure],
            )
            cursor.execute("DELETE FROM oauth2_provider_application WHERE id = ANY (%s)", [sure])
            count += cursor.rowcount
    return count


def delete(cursor: Any, table: str, which: str, parameters: list[Any]) -> None:
    """Delete the rows `t` of `table` that `which` chooses, a window at a time."""
    name = f"oauth2_provider_{table}"
    chosen = f"SELECT t.id FROM {name} t {which} LIMIT {options()['window']}"
    while True:
        cursor.execute(f"DELETE FROM {name} WHERE id = ANY (ARRAY({chosen}))", parameters)
        if not cursor.rowcount:
            return


if __name__ == "__main__":
    measure(work)
