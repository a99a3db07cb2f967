"""Windows over a big table along an index, so that a statement touches no more rows than it works on.

A `Walk` orders rows by one or more columns, the last of them unique (the primary key alone, or `expires` and the
primary key). A `Window` is a stretch of that order: after `after`, up to and with `upto`. Finding the next one
reads its index entries only; there is no COUNT and no OFFSET over the table.
"""

from __future__ import annotations

import json
import operator
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connections, models, transaction
from django.db.models import F, Lookup, Q, QuerySet, Subquery
from django.db.models import sql as orm_sql
from django.db.models.functions import Coalesce
from django.db.models.lookups import In

T = TypeVar("T")
Key = tuple[Any, ...]
"""The values of a walk's columns in one row."""

ATTEMPTS = 6
KEYS_AT_MOST = 5000
PASSING = (OperationalError, InterfaceError, IntegrityError)
"""What may be gone at the next try: deadlocks, timeouts, lost connections; a row that came to be held meanwhile."""
LOST_RACES = {"40001", "40P01", "55P03", 1020, 1205, 1213}
"""Conflict, deadlock and lock timeout, as PostgreSQL and MariaDB/MySQL name them."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows that come after `after` (None: from the first) up to and with `upto`."""

    after: Key | None
    upto: Key


@dataclass(frozen=True, kw_only=True)
class Walk:
    """An order over the rows of `rows`, a queryset without ordering, by `fields` (names, the last one unique).

    The first row is the one with the lowest key, or where it `is_descending` with the highest. `is_scattered` says that
    `rows` are found by another index than that of the order: where there are none, the table is not read to know.
    """

    rows: QuerySet[Any]
    fields: tuple[str, ...] = ("pk",)
    is_descending: bool = False
    is_scattered: bool = False

    @property
    def model(self) -> type[models.Model]:
        return self.rows.model

    def first(self) -> Key | None:
        """Return the key of the first row, or None where there is no row."""
        return self._in_order(self.rows, sorted_by=self._sorting).first()

    def last(self) -> Key | None:
        """Return the key of the last row, or None where there is no row."""
        return self._in_order(self.rows, sorted_by=self._sorting).reverse().first()

    def next_window(self, *, after: Key | None, last: Key, size: int) -> Window | None:
        """Return the next `size` rows after `after` and not beyond `last`; None when there are none left."""
        rows = self._in_order(self.rows.filter(self._between(after, last)))
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

    def cuts(self, first: Key, last: Key, parts: int) -> list[Key]:
        """Return at most `parts - 1` keys, in order, that cut the way from `first` to `last` into equal stretches.

        Equal by value, not by rows; none where keys cannot be divided.
        """
        low, high = _as_number(first[0]), _as_number(last[0])
        if low is None or high is None:
            return []
        cuts: list[Key] = []
        lookup, is_before = ("gte", operator.gt) if self.is_descending else ("lte", operator.lt)
        for number in range(1, parts):
            bound = _as_value(low + (high - low) * number // parts, like=first[0])
            reached = self.rows.filter(**{f"{self.fields[0]}__{lookup}": bound})
            key = self._in_order(reached).reverse().first()
            if key is not None and is_before(key, last) and (not cuts or is_before(cuts[-1], key)):
                cuts.append(key)
        return cuts

    def _parts(self, values: Sequence[Any]) -> list[tuple[Any, Any]]:
        return [(self._field(path), value) for path, value in zip(self.fields, values, strict=True)]

    def _field(self, path: str) -> Any:
        model: Any = self.model
        *relations, name = path.split("__")
        for relation in relations:
            model = model._meta.get_field(relation).related_model
        return model._meta.pk if name == "pk" else model._meta.get_field(name)

    def _in_order(self, rows: QuerySet[Any], *, sorted_by: Sequence[Any] = ()) -> QuerySet[Any]:
        ordered = rows.order_by(*(sorted_by or self.fields)).values_list(*self.fields)
        return ordered.reverse() if self.is_descending else ordered

    @property
    def _sorting(self) -> list[Any]:
        """Return what sorts scattered rows: the fields as expressions, for which no planner takes their index."""
        return [Coalesce(name, name).asc() for name in self.fields] if self.is_scattered else []

    def _between(self, after: Key | None, upto: Key, *, prefix: str = "") -> Q:
        before, beyond = ("gt", "lt") if self.is_descending else ("lt", "gt")
        condition = self._compare(upto, before, f"{before}e", prefix=prefix)
        if after is not None:
            condition &= self._compare(after, beyond, beyond, prefix=prefix)
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


def _as_number(value: Any) -> int | None:
    """Return a key as a number that can be divided; None for a kind that cannot."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1_000_000)
    return value if isinstance(value, int) else None


def _as_value(number: int, *, like: Any) -> Any:
    if isinstance(like, datetime):
        return datetime.fromtimestamp(number / 1_000_000, tz=like.tzinfo)
    return number


class _Holder:
    """Lets a field serialize a bare value."""

    def __init__(self, attname: str, value: Any) -> None:
        setattr(self, attname, value)


def may_pass(error: Exception) -> bool:
    """Tell whether a clean-up's transaction that failed with `error` may succeed at the next try."""
    return isinstance(error, PASSING)


def is_lost_race(error: Exception) -> bool:
    """Tell whether the engine undid a transaction for another's sake: by a deadlock, or a lock waited for too long."""
    cause = error.__cause__
    if not isinstance(error, OperationalError) or cause is None:
        return False
    code = getattr(cause, "sqlstate", None) or next(iter(cause.args), None)
    return code in LOST_RACES


def with_retries(
    work: Callable[[], T], *, using: str, is_passing: Callable[[Exception], bool] = may_pass
) -> T:
    """Return what `work`, a whole transaction on `using`, returns; one that fails in passing is run again.

    Waits longer each time, with jitter. Inside a transaction of the caller there is nothing to run again: the
    error is raised.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except PASSING as error:
            connection = connections[using]
            if connection.in_atomic_block or not is_passing(error):
                raise
            connection.close_if_unusable_or_obsolete()
            time.sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311 - jitter
    return work()


def atomically(work: Callable[[], T], *, using: str) -> T:
    """Return what `work` returns, in a transaction; one that loses a race for locks is run again.

    For a client's request, which must not fail because others came: `work` must change nothing but rows.
    """

    def transact() -> T:
        with transaction.atomic(using=using):
            return work()

    return with_retries(transact, using=using, is_passing=is_lost_race)


def delete_window(rows: QuerySet[Any]) -> int:
    """Delete `rows` in one statement without loading them; returns how many went.

    Neither signals nor cascades: the caller has dealt with what refers to them.
    """
    return rows._raw_delete(rows.db) or 0


def compile_delete(rows: QuerySet[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the DELETE statement of `rows`, which must be of one table, and its parameters."""
    query = rows.query.clone()
    query.__class__ = orm_sql.DeleteQuery
    return query.get_compiler(rows.db).as_sql()


def in_chunks(keys: Sequence[T], using: str) -> Iterator[Sequence[T]]:
    """Cut `keys` into pieces that one statement on `using` takes as parameters."""
    size = min(connections[using].features.max_query_params or KEYS_AT_MOST, KEYS_AT_MOST)
    return (keys[start : start + size] for start in range(0, len(keys), size))


def is_among(name: str, keys: Sequence[Any]) -> Any:
    """Return the condition that the field `name` is one of `keys`.

    Hundreds of parameters cost more than what they choose: whole numbers are written into the statement, other keys are
    one parameter where the database has arrays.
    """
    if not keys:
        return Q(**{f"{name}__in": keys})
    if all(type(key) is int for key in keys):
        return IsListed(F(name), ",".join(map(str, keys)))
    return IsOneOf(F(name), keys)


def estimated_count(rows: QuerySet[Any], *, at_most: int) -> int:
    """Return about how many `rows` there are, as far as `at_most`.

    PostgreSQL and MySQL are asked for their planner's guess, which reads next to nothing; SQLite, which has
    none, counts, and stops at `at_most`.
    """
    vendor = connections[rows.db].vendor
    if vendor not in ("postgresql", "mysql"):
        return counted_up_to(rows, at_most)
    text = rows.order_by().values("pk").explain(format="json")
    if not text:  # a condition that cannot be met, such as `pk__in=[]`
        return 0
    plan = json.loads(text)
    if isinstance(plan, str):  # Django quotes the JSON of MariaDB and MySQL once more
        plan = json.loads(plan)
    guess = plan[0]["Plan"]["Plan Rows"] if vendor == "postgresql" else _rows_examined(plan)
    return min(int(guess), at_most)


def estimated_total(model: type[models.Model], using: str) -> int | None:
    """Return about how many rows the table of `model` has, without counting; None where nothing tells.

    SQLite: the span of its keys.
    """
    rows = model._base_manager.using(using).order_by()
    if connections[using].vendor in ("postgresql", "mysql"):
        return estimated_count(rows, at_most=sys.maxsize)
    walk = Walk(rows=rows)
    first, last = walk.first(), walk.last()
    if first is None or last is None:
        return 0
    return last[0] - first[0] + 1 if isinstance(last[0], int) else None


def _rows_examined(plan: Any) -> int:
    """Return the rows of the first table in a plan of MariaDB ("rows") or MySQL ("rows_examined_per_scan")."""
    if isinstance(plan, dict):
        for name in ("rows", "rows_examined_per_scan"):
            if name in plan:
                return int(plan[name])
    parts = plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ()
    return max((_rows_examined(part) for part in parts), default=0)


def counted_up_to(rows: QuerySet[Any], limit: int, *, by: str | None = None) -> int:
    """Return the number of `rows`, or `limit` where there are more; reads no more than that.

    Where `rows` are a part of the table that lies together, a planner may read all the rest first: `by` names the
    indexed field that they are chosen by, and has the index walked.
    """
    ordered = rows.order_by() if by is None else rows.order_by(by)
    return ordered.values("pk")[:limit].count()


class IsListed(Lookup):
    """`expression` is one of some whole numbers, which are given as text with commas between them.

    A lookup, as MySQL and MariaDB get `(… ) = 1` of any other condition, for which they read the whole table.
    """

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        expression, parameters = self.process_lhs(compiler, connection)
        return f"{expression} IN ({self.rhs})", tuple(parameters)


class IsOneOf(In):
    """`expression` is one of some values."""

    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        expression, parameters = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        values = [field.get_db_prep_value(value, connection) for value in self.rhs]
        return f"{expression} = ANY (%s)", (*parameters, values)


class IsAnyOf(Lookup):
    """`expression` is among the rows of a subquery (a queryset or RawSQL), by a plan that looks each of them up.

    PostgreSQL: `= ANY (ARRAY(SELECT ...))`, which no planner turns into a join that reads a whole table.
    """

    prepare_rhs = False

    def __init__(self, expression: Any, subquery: Any) -> None:
        super().__init__(expression, Subquery(subquery) if isinstance(subquery, QuerySet) else subquery)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return self._compiled("{} IN {}", compiler, connection)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return self._compiled("{} = ANY (ARRAY{})", compiler, connection)

    def _compiled(self, template: str, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        expression, parameters = self.process_lhs(compiler, connection)
        rows, more = compiler.compile(self.rhs)
        return template.format(expression, rows), (*parameters, *more)
