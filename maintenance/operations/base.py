"""What an operation is: a name, arguments, stages, a preview; and the registry of operations.

Subclass `Operation`, return your stages, and `register` it: schedule, admin, command line, runs, windows, pause and
resume come with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from django import forms
from django.core.serializers.json import DjangoJSONEncoder

from ..exceptions import InvalidArguments, UnknownOperation
from .budget import Budget

Position = Any
"""Where a stage stands: JSON that only the stage understands."""


class OperationKind(StrEnum):
    """What yields to what."""

    HYGIENE = "hygiene"
    """Yields to live traffic: throttles, holds, time windows."""
    SECURITY = "security"
    """Never held; finished means verified that nothing is left."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a run gives its operation: checked arguments, and the time that counts as now."""

    arguments: Mapping[str, Any]
    cutoff: datetime
    run_id: str | None = None
    budget: Budget | None = None
    """Of a preview; None: that of a page."""


@dataclass(frozen=True, kw_only=True)
class WindowResult:
    """What one window did: the position after it, and the rows dealt with by table.

    `is_full` says that it would have done more, had it been larger: only then may the next one be.
    """

    position: Position
    counts: Counter[str]
    is_full: bool = True


class Stage:
    """One ordered pass over one table.

    `begin` fixes the bounds once, at the start, so that the work is finite; `work` does the next window in the
    transaction that the runner holds, and returns None where nothing is left. A stage keeps no state: everything
    it needs to go on is in the position.
    """

    name: str

    def using(self) -> str:
        """Return the alias of the database that the stage works on."""
        raise NotImplementedError

    def begin(self) -> Position | None:
        """Return the first position, or None where there is nothing to do."""
        raise NotImplementedError

    def work(self, position: Position, size: int) -> WindowResult | None:
        """Do the next window of about `size` rows after `position`; None: the stage is done."""
        raise NotImplementedError

    def split(self, position: Position, shards: int) -> list[Position]:
        """Return at most `shards` positions that together cover what lies after `position`, each row once."""
        return [position]

    def fraction(self, position: Position) -> float:
        """Return how much of the stage lies behind `position`, 0 to 1."""
        return 0.0


