"""Counting for a preview: bounded in rows and in time, however large the tables are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import OperationalError, connections
from django.db.models import Count, Max, Min, QuerySet

from oauth2_provider.batching import estimated_count

from .base import Inexact, Number, Preview
from .budget import Budget, budget_of_a_page
from .sampling import Look, Selection, first_look, is_dated, wider_look

SAMPLES = 5
CHANGED_SHARE = 0.2
"""Of a table, since its last ANALYZE; autovacuum's default is half of that."""
OLD_STATISTICS = "Much has changed since the last ANALYZE of %s: the estimates may be far off."


class Tally:
    """Adds up what a run would deal with, within `budget`, by default that of a page.

    No statement reads on for long: it ends with the rows or with the time. A number that is not counted to its end is
    an estimate, and never less than what was counted.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or budget_of_a_page()
        self.numbers: dict[str, Number] = {}
        self.reasons: dict[str, Number] = {}
        self.samples: dict[str, list[str]] = {}
        self._ages: list[datetime] = []
        self._databases: dict[str, str] = {}

    def add(self, rows: QuerySet[Any], *, reason: str | None = None, order: str | None = None) -> Number:
        """Count `rows`, which an index finds (`order` is its field), under their table and, where given, `reason`."""
        number = self._counted(rows.order_by(*([order] if order else [])))
        self._add(rows, number, reason)
        if number.counted:
            self._take_keys(rows, reason)
        return number

    def add_selections(self, selections: Sequence[tuple[str | None, Selection]]) -> bool:
        """Count selections, each under its table and its reason; returns whether all were counted to their end.

        First a short look at each, then a wider one at those that are large, each with its part of the time.
        """
        looks = [(reason, each, first_look(each, self.budget)) for reason, each in selections]
        open_ones = sum(look is not None and not look.is_all for _, _, look in looks)
        for reason, selection, look in looks:
            if look is not None and not look.is_all:
                look = wider_look(selection, look, self.budget.part(open_ones))
                open_ones -= 1
            self._add(selection.rows, _of_look(selection, look), reason)
            if look is not None:
                self.add_ages(look.ages)
                self._note_keys(selection.rows, reason, look.keys)
        return all(not number.doubt for number in self.numbers.values())

    def keys(self, rows: QuerySet[Any], at_most: int) -> list[Any]:
        """Return the keys of `rows`, no more than `at_most`; none where there is no time for it."""
        try:
            with self.budget.part(2).statement(rows.db):
                return list(rows.order_by().values_list("pk", flat=True)[:at_most])
        except OperationalError:
            return []

    def has_room(self, table: str) -> bool:
        """Tell whether more rows of `table` may be counted."""
        number = self.numbers.get(table)
        return self.budget.has_time and (number is None or number.shown < self.budget.rows)

    def number_of(self, rows: QuerySet[Any]) -> Number:
        """Return about how many `rows` there are, without adding them; only SQLite counts for that."""
        return _guessed(rows, counted=0) if _is_guessed(rows) else self._counted(rows, with_ages=False)

    def extrapolate(self, table: str, *, looked_at: int, of: Number) -> None:
        """Take the number of `table`, which is that of `looked_at` of what holds the rows, for all `of` them."""
        if of.doubt is not None or looked_at < of.shown:
            self.numbers[table] = _extrapolated(self.numbers.get(table, Number()), looked_at, of)

    def extrapolate_all(self, *, looked_at: int, of: Number) -> None:
        """Do that with every number: more were to be looked at, whatever `of` says."""
        for numbers in (self.numbers, self.reasons):
            numbers |= {name: _extrapolated(number, looked_at, of) for name, number in numbers.items()}

    def add_ages(self, moments: Iterable[datetime | None]) -> None:
        """Widen the span from the oldest to the newest."""
        self._ages += [moment for moment in moments if moment is not None]

    def preview(self, *, path: str, warnings: list[str], **values: Any) -> Preview:
        """Return the preview of all that was added."""
        return Preview.of(
            self.numbers,
            self.reasons,
            **{
                "samples": self.samples,
                "oldest": min(self._ages, default=None),
                "newest": max(self._ages, default=None),
                "path": path,
                "warnings": [*warnings, *self._old_statistics()],
                **values,
            },
        )

    def _add(self, rows: QuerySet[Any], number: Number, reason: str | None) -> None:
        table = rows.model._meta.db_table
        self._databases[table] = rows.db
        self.numbers[table] = self.numbers.get(table, Number()) + number
        if reason is not None:
            self.reasons[reason] = number

    def _counted(self, rows: QuerySet[Any], *, with_ages: bool = True) -> Number:
        """Count `rows` and take their ages, in one statement."""
        most = self.budget.rows
        is_aged = with_ages and is_dated(rows.model)
        ages = {"oldest": Min("created"), "newest": Max("created")} if is_aged else {}
        try:
            with self.budget.part(2).statement(rows.db):
                seen = rows[:most].aggregate(count=Count("pk"), **ages)
        except OperationalError:
            return _guessed(rows, counted=0)
        count = seen.pop("count")
        self.add_ages(seen.values())
        return exactly(count) if count < most else _guessed(rows, counted=count)

    def _old_statistics(self) -> list[str]:
        """Return a warning where estimates go by statistics from before the table became another."""
        estimated = [name for name, number in self.numbers.items() if number.doubt is Inexact.ABOUT]
        old = [name for name in estimated if _has_old_statistics(name, self._databases.get(name))]
        return [OLD_STATISTICS % ", ".join(sorted(old))] if old else []

    def _take_keys(self, rows: QuerySet[Any], reason: str | None) -> None:
        self._note_keys(rows, reason, self.keys(rows, SAMPLES))

    def _note_keys(self, rows: QuerySet[Any], reason: str | None, keys: Sequence[Any]) -> None:
        if keys:
            self.samples[reason or rows.model._meta.db_table] = [str(key) for key in keys[:SAMPLES]]


def exactly(rows: int) -> Number:
    """Return a count."""
    return Number(shown=rows, counted=rows)


def estimated(rows: int | None, *, counted: int) -> Number:
    """Return an estimate, None where there is none, beside what was counted; the larger of them is shown."""
    if rows is not None and rows > counted:
        return Number(shown=rows, counted=counted, doubt=Inexact.ABOUT)
    return Number(shown=counted, counted=counted, doubt=Inexact.AT_LEAST)


def _extrapolated(number: Number, looked_at: int, of: Number) -> Number:
    return estimated(number.shown * of.shown // looked_at if looked_at else None, counted=number.counted)


def _guessed(rows: QuerySet[Any], *, counted: int) -> Number:
    """Return the planner's guess where there is one."""
    return estimated(
        estimated_count(rows, at_most=sys.maxsize) if _is_guessed(rows) else None, counted=counted
    )


def _is_guessed(rows: QuerySet[Any]) -> bool:
    """Tell whether the planner says how many `rows` there are; that of SQLite does not."""
    return connections[rows.db].vendor in ("postgresql", "mysql")


def _has_old_statistics(table: str, using: str | None) -> bool:
    """Ask PostgreSQL; the others say nothing of it."""
    if using is None or connections[using].vendor != "postgresql":
        return False
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT n_mod_since_analyze > %s * n_live_tup FROM pg_stat_user_tables WHERE relid = to_regclass(%s)",
            [CHANGED_SHARE, connections[using].ops.quote_name(table)],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _of_look(selection: Selection, look: Look | None) -> Number:
    if look is None:
        return _guessed(selection.rows, counted=0)
    if look.is_all:
        return exactly(look.found)
    total = selection.estimated_candidates()
    return estimated(None if total is None else round(look.share * total), counted=look.found)
