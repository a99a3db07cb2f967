"""What the indexes on what expires are worth, and what they cost: the same work with and without them."""

from __future__ import annotations

import logging
from datetime import timedelta

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.utils.crypto import get_random_string  # noqa: E402
from side.measure import measure, options  # noqa: E402

from oauth2_provider.models import AccessToken, Application, clear_expired  # noqa: E402

logging.disable()

ISSUED = 2000


def drop_indexes() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename LIKE 'oauth2_provider_%' "
            "AND (indexdef LIKE '%(expires)' OR indexdef LIKE '%(revoked)')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')


def clear() -> dict[str, int]:
    clear_expired()
    return {}


def issue() -> dict[str, int]:
    """Store access tokens one by one, each in a transaction of its own, as the token endpoint does."""
    application = Application.objects.order_by("pk").first()
    expires = timezone.now() + timedelta(hours=10)
    for _ in range(ISSUED):
        AccessToken.objects.create(
            token=get_random_string(30), expires=expires, application=application, scope="read"
        )
    return {}


if __name__ == "__main__":
    if not options()["indexes"]:
        drop_indexes()
    measure({"clear": clear, "issue": issue}[options()["work"]])
