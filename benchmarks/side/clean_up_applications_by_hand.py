"""Removing unused applications in SQL written for this data alone, `window` rows at a time."""

from __future__ import annotations

import django

django.setup()

from django.db import connection  # noqa: E402
from side.measure import measure, options  # noqa: E402

UNUSED = """
CREATE TEMPORARY TABLE unused AS SELECT id FROM oauth2_provider_application a
WHERE created < now() - interval '90 days'
  AND NOT EXISTS (SELECT FROM oauth2_provider_accesstoken t WHERE t.application_id = a.id AND t.expires > now())
"""
TABLES = ("refreshtoken", "accesstoken", "idtoken")
DELETE = """
DELETE FROM oauth2_provider_{table} WHERE id = ANY (ARRAY(
  SELECT t.id FROM oauth2_provider_{table} t JOIN unused ON unused.id = t.application_id LIMIT %s))
"""


def work() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(UNUSED)
        cursor.execute("ANALYZE unused")
        for table in TABLES:
            cursor.execute(DELETE.format(table=table), [options()["window"]])
            while cursor.rowcount:
                cursor.execute(DELETE.format(table=table), [options()["window"]])
        cursor.execute("DELETE FROM oauth2_provider_application WHERE id IN (SELECT id FROM unused)")
        return {"application": cursor.rowcount}


if __name__ == "__main__":
    measure(work)
