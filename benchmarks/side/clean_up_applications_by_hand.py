"""Removing unused applications in SQL written for this data alone, `window` rows at a time.

Option `way`: "all at once" (the default), and none is kept. "archive": some hundred applications at a time, each of
which is looked at again under a lock and kept in the archive before it goes. "as much": likewise, with all that
`cleanup_inactive_applications` promises. Both looks are at everything that an application has; what goes before the
second is over and held by nothing, and leaves the time of its use; the archive is one to restore from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from side.measure import measure, options  # noqa: E402

UNUSED = """
SELECT id FROM oauth2_provider_application a WHERE created < now() - interval '90 days'
  AND NOT EXISTS (SELECT FROM oauth2_provider_accesstoken t WHERE t.application_id = a.id AND t.expires > now())
"""
IN_NO_USE = """
SELECT id FROM oauth2_provider_application a WHERE created < now() - interval '90 days'
  AND NOT EXISTS (SELECT FROM oauth2_provider_accesstoken t WHERE t.application_id = a.id
    AND (t.expires > now() OR t.created > now() - interval '90 days'))
  AND NOT EXISTS (SELECT FROM oauth2_provider_refreshtoken r WHERE r.application_id = a.id
    AND (r.created > now() - interval '90 days' OR r.revoked IS NULL AND coalesce(
      (SELECT expires FROM oauth2_provider_accesstoken t WHERE t.id = r.access_token_id), now()
    ) > now() - interval '1 day'))
  AND NOT EXISTS (SELECT FROM oauth2_provider_idtoken i WHERE i.application_id = a.id
    AND i.created > now() - interval '90 days')
  AND NOT EXISTS (SELECT FROM oauth2_provider_grant g WHERE g.application_id = a.id
    AND (g.expires > now() OR g.created > now() - interval '90 days'))
"""
TABLES = ("refreshtoken", "accesstoken", "idtoken")
OVER = {
    "refreshtoken": "(t.revoked IS NOT NULL OR coalesce((SELECT expires FROM oauth2_provider_accesstoken h "
    "WHERE h.id = t.access_token_id), now()) < now() - interval '1 day')",
    "accesstoken": "t.expires < now()",
    "idtoken": "t.expires < now()",
}
"""Which rows are over."""
UNHELD = {
    "accesstoken": "(SELECT id FROM oauth2_provider_refreshtoken h WHERE h.access_token_id = d.id LIMIT 1) IS NULL",
    "idtoken": "(SELECT id FROM oauth2_provider_accesstoken h WHERE h.id_token_id = d.id LIMIT 1) IS NULL",
}
UNDONE = """
, undone AS (UPDATE oauth2_provider_accesstoken SET source_refresh_token_id = NULL
  WHERE source_refresh_token_id = ANY (ARRAY(SELECT id FROM gone)))
"""
MARKED = """
, used AS (SELECT application_id, max(created) AS at FROM gone GROUP BY application_id)
, marked AS (UPDATE oauth2_provider_application a SET last_used = used.at FROM used WHERE a.id = used.application_id
  AND (a.last_used IS NULL OR a.last_used < used.at - interval '1 hour'))
