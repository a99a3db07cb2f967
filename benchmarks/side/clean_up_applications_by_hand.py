"""Removing unused applications in SQL written for this data alone, `window` rows at a time.

Option `way`: "all at once" (the default), and none is kept. "archive": some hundred applications at a time, each of
which is looked at again under a lock and kept in the archive before it goes. "as much": likewise, but both looks are at
all that an application has, and the archive is what `cleanup_inactive_applications` makes, from which it is restored.
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
APPLICATIONS = 500


def work() -> dict[str, int]:
    ways = {
        "all at once": all_at_once,
        "archive": partial(some_at_a_time, unused=UNUSED, archive=archive_in_sql),
        "as much": partial(some_at_a_time, unused=IN_NO_USE, archive=archive_as_we_do),
    }
    with connection.cursor() as cursor:
        return {"application": ways[options().get("way", "all at once")](cursor)}


def all_at_once(cursor: Any) -> int:
    cursor.execute(f"CREATE TEMPORARY TABLE unused AS {UNUSED}")
    cursor.execute("ANALYZE unused")
    for table in TABLES:
        delete(cursor, table, "JOIN unused ON unused.id = t.application_id", [])
    cursor.execute("DELETE FROM oauth2_provider_application WHERE id IN (SELECT id FROM unused)")
    return int(cursor.rowcount)


def some_at_a_time(cursor: Any, *, unused: str, archive: Callable[[Any, Any, list[int]], None]) -> int:
    from maintenance.models import Run, Trigger

    run = Run.objects.create(operation="cleanup_inactive_applications", trigger=Trigger.CODE)
    all_keys, count = found(cursor, f"{unused} ORDER BY id"), 0
    for start in range(0, len(all_keys), APPLICATIONS):
        keys = all_keys[start : start + APPLICATIONS]
        for table in TABLES:
            delete(cursor, table, "WHERE t.application_id = ANY (%s) ORDER BY t.application_id", [keys])
        with transaction.atomic():
            sure = found(cursor, f"{unused} AND id = ANY (%s) ORDER BY id FOR UPDATE", keys)
            archive(cursor, run, sure)
            cursor.execute("DELETE FROM oauth2_provider_application WHERE id = ANY (%s)", [sure])
            count += cursor.rowcount
    return count


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
