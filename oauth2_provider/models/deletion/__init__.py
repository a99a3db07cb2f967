"""Deleting many rows of a provider's table at once, with what refers to them.

The foreign keys carry no ON DELETE in the database, so what Django's collector would do row by row is done here by
set: a refresh token's successor forgets where it came from, an access token's refresh token forgets it. Where a
site has hooked into deletion in a way that a set-based statement would pass by, the ORM does the work instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.signals import post_delete, pre_delete

from ...batching import delete_window, in_chunks, is_among
from ..client_secret import ClientSecret
from ..registry import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from ..use import raise_marks, remember_use, uses, witnesses_use
from . import postgresql, returning
from .outcome import Outcome

DeleteSome = Callable[[int], Outcome]
"""See `compile_delete_some`."""


def delete_rows(
    rows: QuerySet[Any],
    *,
    is_held: bool = True,
    followers: QuerySet[Any] | None = None,
    witnesses: QuerySet[Any] | None = None,
) -> Counter[str]:
    """Delete `rows` and return how many went, by table. The caller holds the transaction.

    `is_held=False` says that nothing refers to them; ID tokens that an access token holds, and applications that
    have anything left, are not for here. `followers` are rows of the referring table that are over themselves: those
    that refer to a deleted row go with it, as clearing the reference first would be the dearer half. The use that
    `rows` witness is remembered (see `use`); `witnesses` are more rows of the same table, all of `rows` among them,
    that are quicker to read: a stretch of an index.
    """
    if slow_path_reasons(rows.model):
        return _delete_by_orm(rows)
    followers = _by_set(followers)
    references = [*_back_references(rows.model)] if is_held else []
    try:
        if connections[rows.db].vendor == "postgresql":
            return postgresql.delete_rows(rows, references=references, followers=followers)
        if witnesses is None:
            return _delete_in_steps(rows, references, followers)
        used = uses(witnesses)
        counts = _delete_in_steps(rows, references, followers, is_remembered=True)
        raise_marks(used, rows.db)
        return counts
    except EmptyResultSet:  # the condition cannot be met: `pk__in=[]`
        return Counter()


def compile_delete_some(
    rows: QuerySet[Any],
    *,
    among: QuerySet[Any],
    by: str,
    holder: Any = None,
    is_held: bool = True,
    followers: QuerySet[Any] | None = None,
) -> DeleteSome:
    """Return what deletes those of `rows` that are in a choice of so many rows of `among` as it is called with.

    `among` is what the indexed field `by` finds, few of them other than `rows`, so that no planner looks for these in
    all the table. What is referred to by the foreign key `holder` stays; for the rest see `delete_rows`.
    """
    if connections[rows.db].vendor == "postgresql" and not slow_path_reasons(rows.model):
        references = [*_back_references(rows.model)] if is_held else []
        try:
            return postgresql.DeleteSome(
                rows, among=among, holder=holder, references=references, followers=_by_set(followers)
            )
        except EmptyResultSet:  # the condition cannot be met: `pk__in=[]`
            return lambda size: Outcome()
    going = rows if holder is None else unheld(rows, holder)

    def delete_some(size: int) -> Outcome:
        keys = list(among.order_by(by).values_list("pk", flat=True)[:size])
        named = going.filter(is_among("pk", keys))
        counts = delete_rows(named, is_held=is_held, followers=followers)
        stayed = len(keys) - counts[rows.model._meta.db_table]
        return Outcome(counts=counts, chosen=len(keys), stayed=stayed)

    return delete_some


def unheld(rows: QuerySet[Any], holder: Any) -> QuerySet[Any]:
    """Narrow `rows` to those that nothing refers to by the foreign key `holder`.

    A scalar subquery, not EXISTS: a probe of the index for each row, whatever a planner thinks of joins.
    """
    holders = holder.model._base_manager.using(rows.db).order_by()
    holding = holders.filter(**{holder.name: OuterRef("pk")}).values("pk")[:1]
    return rows.alias(holding=Subquery(holding)).filter(holding__isnull=True)


def delete_in_use(rows: QuerySet[Any]) -> None:
    """Delete `rows` that nothing refers to, of an application that gets a token now: its use is marked anyway."""
    if slow_path_reasons(rows.model):
        _delete_by_orm(rows)
    else:
        delete_window(rows)


def slow_path_reasons(model: type[models.Model]) -> list[str]:
    """Return why rows of `model` must go through the ORM; empty where a statement may delete them."""
    name = model._meta.label
    reasons = []
    if pre_delete.has_listeners(model) or post_delete.has_listeners(model):
        reasons.append(f"{name} has delete signals connected")
    if model.delete is not models.Model.delete:
        reasons.append(f"{name} overrides delete()")
    if model._meta.parents:
        reasons.append(f"{name} spans several tables")
    if any(isinstance(field, GenericRelation) for field in model._meta.private_fields):
        reasons.append(f"{name} has generic relations")
    known = set(_references(model))
    reasons += [
        f"{relation.related_model._meta.label}.{relation.field.name} points at {name}"
        for relation in _relations_to(model)
        if relation.field not in known
    ]
    return reasons


def _by_set(rows: QuerySet[Any] | None) -> QuerySet[Any] | None:
    """Return `rows` if a statement may delete them, or else None."""
    return None if rows is None or slow_path_reasons(rows.model) else rows


def _references(model: type[models.Model]) -> Iterator[Any]:
    """Yield the provider's own foreign keys that point at `model`, if deleting does to them what it always did."""
    access_token, refresh_token, id_token = (
        get_access_token_model(),
        get_refresh_token_model(),
        get_id_token_model(),
    )
    pointing = [
        (access_token, refresh_token._meta.get_field("access_token"), models.SET_NULL),
        (refresh_token, access_token._meta.get_field("source_refresh_token"), models.SET_NULL),
        (id_token, access_token._meta.get_field("id_token"), models.CASCADE),
    ]
    for owned in (access_token, refresh_token, id_token, get_grant_model(), ClientSecret):
        pointing.append((get_application_model(), owned._meta.get_field("application"), models.CASCADE))
    for target, field, on_delete in pointing:
        if model is target and field.remote_field.on_delete is on_delete:
            yield field