"""
APPLICATIONS = 500
OWNED = "t.application_id = ANY (%s)"
LIMIT = f"LIMIT {options()['window']}"


def work() -> dict[str, int]:
    ways = {
        "all at once": all_at_once,
        "archive": partial(some_at_a_time, unused=UNUSED, delete=delete_all, archive=archive_in_sql),
        "as much": partial(some_at_a_time, unused=IN_NO_USE, delete=delete_over, archive=archive_as_we_do),
    }
    with connection.cursor() as cursor:
        return {"application": ways[options().get("way", "all at once")](cursor)}


def all_at_once(cursor: Any) -> int:
    cursor.execute(f"CREATE TEMPORARY TABLE unused AS {UNUSED}")
    cursor.execute("ANALYZE unused")
    for table in TABLES:
        chosen = f"SELECT t.id FROM oauth2_provider_{table} t JOIN unused ON unused.id = t.application_id"
        in_windows(cursor, f"DELETE FROM oauth2_provider_{table} WHERE id = ANY (ARRAY({chosen} {LIMIT}))")
    cursor.execute("DELETE FROM oauth2_provider_application WHERE id IN (SELECT id FROM unused)")
    return int(cursor.rowcount)


def some_at_a_time(
    cursor: Any,
    *,
    unused: str,
    delete: Callable[[Any, list[int]], None],
    archive: Callable[[Any, Any, list[int]], None],
) -> int:
    from maintenance.models import Run, Trigger

    run = Run.objects.create(operation="cleanup_inactive_applications", trigger=Trigger.CODE)
    all_keys, count = found(cursor, f"{unused} ORDER BY id"), 0
    for start in range(0, len(all_keys), APPLICATIONS):
        keys = all_keys[start : start + APPLICATIONS]
        delete(cursor, keys)
        with transaction.atomic():
            sure = found(cursor, f"{unused} AND id = ANY (%s) ORDER BY id FOR UPDATE", keys)
            archive(cursor, run, sure)
            cursor.execute("DELETE FROM oauth2_provider_application WHERE id = ANY (%s)", [sure])
            count += cursor.rowcount
    return count


def delete_all(cursor: Any, keys: list[int]) -> None:
    for table in TABLES:
        chosen = f"SELECT t.id FROM oauth2_provider_{table} t WHERE {OWNED} ORDER BY t.application_id {LIMIT}"
        in_windows(cursor, f"DELETE FROM oauth2_provider_{table} WHERE id = ANY (ARRAY({chosen}))", keys)


def delete_over(cursor: Any, keys: list[int]) -> None:
    """Delete what is over and nothing holds: who is given a token after the first look loses nothing."""
    for table in TABLES:
        over = f"{OWNED} AND {OVER[table]}"
        chosen = f"SELECT t.id FROM oauth2_provider_{table} t WHERE {over} ORDER BY t.application_id {LIMIT}"
        unheld = f"AND {UNHELD[table]}" if table in UNHELD else ""
        gone = (
            f"DELETE FROM oauth2_provider_{table} d WHERE id = ANY (ARRAY({chosen})) {unheld} "
            "RETURNING id, application_id, created"
        )
        undone = "" if table in UNHELD else UNDONE
        in_windows(cursor, f"WITH gone AS ({gone}) {undone} {MARKED} SELECT FROM gone", keys)


def archive_in_sql(cursor: Any, run: Any, keys: list[int]) -> None:
    cursor.execute(
        "INSERT INTO maintenance_archivedapplication (run_id, client_id, name, document, archived) "
        "SELECT %s, client_id, name, to_jsonb(a), now() FROM oauth2_provider_application a WHERE id = ANY (%s)",
        [run.pk, keys],
    )


def archive_as_we_do(cursor: Any, run: Any, keys: list[int]) -> None:
    from maintenance.models import ArchivedApplication
    from oauth2_provider.flows.application_archive import archived
    from oauth2_provider.models import Application

    applications = list(Application.objects.filter(pk__in=keys))
    ArchivedApplication.objects.bulk_create(
        ArchivedApplication(run=run, client_id=row.client_id, name=row.name, document=document)
        for row, document in zip(applications, archived(applications), strict=True)
    )


def found(cursor: Any, query: str, *parameters: Any) -> list[int]:
    cursor.execute(query, parameters)
    return [key for (key,) in cursor.fetchall()]


def in_windows(cursor: Any, delete: str, *parameters: Any) -> None:
    """Execute the statement `delete` until it deletes nothing."""
    while True:
        cursor.execute(delete, parameters)
        if not cursor.rowcount:
            return


if __name__ == "__main__":
    measure(work)