class Inexact(StrEnum):
    """How a number in a preview falls short of a count."""

    AT_LEAST = "at_least"
    """Counting stopped there, and nothing tells how many there are."""
    ABOUT = "about"
    """An estimate: the engine's, or from the share of the rows that were looked at."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number in a preview: what is `shown`, and how much of it was `counted` indeed. Without a doubt: all."""

    shown: int = 0
    counted: int = 0
    doubt: Inexact | None = None

    def __add__(self, other: Number) -> Number:
        doubts = {self.doubt, other.doubt}
        return Number(
            shown=self.shown + other.shown,
            counted=self.counted + other.counted,
            doubt=next((doubt for doubt in (Inexact.ABOUT, Inexact.AT_LEAST) if doubt in doubts), None),
        )

    def __str__(self) -> str:
        """Return it for people: "12", "at least 200,000", "about 3,000,000"."""
        return f"{self.doubt.replace('_', ' ')} {self.shown:,}" if self.doubt else f"{self.shown:,}"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would do now: nothing has been touched."""

    counts: dict[str, int]
    """Rows by table."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rows by reason."""
    kept: dict[str, int] = field(default_factory=dict)
    """Rows that were looked at and stay, by reason."""
    inexact: dict[str, Inexact] = field(default_factory=dict)
    """Tables and reasons whose number is no exact count."""
    counted: dict[str, int] = field(default_factory=dict)
    """Of those, how many rows were counted indeed."""
    samples: dict[str, list[str]] = field(default_factory=dict)
    """A few primary keys by table; never a token."""
    oldest: datetime | None = None
    newest: datetime | None = None
    path: str = "set-based"
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, tables: Mapping[str, Number], reasons: Mapping[str, Number], **values: Any) -> Preview:
        """Return the preview with these numbers."""
        both = {**tables, **reasons}
        return cls(
            counts={name: number.shown for name, number in tables.items()},
            reasons={name: number.shown for name, number in reasons.items()},
            inexact={name: number.doubt for name, number in both.items() if number.doubt is not None},
            counted={name: number.counted for name, number in both.items() if number.doubt is not None},
            **values,
        )

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @property
    def total(self) -> Number:
        """The rows of all tables."""
        return sum((self.number(table) for table in self.counts), Number())

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing would be done for certain."""
        return self.total == Number()

    def number(self, name: str) -> Number:
        """Return the number of the table or reason `name`."""
        shown = self.counts.get(name, self.reasons.get(name, 0))
        doubt = self.inexact.get(name)
        counted = shown if doubt is None else self.counted.get(name, 0 if doubt is Inexact.ABOUT else shown)
        return Number(shown=shown, counted=counted, doubt=doubt)

    def shown(self, name: str) -> str:
        """Return the number of the table or reason `name` for people: "12", "at least 200,000", "about 3,000,000"."""
        return str(self.number(name))

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "counts": self.counts,
            "reasons": self.reasons,
            "kept": self.kept,
            "inexact": self.inexact,
            "counted": self.counted,
            "samples": self.samples,
            "oldest": self.oldest,
            "newest": self.newest,
            "path": self.path,
            "warnings": self.warnings,
        }


class ArgumentsForm(forms.Form):
    """The arguments of an operation: a Django form, for the admin, JSON and the command line alike."""

    def canonical(self) -> dict[str, Any]:
        """Return the cleaned arguments as JSON values, those left at their default omitted."""
        values = {
            name: value
            for name, value in self.cleaned_data.items()
            if value not in (None, "", []) and value != self.fields[name].initial
        }
        return json.loads(json.dumps(values, cls=DjangoJSONEncoder))


class Operation:
    """A kind of maintenance work. One instance serves every run; it keeps no state."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    """One sentence for operators."""
    kind: ClassVar[OperationKind] = OperationKind.HYGIENE
    is_destructive: ClassVar[bool] = True
    form_class: ClassVar[type[ArgumentsForm]] = ArgumentsForm
    minimum_interval_seconds: ClassVar[float] = 0.0
    """Between two runs with the same arguments that a schedule asks for."""

    def clean(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return `arguments` checked and canonical. Raises InvalidArguments with what is wrong."""
        return self._checked(arguments).canonical()

    def values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return every argument with its Python value, defaults filled in, from canonical `arguments`.

        Raises InvalidArguments where they fit no longer, after an upgrade or because a row is gone: a default in
        their place might remove more than was asked for.
        """
        return {**self._initial(), **self._checked(arguments).cleaned_data}

    def _checked(self, arguments: Mapping[str, Any]) -> ArgumentsForm:
        unknown = sorted(arguments.keys() - self.form_class.base_fields.keys())
        if unknown:
            known = ", ".join(self.form_class.base_fields) or "none"
            raise InvalidArguments(
                {name: [f"{self.name} takes no such argument; it takes: {known}."] for name in unknown}
            )
        form = self.form_class(data={**self._initial(), **arguments})
        if not form.is_valid():
            raise InvalidArguments(
                {
                    "" if name == "__all__" else name: [str(error) for error in errors]
                    for name, errors in form.errors.items()
                }
            )
        return form

    def _initial(self) -> dict[str, Any]:
        return {name: form_field.initial for name, form_field in self.form_class.base_fields.items()}

    def stages(self, job: Job) -> Sequence[Stage]:
        """Return the stages in order: the same ones each time for the same job."""
        raise NotImplementedError

    def preview(self, job: Job) -> Preview:
        """Return what a run would do, without touching anything."""
        raise NotImplementedError

    def remaining(self, job: Job) -> int:
        """Return how many rows are left that a finished run must not leave; asked after the last stage.

        More than 0 sends a run through its stages again. 0 for operations that promise no such thing.
        """
        return 0

    def word_to_type(self, arguments: Mapping[str, Any]) -> str:
        """Return what a person has to type to confirm a run with canonical `arguments`; "" where a click will do.

        For what reaches everybody, and for what one picks by mistake.
        """
        return ""

    def removed(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return what of a run's `counts` left its table for good; the rest was changed and is there still."""
        return counts

    def path(self, job: Job) -> tuple[str, list[str]]:
        """Return how rows go, "set-based" or "orm", and why."""
        return "set-based", []


_operations: dict[str, Operation] = {}


def register(operation: type[Operation]) -> type[Operation]:
    """Make an operation known by its name; usable as a class decorator. A second one of that name replaces it."""
    _operations[operation.name] = operation()
    return operation


def unregister(name: str) -> None:
    """Forget an operation."""
    _operations.pop(name, None)


def get_operation(name: str) -> Operation:
    """Return the operation called `name`. Raises UnknownOperation."""
    try:
        return _operations[name]
    except KeyError:
        raise UnknownOperation(name, sorted(_operations)) from None


def all_operations() -> list[Operation]:
    """Return the registered operations by name."""
    return [_operations[name] for name in sorted(_operations)]
