"""Revoking every token of user 1 in SQL written for that alone, `window` refresh tokens at a time."""

from __future__ import annotations

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from side.measure import measure, options  # noqa: E402

REVOKE = """
WITH chosen AS (SELECT id, access_token_id FROM oauth2_provider_refreshtoken
  WHERE user_id = 1 AND revoked IS NULL AND id > %s ORDER BY id LIMIT %s FOR UPDATE),
gone AS (DELETE FROM oauth2_provider_accesstoken
  WHERE id = ANY (ARRAY(SELECT access_token_id FROM chosen))),
revoked AS (UPDATE oauth2_provider_refreshtoken SET revoked = now(), updated = now(), access_token_id = NULL
  WHERE id = ANY (ARRAY(SELECT id FROM chosen)))
SELECT count(*), max(id) FROM chosen
"""


def work() -> dict[str, int]:
    size, after, count = options()["window"], 0, 0
    with connection.cursor() as cursor:
        while True:
            with transaction.atomic():
                cursor.execute(REVOKE, [after, size])
                number, last = cursor.fetchone()
            if not number:
                break
            count, after = count + number, last
        cursor.execute("DELETE FROM oauth2_provider_accesstoken WHERE user_id = 1")
    return {"refreshtoken": count}


if __name__ == "__main__":
    measure(work)
