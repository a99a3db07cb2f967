"""Deleting on PostgreSQL: one statement of data-modifying CTEs for a window.

The deferred foreign keys are checked at the end of the transaction, so parents and children may go in one statement.
`= ANY (ARRAY(...))` keeps the plan on the index of the referring column, where a join may fall back to reading the
whole table for a window of a thousand rows.
"""

# ruff: noqa: S608, S611 - the names are those of the models
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections, models
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL

from ...batching import IsAnyOf, compile_delete
from ...settings import oauth2_settings
from ..application import USE_RESOLUTION
from ..registry import get_access_token_model, get_application_model, get_id_token_model
from ..use import witnesses_use
from .outcome import Outcome


@dataclass
class Statement:
    """A WITH clause under construction, and the parameters in their order."""

    using: str
    parts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, name: str, sql: str, parameters: Any = ()) -> None:
        self.parts.append(f"{name} AS ({sql})")
        self.parameters += parameters

    def quote(self, name: str) -> str:
        return connections[self.using].ops.quote_name(name)

    def count(
        self, deleted: dict[str, type[models.Model]], *, changed: dict[str, type[models.Model]] | None = None
    ) -> Counter[str]:
        """Execute it and count the rows of the parts named, by table; what is deleted leaves its time (`use`)."""
        counts, _ = self.compile(deleted, changed=changed).execute(self.parameters)
        return counts

    def compile(
        self,
        deleted: dict[str, type[models.Model]],
        *,
        changed: dict[str, type[models.Model]] | None = None,
        also: Sequence[str] = (),
    ) -> Compiled:
        """Return what `count` executes, to be executed any number of times; `also` are more expressions to select."""
        _add_remembered_use(self, {name: model for name, model in deleted.items() if witnesses_use(model)})
        parts = {**deleted, **(changed or {})}
        selected = ", ".join([*(f"(SELECT count(*) FROM {name})" for name in parts), *also])
        return Compiled(
            using=self.using,
            sql=f"WITH {', '.join(self.parts)} SELECT {selected}",
            tables=[model._meta.db_table for model in parts.values()],
        )


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A statement that deletes. Its first columns count the rows of `tables`."""

    using: str
    sql: str
    tables: list[str]

    def execute(self, parameters: Sequence[Any]) -> tuple[Counter[str], tuple[Any, ...]]:
        """Execute it; returns the rows by table, and the columns that come after."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.sql, parameters)
            row = cursor.fetchone()
        counts: Counter[str] = Counter()
        for table, total in zip(self.tables, row, strict=False):
            counts[table] += total
        return counts, row[len(self.tables) :]


def delete_rows(
    rows: QuerySet[Any], *, references: list[Any], followers: QuerySet[Any] | None
) -> Counter[str]:
    """Delete `rows`; null or, where they are among `followers`, delete what refers to them. See `deletion`."""
    statement = Statement(rows.db)
    return statement.count(_add_deletes(statement, rows, references, followers))


