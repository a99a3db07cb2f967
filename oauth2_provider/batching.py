"""Windows over a big table along an index, so that a statement touches no more rows than it works on.

A `Walk` orders rows by one or more columns, the last of them unique (the primary key alone, or `expires` and the
primary key). A `Window` is a stretch of that order: above `after`, up to and with `upto`. Finding the next one
reads its index entries only; there is no COUNT and no OFFSET over the table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.db.models import Q, QuerySet

Key = tuple[Any, ...]
"""The values of a walk's columns in one row."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows above `after` (None: from the first) up to and with `upto`."""

    after: Key | None
    upto: Key


@dataclass(frozen=True, kw_only=True)
class Walk:
    """An order over the rows of `rows`, a queryset without ordering, by `fields` (names, the last one unique)."""

    rows: QuerySet[Any]
    fields: tuple[str, ...] = ("pk",)

    @property
    def model(self) -> type[models.Model]:
        return self.rows.model

    def first(self) -> Key | None:
        """Return the lowest key, or None where there is no row."""
        return self.rows.order_by(*self.fields).values_list(*self.fields).first()

    def last(self) -> Key | None:
        """Return the highest key, or None where there is no row."""
        return self.rows.order_by(*(f"-{name}" for name in self.fields)).values_list(*self.fields).first()

    def next_window(self, *, after: Key | None, last: Key, size: int) -> Window | None:
        """Return the next `size` rows above `after` and not beyond `last`; None when there are none left."""
        rows = self.rows.filter(self._between(after, last)).order_by(*self.fields).values_list(*self.fields)
        upto = rows[size - 1 : size].first() if size > 1 else rows.first()
        if upto is not None:
            return Window(after=after, upto=upto)
        return Window(after=after, upto=last) if rows.exists() else None

    def inside(self, window: Window, *, prefix: str = "") -> Q:
        """Return the condition that a row is in `window`; `prefix` is the path to the walked model."""
        return self._between(window.after, window.upto, prefix=prefix)

    def to_json(self, key: Key) -> list[str]:
        """Return `key` as strings."""
        return [field.value_to_string(_Holder(field.attname, value)) for field, value in self._parts(key)]

    def from_json(self, values: Sequence[str]) -> Key:
        """Return the key that `to_json` wrote."""
        return tuple(field.to_python(value) for field, value in self._parts(values))

    def fraction(self, key: Key, *, first: Key, last: Key) -> float:
        """Return how far `key` is from `first` to `last`, 0 to 1; 0 where keys cannot be subtracted."""
        low, here, high = first[0], key[0], last[0]
        try:
            return min(1.0, max(0.0, (here - low) / (high - low)))
        except (TypeError, ZeroDivisionError):
            return 0.0

    def _parts(self, values: Sequence[Any]) -> list[tuple[Any, Any]]:
        return [(self._field(path), value) for path, value in zip(self.fields, values, strict=True)]

    def _field(self, path: str) -> Any:
        model: Any = self.model
        *relations, name = path.split("__")
        for relation in relations:
            model = model._meta.get_field(relation).related_model
        return model._meta.pk if name == "pk" else model._meta.get_field(name)

    def _between(self, after: Key | None, upto: Key, *, prefix: str = "") -> Q:
        condition = self._compare(upto, "lt", "lte", prefix=prefix)
        if after is not None:
            condition &= self._compare(after, "gt", "gt", prefix=prefix)
        return condition

    def _compare(self, key: Key, lookup: str, last_lookup: str, *, prefix: str) -> Q:
        """Return the lexicographic comparison with `key`, spelled out.

        Row values would be shorter, but MySQL uses no index for them; the bound on the first column alone is
        what lets every engine find the range.
        """
        names = [f"{prefix}{name}" for name in self.fields]
        condition = Q(**{f"{names[-1]}__{last_lookup}": key[-1]})
        for name, value in reversed(list(zip(names[:-1], key[:-1], strict=True))):
            condition = Q(**{f"{name}__{lookup}": value}) | (Q(**{name: value}) & condition)
            condition &= Q(**{f"{name}__{lookup}e": value})
        return condition


class _Holder:
    """Lets a field serialize a bare value."""

    def __init__(self, attname: str, value: Any) -> None:
        setattr(self, attname, value)


def delete_window(rows: QuerySet[Any]) -> int:
    """Delete `rows` in one statement without loading them; returns how many went.

    Neither signals nor cascades: the caller has dealt with what refers to them.
    """
    return rows._raw_delete(rows.db) or 0


def estimated_rows(model: type[models.Model], using: str) -> int | None:
    """Return what the engine believes is in the table without counting; None where it does not say."""
    connection = connections[using]
    query = {
        "postgresql": "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)",
        "mysql": (
            "SELECT table_rows FROM information_schema.tables "
            "WHERE table_schema = database() AND table_name = %s"
        ),
    }.get(connection.vendor)
    if query is None:
        return None
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            query, [connection.ops.quote_name(table) if connection.vendor == "postgresql" else table]
        )
        row = cursor.fetchone()
    return int(row[0]) if row and row[0] is not None and row[0] >= 0 else None


def estimated_matches(rows: QuerySet[Any]) -> int | None:
    """Return how many rows the planner expects `rows` to have; None where it is not asked (not PostgreSQL)."""
    if connections[rows.db].vendor != "postgresql":
        return None
    plan = json.loads(rows.values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def counted_up_to(rows: QuerySet[Any], limit: int) -> int:
    """Return the number of `rows`, or `limit` where there are more; reads no more than that."""
    return rows.order_by().values("pk")[:limit].count()