def _back_references(model: type[models.Model]) -> Iterator[Any]:
    """Yield those that outlive the row they point at."""
    return (field for field in _references(model) if field.remote_field.on_delete is models.SET_NULL)


def _relations_to(model: type[models.Model]) -> Iterator[Any]:
    for field in model._meta.get_fields(include_hidden=True):
        if field.auto_created and not field.concrete and (field.one_to_one or field.one_to_many):
            yield field


def _delete_by_orm(rows: QuerySet[Any]) -> Counter[str]:
    model = rows.model
    remember_use(rows)
    by_label: Counter[str] = Counter()
    if model.delete is models.Model.delete:
        by_label.update(rows.delete()[1])
    else:
        for row in list(rows):
            by_label.update((row.delete() or (0, {}))[1])
    tables = {candidate._meta.label: candidate._meta.db_table for candidate in _all_models(model)}
    return Counter({tables.get(label, label): count for label, count in by_label.items()})


def _all_models(model: type[models.Model]) -> list[type[models.Model]]:
    return list(model._meta.apps.get_models(include_auto_created=True))


@dataclass(frozen=True, kw_only=True)
class _Going:
    """Rows that go, as they stay until the end of the transaction; by their keys where these are listed."""

    rows: QuerySet[Any]
    keys: Sequence[Any] = ()

    def named_by(self, field: Any) -> QuerySet[Any]:
        """Return the rows that refer to one of them by the foreign key `field`."""
        holders = field.model._base_manager.using(self.rows.db).order_by()
        if self.keys:
            return holders.filter(is_among(field.name, self.keys))
        return holders.filter(**{f"{field.name}__in": self.rows.values("pk")})


def _delete_in_steps(
    rows: QuerySet[Any],
    references: list[Any],
    followers: QuerySet[Any] | None,
    *,
    is_remembered: bool = False,
) -> Counter[str]:
    """Unhook, then delete, for engines without data-modifying CTEs. Foreign keys may be checked at once."""
    counts: Counter[str] = Counter()
    for going in _pieces(rows, is_referred_to=bool(references)):
        for field in references:
            counts += _let_go(field, going, followers)
        delete = delete_window if is_remembered else _delete_remembering
        counts[rows.model._meta.db_table] += delete(going.rows)
    return counts


def _pieces(rows: QuerySet[Any], *, is_referred_to: bool) -> Iterator[_Going]:
    """Yield `rows` in pieces that a statement can name.

    What several statements are about is locked first, where the engine locks rows, as rotation does, in the order of
    keys, and named by these: what makes it go is looked up once. On SQLite a transaction that writes is alone.
    """
    features = connections[rows.db].features
    if not features.has_select_for_update or (features.can_return_columns_from_insert and not is_referred_to):
        yield _Going(rows=rows)
        return
    named = rows.model._base_manager.using(rows.db).order_by()
    locked = rows.order_by("pk").select_for_update().values_list("pk", flat=True)
    for keys in in_chunks(list(locked), rows.db):
        yield _Going(rows=named.filter(is_among("pk", keys)), keys=keys)


def _delete_remembering(rows: QuerySet[Any]) -> int:
    if not witnesses_use(rows.model):
        return delete_window(rows)
    count = returning.delete_remembering(rows)
    if count is None:
        remember_use(rows)
        count = delete_window(rows)
    return count


def _let_go(field: Any, going: _Going, followers: QuerySet[Any] | None) -> Counter[str]:
    """Null `field` where it refers to what goes, or delete the row where it is among `followers`."""
    holders = list(going.named_by(field).order_by("pk").values_list("pk", flat=True))
    counts: Counter[str] = Counter()
    for keys in in_chunks(holders, going.rows.db):
        are_holders = is_among("pk", keys)
        if followers is not None:
            counts += _delete_in_steps(followers.filter(are_holders), [], None)
        rows = field.model._base_manager.using(going.rows.db)
        rows.filter(are_holders).update(**{field.name: None})
    return counts