class DeleteSome:
    """Likewise, of `rows` those in a choice of some rows of `among`: compiled once, called with how many to choose.

    What is chosen is found again by its place in the table; what was changed meanwhile may stay. What the foreign key
    `holder` refers to stays, which is asked of all that is chosen at once.
    """

    def __init__(
        self,
        rows: QuerySet[Any],
        *,
        among: QuerySet[Any],
        holder: Any,
        references: list[Any],
        followers: QuerySet[Any] | None,
    ) -> None:
        self.table = rows.model._meta.db_table
        statement = Statement(rows.db)
        place = f"{statement.quote(self.table)}.ctid"
        choice, parameters = _compile(among.values(chosen_place=RawSQL(place, []), chosen_key=F("pk")))
        self.at_size = len(parameters)
        statement.add(
            "chosen",
            "SELECT array_agg(chosen_place) AS places, array_agg(chosen_key) AS keys "
            f"FROM ({choice} LIMIT %s) choice",
            [*parameters, 0],
        )
        is_chosen = RawSQL(f"{place} = ANY ((SELECT places FROM chosen)::tid[])", [], models.BooleanField())
        going = rows.filter(is_chosen)
        if holder is not None:
            going = going.exclude(pk__in=RawSQL(_held(statement, holder), []))
        deleted = _add_deletes(statement, going, references, followers)
        self.compiled = statement.compile(
            deleted, also=["(SELECT coalesce(cardinality(places), 0) FROM chosen)", PLAN_AS_BEFORE]
        )
        self.parameters = statement.parameters

    def __call__(self, size: int) -> Outcome:
        parameters = [*self.parameters, _plan_by_indexes(self.compiled.using)]
        parameters[self.at_size] = size
        counts, (chosen, *_) = self.compiled.execute(parameters)
        return Outcome(counts=counts, chosen=chosen, stayed=chosen - counts[self.table])


def _held(statement: Statement, holder: Any) -> str:
    """Return what selects those of the `chosen` keys that the foreign key `holder` refers to."""
    quote = statement.quote
    column, kind = quote(holder.column), holder.db_type(connections[statement.using])
    table = quote(holder.model._meta.db_table)
    return f"SELECT {column} FROM {table} WHERE {column} = ANY ((SELECT keys FROM chosen)::{kind}[])"


PLAN_AS_BEFORE = "set_config('enable_seqscan', %s, true)"
"""What a statement selects to put back the setting by which it was planned."""


