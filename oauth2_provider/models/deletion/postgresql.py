"""Deleting on PostgreSQL: one statement of data-modifying CTEs for a window.

The deferred foreign keys are checked at the end of the transaction, so parents and children may go in one statement.
`= ANY (ARRAY(...))` keeps the plan on the index of the referring column, where a join may fall back to reading the
whole table for a window of a thousand rows.
"""

# ruff: noqa: S608 - the names are those of the models
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, models
from django.db.models import QuerySet
from django.db.models import sql as orm_sql

from ...settings import oauth2_settings
from ..application import USE_RESOLUTION
from ..registry import get_access_token_model, get_application_model
from ..use import witnesses_use


@dataclass
class _Statement:
    """A WITH clause under construction, and the parameters in their order."""

    using: str
    parts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, name: str, sql: str, parameters: Any = ()) -> None:
        self.parts.append(f"{name} AS ({sql})")
        self.parameters += parameters

    def quote(self, name: str) -> str:
        return connections[self.using].ops.quote_name(name)

    def fetch(self, select: str) -> tuple[Any, ...]:
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"WITH {', '.join(self.parts)} {select}", self.parameters)
            return cursor.fetchone()


def delete_rows(
    rows: QuerySet[Any], *, references: list[Any], followers: QuerySet[Any] | None
) -> Counter[str]:
    """Delete `rows`; null or, where they are among `followers`, delete what refers to them. See `deletion`."""
    statement = _Statement(rows.db)
    _add_delete(statement, "gone", rows)
    counted = {"gone": rows.model}
    for number, reference in enumerate(references):
        hooked, unhooked, followed = f"hooked{number}", f"unhooked{number}", f"followed{number}"
        quote, table = statement.quote, statement.quote(reference.model._meta.db_table)
        pk, column = quote(reference.model._meta.pk.column), quote(reference.column)
        gone = f"ARRAY(SELECT {quote(rows.model._meta.pk.column)} FROM gone)"
        statement.add(hooked, f"SELECT {pk} FROM {table} WHERE {column} = ANY ({gone})")
        among_hooked = f"{pk} = ANY (ARRAY(SELECT {pk} FROM {hooked}))"
        spared = ""
        if followers is not None:
            _add_delete(statement, followed, followers, condition=among_hooked)
            counted[followed] = followers.model
            spared = f" AND {pk} NOT IN (SELECT {pk} FROM {followed})"
        update = f"UPDATE {table} SET {column} = NULL WHERE {among_hooked}{spared}"
        statement.add(unhooked, update)
    totals = statement.fetch("SELECT " + ", ".join(f"(SELECT count(*) FROM {name})" for name in counted))
    counts: Counter[str] = Counter()
    for model, total in zip(counted.values(), totals, strict=True):
        counts[model._meta.db_table] += total
    return counts


def compile_delete(rows: QuerySet[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the DELETE statement of `rows`, which must be of one table, and its parameters."""
    query = rows.query.clone()
    query.__class__ = orm_sql.DeleteQuery
    return query.get_compiler(rows.db).as_sql()


def _add_delete(statement: _Statement, name: str, rows: QuerySet[Any], *, condition: str = "") -> None:
    """Add a CTE that deletes `rows` (further narrowed by `condition`), and one that remembers their use."""
    model = rows.model
    delete, parameters = compile_delete(rows)
    if condition:
        delete = f"{delete} AND {condition}"
    is_witness = witnesses_use(model)
    columns = [model._meta.pk.column]
    if is_witness:
        columns += [_column(model, "application"), _column(model, "created")]
    if model is get_access_token_model():
        columns.append(_column(model, "scope"))
    returned = ", ".join(statement.quote(column) for column in columns)
    statement.add(name, f"{delete} RETURNING {returned}", parameters)
    if is_witness:
        _add_remembered_use(statement, name, model)


def _add_remembered_use(statement: _Statement, name: str, model: type[models.Model]) -> None:
    """Raise the marks that are behind by more than their resolution; the rest are not even locked."""
    quote, application = statement.quote, get_application_model()
    table, pk = quote(application._meta.db_table), quote(application._meta.pk.column)
    mark, holder = quote(_column(application, "last_used")), quote(_column(model, "application"))
    created = quote(_column(model, "created"))
    condition, parameters = "", []
    if model is get_access_token_model():
        condition = f"WHERE {quote(_column(model, 'scope'))} <> %s "
        parameters = [oauth2_settings.DCR_REGISTRATION_SCOPE]
    used = f"SELECT {holder}, max({created}) AS at FROM {name} {condition}GROUP BY {holder}"
    statement.add(f"{name}_used", used, parameters)
    behind = f"({table}.{mark} IS NULL OR {table}.{mark} < used.at - %s)"
    join = f"{table}.{pk} = used.{holder} AND {behind}"
    locked = (
        f"SELECT {table}.{pk}, used.at FROM {table} JOIN {name}_used used ON {join} "
        f"ORDER BY {table}.{pk} FOR NO KEY UPDATE OF {table}"
    )
    statement.add(f"{name}_behind", locked, [USE_RESOLUTION])
    update = (
        f"UPDATE {table} SET {mark} = behind.at FROM {name}_behind behind WHERE {table}.{pk} = behind.{pk}"
    )
    statement.add(f"{name}_marked", update)


def _column(model: type[models.Model], name: str) -> str:
    return str(model._meta.get_field(name).column)  # type: ignore[union-attr]
