"""Deleting on engines whose DELETE returns what went, SQLite and MariaDB: no row is read a second time for its use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from ...batching import compile_delete
from ...settings import oauth2_settings
from ..registry import get_access_token_model
from ..use import raise_marks


def delete_remembering(rows: QuerySet[Any]) -> int | None:
    """Delete `rows`, which witness use (see `use`), and remember it; returns how many went.

    None, and nothing is done, where the engine cannot return what went: MySQL, or a condition that joins.
    """
    connection = connections[rows.db]
    if not connection.features.can_return_columns_from_insert:
        return None
    delete, parameters = compile_delete(rows)
    if not delete.startswith("DELETE FROM"):
        return None
    user, used_at, more = _returned(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"{delete} RETURNING {user}, {used_at}", [*parameters, *more])
        gone = cursor.fetchall()
    latest: dict[Any, str] = {}
    for key, at in gone:
        latest[key] = max(at, latest.get(key, at))
    latest.pop(None, None)
    raise_marks({key: _from_text(at, rows.db) for key, at in latest.items()}, rows.db)
    return len(gone)


def _returned(rows: QuerySet[Any]) -> tuple[str, str, list[Any]]:
    """Return the application that used a row, none for a registration token, and when; and the parameters.

    The time as text: to make datetimes of thousands takes longer than to delete them.
    """
    connection = connections[rows.db]
    application, created = (
        connection.ops.quote_name(rows.model._meta.get_field(name).column)
        for name in ("application", "created")
    )
    used_at = f"CAST({created} AS {'CHAR' if connection.vendor == 'mysql' else 'TEXT'})"
    if rows.model is not get_access_token_model():
        return application, used_at, []
    scope = connection.ops.quote_name(rows.model._meta.get_field("scope").column)
    user = f"CASE WHEN {scope} = %s THEN NULL ELSE {application} END"
    return user, used_at, [oauth2_settings.DCR_REGISTRATION_SCOPE]


def _from_text(at: str, using: str) -> datetime:
    time = datetime.fromisoformat(at)
    return timezone.make_aware(time, connections[using].timezone) if settings.USE_TZ else time