def _plan_by_indexes(using: str) -> str:
    """Have the next statement planned by indexes alone; returns the parameter of its PLAN_AS_BEFORE.

    To choose some of many rows, a planner begins at the front of the table, where earlier windows left nothing; told an
    order that keeps it from there, it reads and sorts them all.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_seqscan'), set_config('enable_seqscan', 'off', true)")
        before, _ = cursor.fetchone()
    return str(before)


def _add_deletes(
    statement: Statement, rows: QuerySet[Any], references: list[Any], followers: QuerySet[Any] | None
) -> dict[str, type[models.Model]]:
    """Add what deletes `rows` and deals with what refers to them; returns the parts that delete, with their models."""
    add_delete(statement, "gone", rows)
    deleted = {"gone": rows.model}
    for number, reference in enumerate(references):
        hooked, unhooked, followed = f"hooked{number}", f"unhooked{number}", f"followed{number}"
        quote, table = statement.quote, statement.quote(reference.model._meta.db_table)
        pk, column = quote(reference.model._meta.pk.column), quote(reference.column)
        gone = f"ARRAY(SELECT {quote(rows.model._meta.pk.column)} FROM gone)"
        statement.add(hooked, f"SELECT {pk} FROM {table} WHERE {column} = ANY ({gone})")
        among_hooked = f"{pk} = ANY (ARRAY(SELECT {pk} FROM {hooked}))"
        spared = ""
        if followers is not None:
            among = IsAnyOf(F("pk"), RawSQL(f"SELECT {pk} FROM {hooked}", []))
            add_delete(statement, followed, followers.filter(among))
            deleted[followed] = followers.model
            spared = f" AND {pk} NOT IN (SELECT {pk} FROM {followed})"
        update = f"UPDATE {table} SET {column} = NULL WHERE {among_hooked}{spared}"
        statement.add(unhooked, update)
    return deleted


def add_delete(statement: Statement, name: str, rows: QuerySet[Any]) -> None:
    """Add a CTE that deletes `rows` and returns of each what the rest of the statement may ask for."""
    model = rows.model
    delete, parameters = compile_delete(rows)
    columns = [model._meta.pk.column]
    if witnesses_use(model):
        columns += [_column(model, "application"), _column(model, "created")]
    if model is get_access_token_model():
        columns += [_column(model, "scope"), _column(model, "id_token")]
    returned = ", ".join(statement.quote(column) for column in columns)
    statement.add(name, f"{delete} RETURNING {returned}", parameters)


def _add_remembered_use(statement: Statement, parts: dict[str, type[models.Model]]) -> None:
    """Raise the marks that are behind by more than their resolution; the rest are not even locked."""
    if not parts:
        return
    quote, application = statement.quote, get_application_model()
    table, pk = quote(application._meta.db_table), quote(application._meta.pk.column)
    mark = quote(_column(application, "last_used"))
    seen, parameters = [], []
    for name, model in parts.items():
        holder, created = quote(_column(model, "application")), quote(_column(model, "created"))
        condition = ""
        if model is get_access_token_model():
            condition = f" WHERE {quote(_column(model, 'scope'))} <> %s"
            parameters.append(oauth2_settings.DCR_REGISTRATION_SCOPE)
        seen.append(f"SELECT {holder} AS holder, {created} AS created FROM {name}{condition}")
    used = f"SELECT holder, max(created) AS at FROM ({' UNION ALL '.join(seen)}) seen GROUP BY holder"
    statement.add("used", used, parameters)
    behind = f"({table}.{mark} IS NULL OR {table}.{mark} < used.at - %s)"
    join = f"{table}.{pk} = used.holder AND {behind}"
    locked = (
        f"SELECT {table}.{pk}, used.at FROM {table} JOIN used ON {join} "
        f"ORDER BY {table}.{pk} FOR NO KEY UPDATE OF {table}"
    )
    statement.add("behind", locked, [USE_RESOLUTION])
    update = f"UPDATE {table} SET {mark} = behind.at FROM behind WHERE {table}.{pk} = behind.{pk}"
    statement.add("marked", update)


def _column(model: type[models.Model], name: str) -> str:
    return str(model._meta.get_field(name).column)  # type: ignore[union-attr]


def revoke_refresh_tokens(rows: QuerySet[Any], now: datetime) -> Counter[str]:
    """Stamp `rows`, refresh tokens, as revoked at `now`; delete their access tokens and the ID tokens of those.

    The refresh tokens are locked first, in the order of their keys, as rotation locks them. One that was revoked
    before keeps its date and is not counted.
    """
    statement, model, access_token = Statement(rows.db), rows.model, get_access_token_model()
    quote, id_token = statement.quote, get_id_token_model()
    picked = rows.order_by("pk").select_for_update(of=("self",))
    columns = picked.values(target=F("pk"), held=F("access_token"), earlier=F("revoked"))
    statement.add("picked", *columns.query.get_compiler(rows.db).as_sql())
    table, pk, revoked, updated, holding = (
        quote(name)
        for name in (
            model._meta.db_table,
            *(_column(model, name) for name in (model._meta.pk.name, "revoked", "updated", "access_token")),
        )
    )
    statement.add(
        "stamped",
        f"UPDATE {table} SET {revoked} = COALESCE({revoked}, %s), {updated} = %s, {holding} = NULL "
        f"WHERE {pk} = ANY (ARRAY(SELECT target FROM picked))",
        [now, now],
    )
    statement.add("revoked", "SELECT target FROM picked WHERE earlier IS NULL")
    held = IsAnyOf(F("pk"), RawSQL("SELECT held FROM picked", []))
    add_delete(statement, "ended", access_token._base_manager.using(rows.db).filter(held).order_by())
    named = IsAnyOf(F("pk"), RawSQL(f"SELECT {quote(_column(access_token, 'id_token'))} FROM ended", []))
    add_delete(statement, "unnamed", id_token._base_manager.using(rows.db).filter(named).order_by())
    return statement.count({"ended": access_token, "unnamed": id_token}, changed={"revoked": model})


def _compile(rows: QuerySet[Any]) -> tuple[str, tuple[Any, ...]]:
    return rows.query.get_compiler(rows.db).as_sql()
