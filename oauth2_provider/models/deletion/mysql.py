"""Deleting on MySQL and MariaDB what other rows refer to.

Foreign keys are checked at once, and neither a DELETE nor an UPDATE may read its own table in a subquery; older
versions run `IN (SELECT ...)` there once a row. So the rows are locked first, as rotation does, and what refers to
them is found by a derived table, which is read once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import connections
from django.db.models import F, QuerySet

from ...batching import delete_window
from ..use import remember_use

DELETE = "DELETE {table} FROM {table} JOIN ({keys}) going ON going.target = {table}.{pk}"
UNHOOK = "UPDATE {table} JOIN ({keys}) hooked ON hooked.target = {table}.{pk} SET {column} = NULL"


def delete_rows(
    rows: QuerySet[Any], *, references: list[Any], followers: QuerySet[Any] | None
) -> Counter[str]:
    """Delete `rows`; null or, where they are among `followers`, delete what refers to them. See `deletion`."""
    counts: Counter[str] = Counter()
    quote = connections[rows.db].ops.quote_name
    if not _lock(rows):
        return counts
    remember_use(rows)
    for field in references:
        table = field.model._meta.db_table
        referring = field.model._base_manager.using(rows.db).filter(
            **{f"{field.name}__in": rows.values("pk")}
        )
        if followers is not None:
            going = followers.filter(**{f"{field.name}__in": rows.values("pk")})
            remember_use(going)
            counts[table] += _execute(DELETE, going)
        _execute(UNHOOK.replace("{column}", quote(field.column)), referring)
    counts[rows.model._meta.db_table] += delete_window(rows)
    return counts


def _lock(rows: QuerySet[Any]) -> int:
    """Lock `rows` and return how many they are."""
    sql, parameters = rows.select_for_update().values("pk").query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) locked", parameters)  # noqa: S608
        return int(cursor.fetchone()[0])


def _execute(template: str, rows: QuerySet[Any]) -> int:
    """Run `template` over the table of `rows`, with the SELECT of their keys as `{keys}`; returns rows changed."""
    quote = connections[rows.db].ops.quote_name
    sql, parameters = rows.order_by().values(target=F("pk")).query.get_compiler(rows.db).as_sql()
    names = {
        "table": quote(rows.model._meta.db_table), "pk": quote(rows.model._meta.pk.column), "keys": sql,
    }  # fmt: skip
    with connections[rows.db].cursor() as cursor:
        cursor.execute(template.format(**names), parameters)
        return int(cursor.rowcount)
