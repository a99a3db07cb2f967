"""Replacing the scope in SQL written for this data alone, `window` access tokens at a time."""

from __future__ import annotations

import django

django.setup()

from django.db import connection  # noqa: E402
from side.measure import measure, options  # noqa: E402

UPDATE = """
UPDATE oauth2_provider_accesstoken SET scope = replace(scope, 'old', 'new'), updated = now()
WHERE id > %s AND id <= %s AND ' ' || scope || ' ' LIKE '%% old %%'
"""


def work() -> dict[str, int]:
    size, count = options()["window"], 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM oauth2_provider_accesstoken")
        (last,) = cursor.fetchone()
        for after in range(0, last, size):
            cursor.execute(UPDATE, [after, after + size])
            count += cursor.rowcount
    return {"accesstoken": count}


if __name__ == "__main__":
    measure(work)
