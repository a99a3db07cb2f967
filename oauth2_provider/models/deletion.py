"""Deleting many rows of a provider's table at once, with what refers to them.

The foreign keys carry no ON DELETE in the database, so what Django's collector would do row by row is done here
by set: a refresh token's successor forgets where it came from, an access token's refresh token forgets it. Where a
site has hooked into deletion in a way that a set-based statement would pass by, the ORM does the work instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db import connections, models
from django.db.models import Max, Q, QuerySet
from django.db.models import sql as orm_sql
from django.db.models.signals import post_delete, pre_delete

from ..batching import delete_window
from ..settings import oauth2_settings
from .registry import (
    get_access_token_model,
    get_application_model,
    get_id_token_model,
    get_refresh_token_model,
)


def delete_rows(rows: QuerySet[Any], *, is_held: bool = True) -> Counter[str]:
    """Delete `rows` and return how many went, by table. The caller holds the transaction.

    `is_held=False` says that the condition of `rows` rules out that anything refers to them. Access tokens leave
    the time of their creation in their application's `last_used`.
    """
    if slow_path_reasons(rows.model):
        return _delete_by_orm(rows)
    if connections[rows.db].vendor == "postgresql":
        return _delete_in_one_statement(rows, is_held=is_held)
    return _delete_in_steps(rows, is_held=is_held)


def slow_path_reasons(model: type[models.Model]) -> list[str]:
    """Return why rows of `model` must go through the ORM; empty where a statement may delete them."""
    name = model._meta.label
    reasons = []
    if pre_delete.has_listeners(model) or post_delete.has_listeners(model):
        reasons.append(f"{name} has delete signals connected")
    if model.delete is not models.Model.delete:
        reasons.append(f"{name} overrides delete()")
    if any(isinstance(field, GenericRelation) for field in model._meta.private_fields):
        reasons.append(f"{name} has generic relations")
    known = {field for field, _ in _references(model)}
    reasons += [
        f"{relation.related_model._meta.label}.{relation.field.name} points at {name}"
        for relation in _relations_to(model)
        if relation.field not in known
    ]
    return reasons


def remember_use(used: dict[Any, datetime | None], using: str) -> None:
    """Fold the time that each application (by primary key) got a token into its `last_used`."""
    applications = get_application_model()._base_manager.using(using)
    for pk, created in used.items():
        if pk is not None and created is not None:
            earlier = Q(last_used__isnull=True) | Q(last_used__lt=created)
            applications.filter(earlier, pk=pk).update(last_used=created)


def _references(model: type[models.Model]) -> list[tuple[Any, type[models.Model]]]:
    """Return the provider's own foreign keys that point at `model`: the field and its model."""
    access_token, refresh_token = get_access_token_model(), get_refresh_token_model()
    if model is access_token:
        return [(refresh_token._meta.get_field("access_token"), refresh_token)]
    if model is refresh_token:
        return [(access_token._meta.get_field("source_refresh_token"), access_token)]
    if model is get_id_token_model():
        return [(access_token._meta.get_field("id_token"), access_token)]
    return []


def _relations_to(model: type[models.Model]) -> Iterator[Any]:
    for field in model._meta.get_fields(include_hidden=True):
        if field.auto_created and not field.concrete and (field.one_to_one or field.one_to_many):
            yield field


def _delete_by_orm(rows: QuerySet[Any]) -> Counter[str]:
    model = rows.model
    if model is get_access_token_model():
        remember_use(_use_of(rows), rows.db)
    if model.delete is models.Model.delete:
        _, by_label = rows.delete()
    else:
        by_label = Counter()
        for row in rows.iterator():
            by_label.update(row.delete()[1] if row.pk is not None else {})
    labels = {candidate._meta.label: candidate._meta.db_table for candidate in _all_models(model)}
    return Counter({labels.get(label, label): count for label, count in by_label.items()})


def _all_models(model: type[models.Model]) -> list[type[models.Model]]:
    return list(model._meta.apps.get_models(include_auto_created=True))


def _delete_in_one_statement(rows: QuerySet[Any], *, is_held: bool) -> Counter[str]:
    """Delete with data-modifying CTEs; the deferred foreign keys are checked at the end of the transaction.

    `= ANY(ARRAY(...))` keeps the plan on the index of the referring column, where a join may fall back to
    reading the whole table.
    """
    model = rows.model
    quote = connections[rows.db].ops.quote_name
    delete, parameters = _delete_statement(rows)
    is_access_token = model is get_access_token_model()
    returned = [_column(model, "pk")]
    if is_access_token:
        returned += [_column(model, "application"), _column(model, "created"), _column(model, "scope")]
    parts = [f"gone AS ({delete} RETURNING {', '.join(quote(column) for column in returned)})"]
    for number, (field, referring) in enumerate(_references(model) if is_held else ()):
        column = quote(field.column)
        parts.append(
            f"unhooked{number} AS (UPDATE {quote(referring._meta.db_table)} SET {column} = NULL "  # noqa: S608
            f"WHERE {column} = ANY (ARRAY(SELECT {quote(returned[0])} FROM gone)))"
        )
    if is_access_token:
        application, created, scope = (quote(column) for column in returned[1:])
        select = (
            f"SELECT {application}, max({created}) FILTER (WHERE {scope} <> %s), count(*) "  # noqa: S608
            f"FROM gone GROUP BY {application}"
        )
        parameters = (*parameters, oauth2_settings.DCR_REGISTRATION_SCOPE)
    else:
        select = "SELECT NULL, NULL, count(*) FROM gone"
    with connections[rows.db].cursor() as cursor:
        cursor.execute(f"WITH {', '.join(parts)} {select}", parameters)
        groups = cursor.fetchall()
    remember_use({application: created for application, created, _ in groups}, rows.db)
    return Counter({model._meta.db_table: sum(count for *_, count in groups)})


def _delete_in_steps(rows: QuerySet[Any], *, is_held: bool) -> Counter[str]:
    """Unhook, then delete: MySQL checks foreign keys at once, and has no CTE around a DELETE."""
    model = rows.model
    if model is get_access_token_model():
        remember_use(_use_of(rows), rows.db)
    if is_held:
        rows, keys = _pinned(rows)
        for field, referring in _references(model):
            references = referring._base_manager.using(rows.db).filter(**{f"{field.name}__in": keys})
            references.update(**{field.name: None})
    return Counter({model._meta.db_table: delete_window(rows)})


def _pinned(rows: QuerySet[Any]) -> tuple[QuerySet[Any], Any]:
    """Return `rows` and their keys such that both stay the same for the statements to come.

    SQLite has one writer, so a subquery will do. MySQL refuses an UPDATE of a table that its own subquery reads,
    and other writers go on: there the rows are locked and listed.
    """
    connection = connections[rows.db]
    if connection.vendor != "mysql":
        return rows, rows.values("pk")
    of = ("self",) if connection.features.has_select_for_update_of else ()
    keys = list(rows.select_for_update(of=of).values_list("pk", flat=True))
    return rows.model._base_manager.using(rows.db).filter(pk__in=keys).order_by(), keys


def _use_of(rows: QuerySet[Any]) -> dict[Any, datetime | None]:
    used = rows.exclude(scope=oauth2_settings.DCR_REGISTRATION_SCOPE).values_list("application")
    return dict(used.annotate(Max("created")))


def _delete_statement(rows: QuerySet[Any]) -> tuple[str, tuple[Any, ...]]:
    query = rows.query.clone()
    query.__class__ = orm_sql.DeleteQuery
    return query.get_compiler(rows.db).as_sql()


def _column(model: type[models.Model], name: str) -> str:
    field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return str(field.column)
