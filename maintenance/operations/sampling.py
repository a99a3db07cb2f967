"""A look at some of a table's rows, for a condition that no index has and no planner can guess.

Whatever share of the rows meets it, a look reads no more of them than it was told to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, connections
from django.db.models import Count, DateTimeField, Max, Min, Model, OuterRef, Q, QuerySet, Subquery

from oauth2_provider.batching import Walk, estimated_count, estimated_total

from .budget import Budget

FIRST_ROWS = 500
"""Of a first look, which tells how long the next one would take."""
STRETCHES = 5
"""Of a whole table, by equal parts of the way from its first key to its last: older rows may be other than newer."""
CAUTION = 0.6
"""Of the time there is: rows that lie further away take longer than the first."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """`rows`, and where to look for them.

    `among` is what an index finds: rows of the same table, or of the one that `path`, a foreign key, leads to; each of
    `rows` is or has one of them. `in_order` is the same, or more, by a range of that index and in its order: a planner
    that knows how many there are may read the table from its start to come by the first. Without `among`, the whole
    table.
    """

    rows: QuerySet[Any]
    among: QuerySet[Any] | None = None
    in_order: QuerySet[Any] | None = None
    path: str = ""

    @property
    def is_whole(self) -> bool:
        return self.among is None

    @property
    def walk(self) -> Walk:
        """All rows of the table, by primary key."""
        return Walk(rows=self.rows.model._base_manager.using(self.rows.db).order_by())

    @property
    def dated(self) -> str | None:
        """The field that says when a row came to be: a column of that name may hold something else."""
        return "created" if not self.path and is_dated(self.rows.model) else None

    def looked_at(self) -> QuerySet[Any]:
        """Return the rows to look at, in order, each with the key that it has among `rows`, or None, as `goes`.

        By a probe of the primary key: a planner may turn a condition into a join that reads a whole table.
        """
        same = self.rows.filter(**{self.path or "pk": OuterRef("pk")}).order_by().values("pk")[:1]
        found = self.in_order if self.in_order is not None else self.among
        return (self.walk.rows.order_by("pk") if found is None else found).annotate(goes=Subquery(same))

    def estimated_candidates(self) -> int | None:
        """Return about how many rows there would be to look at, without counting; None where nothing tells."""
        if self.among is None:
            return estimated_total(self.rows.model, self.rows.db)
        if connections[self.rows.db].vendor not in ("postgresql", "mysql"):
            return None
        return estimated_count(self.among, at_most=2**63)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at `looked_at` rows found; `share` of all of them is what it makes of that."""

    looked_at: int
    found: int
    share: float
    is_all: bool = False
    keys: Sequence[Any] = ()
    ages: Sequence[datetime] = ()
    seconds: float = field(default=0.0, compare=False)


def first_look(selection: Selection, budget: Budget) -> Look | None:
    """Look at the first few rows; None where even that took more than half of the time that is left."""
    began, most = time.monotonic(), min(FIRST_ROWS, budget.rows)
    dated = selection.dated
    try:
        with budget.part(2).statement(selection.rows.db):
            columns = ("goes", dated) if dated else ("goes",)
            seen = list(selection.looked_at().values_list(*columns)[:most])
    except OperationalError:
        return None
    going = [row for row in seen if row[0] is not None]
    return Look(
        looked_at=len(seen),
        found=len(going),
        share=len(going) / max(len(seen), 1),
        is_all=len(seen) < most,
        keys=[key for key, *_ in going],
        ages=[age for _, *ages in going for age in ages],
        seconds=time.monotonic() - began,
    )


def wider_look(selection: Selection, first: Look, budget: Budget) -> Look:
    """Look at as many rows as there is time for, as the first look went; returns the better of the two."""
    pace = first.looked_at / max(first.seconds, 0.001)
    most = min(budget.rows, int(pace * budget.seconds * CAUTION))
    if most < 2 * first.looked_at:
        return first
    total = selection.estimated_candidates() if selection.is_whole else 0
    try:
        if total is None or total > most:
            wider = _look_at_stretches(selection, most, budget)
        else:
            wider = _look_from_the_start(selection, most, budget)
    except OperationalError:
        return first
    return replace(wider, keys=first.keys)


def is_dated(model: type[Model]) -> bool:
    """Tell whether rows say when they came to be."""
    return any(field.name == "created" and isinstance(field, DateTimeField) for field in model._meta.fields)


def _look_from_the_start(selection: Selection, most: int, budget: Budget) -> Look:
    seen = _aggregated(selection, selection.looked_at()[:most], budget)
    return Look(
        looked_at=seen["looked_at"],
        found=seen["found"],
        share=seen["found"] / max(seen["looked_at"], 1),
        is_all=seen["looked_at"] < most,
        ages=_ages(seen),
    )


def _look_at_stretches(selection: Selection, most: int, budget: Budget) -> Look:
    """Look at stretches of the whole table; one counts for as many rows as seem to lie on the way to the next.

    Where keys cannot be divided, such as UUIDs, one stretch will do: they lie in no order.
    """
    walk = selection.walk
    with budget.statement(selection.rows.db):
        first, last = walk.first(), walk.last()
        cuts = [] if first is None or last is None else walk.cuts(first, last, STRETCHES)
    if first is None or last is None or not cuts:
        return replace(_look_from_the_start(selection, most, budget), is_all=False)
    starts = [first, *cuts]
    parts: list[tuple[float, dict[str, Any]]] = []
    for start, end in zip(starts, [*cuts, last], strict=True):
        rows = selection.looked_at().filter(pk__gte=start[0], pk__lte=last[0])[: most // len(starts)]
        try:
            seen = _aggregated(selection, rows, budget, upto=Max("pk"))
        except OperationalError:
            break
        if seen["looked_at"]:
            parts.append(((end[0] - start[0]) / max(seen["upto"] - start[0], 1), seen))
    if not parts:
        raise OperationalError("no stretch was looked at in time")
    weight = sum(weight * seen["looked_at"] for weight, seen in parts)
    return Look(
        looked_at=sum(seen["looked_at"] for _, seen in parts),
        found=sum(seen["found"] for _, seen in parts),
        share=sum(weight * seen["found"] for weight, seen in parts) / weight,
        ages=[age for _, seen in parts for age in _ages(seen)],
    )


def _aggregated(selection: Selection, rows: QuerySet[Any], budget: Budget, **more: Any) -> dict[str, Any]:
    dated = selection.dated
    if dated is not None:
        goes = Q(goes__isnull=False)
        more |= {"oldest": Min(dated, filter=goes), "newest": Max(dated, filter=goes)}
    with budget.statement(selection.rows.db):
        return rows.aggregate(looked_at=Count("pk"), found=Count("goes"), **more)


def _ages(seen: dict[str, Any]) -> list[datetime]:
    return [seen[name] for name in ("oldest", "newest") if seen.get(name) is not None]
