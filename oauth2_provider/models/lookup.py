"""One row by a unique column: the queries that every request waits for, compiled once for a connection.

Django builds a SELECT anew each time, which costs more than the database takes to answer it. Here the statement, the
converters and the way from columns to instances are kept; what is fetched are ordinary, whole instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models
from django.db.models.manager import BaseManager
from django.db.models.query import get_related_populators


def find(manager: Any, *, related: Sequence[str] = (), **column: Any) -> Any:
    """Return the row of `manager` whose unique `column` has a value, with its `related` rows; None: none has.

    One SELECT. A manager that narrows its rows is asked the ordinary way: what it would say may change.
    """
    ((name, value),) = column.items()
    if not _is_plain(manager):
        return _rows(manager, related).filter(**column).first()
    connection = connections[manager.db]
    kept = vars(connection).setdefault("_oauth2_provider_lookups", {})  # lives and dies with the connection
    key = (manager.model, name, tuple(related))
    if key not in kept:
        kept[key] = _Lookup(_rows(manager, related), name, value)
    return kept[key].fetch(value)


def _rows(manager: Any, related: Sequence[str]) -> models.QuerySet[Any]:
    rows = manager.order_by()
    return rows.select_related(*related) if related else rows


def _is_plain(manager: Any) -> bool:
    """Tell whether the manager's queryset is that of any model, whatever methods it adds."""
    return (
        type(manager).get_queryset is BaseManager.get_queryset and manager._queryset_class is models.QuerySet
    )


class _Lookup:
    """A compiled SELECT whose one parameter is the value of the field `name`; `example` is one that it may have."""

    def __init__(self, rows: models.QuerySet[Any], name: str, example: Any) -> None:
        self.using = rows.db
        self.field: Any = rows.model._meta.pk if name == "pk" else rows.model._meta.get_field(name)
        query = rows.filter(**{name: example}).query
        self.compiler = query.get_compiler(self.using)
        self.sql, (_,) = self.compiler.as_sql()
        select: list[Any] = self.compiler.select
        self.converters = self.compiler.get_converters([column for column, *_ in select])
        info: Any = self.compiler.klass_info
        fields = info["select_fields"]
        self.own = slice(fields[0], fields[-1] + 1)
        self.names = [column.target.attname for column, *_ in select[self.own]]
        self.model = info["model"]
        self.populators = get_related_populators(info, select, self.using)  # type: ignore[call-arg] # of Django 6.1

    def fetch(self, value: Any) -> Any:
        connection = self.compiler.connection
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [self.field.get_db_prep_value(value, connection)])
            row = cursor.fetchone()
        if row is None:
            return None
        (row,) = self.compiler.apply_converters([row], self.converters)
        instance = self.model.from_db(self.using, self.names, row[self.own])
        for populator in self.populators:
            populator.populate(row, instance)
        return instance
