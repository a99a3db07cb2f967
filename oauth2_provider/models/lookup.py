"""One row by a unique column: the statements that every request or window waits for, compiled once for a connection.

Django builds a statement anew each time, which costs more than the database takes to answer it. Here the statement, the
converters and the way from columns to instances are kept; what is fetched are ordinary, whole instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models
from django.db.models.manager import BaseManager
from django.db.models.query import get_related_populators
from django.db.models.sql import UpdateQuery


def find(manager: Any, *, related: Sequence[str] = (), **column: Any) -> Any:
    """Return the row of `manager` whose unique `column` has a value, with its `related` rows; None: none has.

    One SELECT. A manager that narrows its rows is asked the ordinary way: what it would say may change.
    """
    ((name, value),) = column.items()
    if not _is_plain(manager):
        return _rows(manager, related).filter(**column).first()
    kept, key = _kept(manager.db), (manager.model, name, tuple(related))
    if key not in kept:
        kept[key] = _Lookup(_rows(manager, related), name, value)
    return kept[key].fetch(value)


def change(manager: Any, pk: Any, values: Mapping[str, Any], **conditions: Any) -> Any:
    """Set `values`, by field, in the row of `manager` that has the key `pk` if it meets `conditions`.

    Returns the row as it is then; None: there is none. One UPDATE, where the engine returns what it changed. No value
    is None or an expression; a condition is the value of a field or, as `field__in`, a tuple of some.
    """
    where = {"pk": pk, **conditions}
    if not _is_plain(manager):
        return manager.get(pk=pk) if manager.filter(**where).update(**values) else None
    sizes = tuple(len(value) if isinstance(value, tuple) else 1 for value in where.values())
    kept, key = _kept(manager.db), (manager.model, tuple(values), tuple(where), sizes)
    if key not in kept:
        kept[key] = _Change(manager, values, where)
    return kept[key].make(values, where)


def _kept(using: str) -> dict[Any, Any]:
    """Return the statements kept for the connection, with which they live and die."""
    kept: dict[Any, Any] = vars(connections[using]).setdefault("_oauth2_provider_statements", {})
    return kept


def _rows(manager: Any, related: Sequence[str]) -> models.QuerySet[Any]:
    rows = manager.order_by()
    return rows.select_related(*related) if related else rows


def _is_plain(manager: Any) -> bool:
    """Tell whether the manager's queryset is that of any model, whatever methods it adds."""
    return (
        type(manager).get_queryset is BaseManager.get_queryset and manager._queryset_class is models.QuerySet
    )


class _Select:
    """A compiled SELECT of `rows`, and the way from its columns to an instance."""

    def __init__(self, rows: models.QuerySet[Any]) -> None:
        self.using = rows.db
        self.compiler = rows.query.get_compiler(self.using)
        self.sql, self.parameters = self.compiler.as_sql()
        select: list[Any] = self.compiler.select
        self.columns = [column.target.column for column, *_ in select]
        self.converters = self.compiler.get_converters([column for column, *_ in select])
        info: Any = self.compiler.klass_info
        fields = info["select_fields"]
        self.own = slice(fields[0], fields[-1] + 1)
        self.names = [column.target.attname for column, *_ in select[self.own]]
        self.model = info["model"]
        self.populators = get_related_populators(info, select, self.using)  # type: ignore[call-arg] # of Django 6.1

    def instance(self, row: Any) -> Any:
        """Return the instance of a fetched row, None for none."""
        if row is None:
            return None
        (row,) = self.compiler.apply_converters([row], self.converters)
        instance = self.model.from_db(self.using, self.names, row[self.own])
        for populator in self.populators:
            populator.populate(row, instance)
        return instance


class _Lookup:
    """A SELECT whose one parameter is the value of the field `name`; `example` is one that it may have."""

    def __init__(self, rows: models.QuerySet[Any], name: str, example: Any) -> None:
        self.field = _field(rows.model, name)
        self.select = _Select(rows.filter(**{name: example}))
        (_,) = self.select.parameters

    def fetch(self, value: Any) -> Any:
        connection = connections[self.select.using]
        with connection.cursor() as cursor:
            cursor.execute(self.select.sql, [self.field.get_db_prep_value(value, connection)])
            return self.select.instance(cursor.fetchone())


class _Change:
    """An UPDATE of one row that returns it; `values` and `where` are examples of its parameters."""

    def __init__(self, manager: Any, values: Mapping[str, Any], where: Mapping[str, Any]) -> None:
        self.manager = manager
        self.values = [_field(manager.model, name) for name in values]
        self.where = [_field(manager.model, lookup.removesuffix("__in")) for lookup in where]
        rows = manager.order_by()
        for lookup, value in where.items():  # one by one: `filter` sorts them
            rows = rows.filter(**{lookup: value})
        query = rows.query.chain(UpdateQuery)
        query.add_update_values(values)
        connection = connections[manager.db]
        self.sql, parameters = query.get_compiler(manager.db).as_sql()
        if len(parameters) != len(self._parameters(values, where)):
            message = f"A value of a compiled UPDATE must not be None or an expression: {', '.join(values)}"
            raise ValueError(message)
        self.select: _Select | None = None  # MariaDB returns what it inserts, but not what it updates
        if connection.vendor != "mysql" and connection.features.can_return_columns_from_insert:
            self.select = _Select(_rows(manager, ()))
            self.sql += f" RETURNING {', '.join(map(connection.ops.quote_name, self.select.columns))}"

    def make(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> Any:
        with connections[self.manager.db].cursor() as cursor:
            cursor.execute(self.sql, self._parameters(values, where))
            if self.select is not None:
                return self.select.instance(cursor.fetchone())
            changed = cursor.rowcount
        return self.manager.get(pk=where["pk"]) if changed else None

    def _parameters(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> list[Any]:
        connection = connections[self.manager.db]
        parameters = [
            field.get_db_prep_save(value, connection)
            for field, value in zip(self.values, values.values(), strict=True)
        ]
        for field, value in zip(self.where, where.values(), strict=True):
            for one in value if isinstance(value, tuple) else [value]:
                parameters.append(field.get_db_prep_value(one, connection))
        return parameters


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)
