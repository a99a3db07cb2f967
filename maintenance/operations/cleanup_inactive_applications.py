"""cleanup_inactive_applications: remove applications that nobody uses, with what they have; and put one back."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.db import OperationalError, router, transaction
from django.utils import timezone

from oauth2_provider.batching import Key, Walk, in_chunks, is_among, with_retries
from oauth2_provider.flows.application_archive import NotRestorable, archived, restore
from oauth2_provider.flows.inactive_applications import (
    DeadRows,
    InactivityRule,
    Verdict,
    candidates,
    judge,
    remove_applications,
    rows_of_applications,
)
from oauth2_provider.models import get_application_model
from oauth2_provider.models.deletion import slow_path_reasons

from ..exceptions import MaintenanceError
from ..models import ArchivedApplication, ProtectedApplication, Run, RunStatus, Trigger
from ..settings import maintenance_settings
from .base import ArgumentsForm, Job, Number, Operation, Position, Preview, Stage, WindowResult
from .budget import Budget
from .bulk import insert_rows
from .fields import DAYS_AT_MOST
from .tally import SAMPLES, Tally, exactly
from .walks import WalkStage

APPLICATIONS_AT_MOST = 500
"""Looked at in one statement."""
ENOUGH_APPLICATIONS = APPLICATIONS_AT_MOST // 2
"""Where no more than these go, others are looked at to go with them, as far as the window's size allows."""
ROWS_OF_APPLICATION = 20
"""A window that may look at so many rows looks at one application: a look reads all that it has, few or many."""
LOOKED_UP_FROM = 100
"""So many protected applications are looked up by their client_ids; fewer are quicker read."""
JUDGING = 1.25
"""One of so many parts of a preview's time goes to the verdicts; the rest is for what the applications hold."""
JUDGED_FIRST = 25
"""In a preview, which may have time for few of those that hold many tokens."""
WINDOW_ROWS = 10_000
"""Deleted in a transaction, where no run adapts it."""


class CleanupInactiveApplicationsForm(ArgumentsForm):
    days = forms.IntegerField(
        required=False,
        initial=90,
        min_value=1,
        max_value=DAYS_AT_MOST,
        help_text="Days without use after which an application goes.",
    )
    never_authorized_days = forms.IntegerField(
        required=False,
        initial=30,
        min_value=1,
        max_value=DAYS_AT_MOST,
        help_text="Days after its registration that an application goes which no user ever authorized.",
    )


class InactiveApplicationsStage(WalkStage):
    """Looks at candidates some at a time; of those that go, first the tokens in windows, then the row.

    Its positions hold besides `going`, the keys of those that were looked at and go, and `kind`, the kind of dead rows
    that the next window deletes (see `DeadRows`); None where the applications themselves are next.
    """

    name = "applications"

    def __init__(self, rule: InactivityRule, run_id: str | None) -> None:
        self.rule = rule
        self.run_id = run_id
        self._dead = DeadRows(rule, [])

    def walk(self, by: Any = None) -> Walk:
        return Walk(rows=candidates(self.rule))

    def begin(self) -> Position | None:
        position = super().begin()
        return position and {**position, "going": [], "kind": None}

    def work(self, position: Position, size: int) -> WindowResult | None:
        walk = self.walk()
        keys = [walk.from_json([key])[0] for key in position["going"]]
        if not keys:
            return self._look(walk, position, max(1, size // ROWS_OF_APPLICATION))
        if (kind := position["kind"]) is not None:
            if self._dead.keys != keys:
                self._dead = DeadRows(self.rule, keys)
            counts, kind = self._dead.delete(size=size, kind=kind)
            is_full = counts.total() >= size
            return WindowResult(position={**position, "kind": kind}, counts=counts, is_full=is_full)
        _, counts = remove_applications(self.rule, keys, archive=partial(_archive, run_id=self.run_id))
        return WindowResult(position={**position, "going": []}, counts=counts, is_full=False)

    def _look(self, walk: Walk, position: Position, applications: int) -> WindowResult | None:
        after, last = self._key(walk, position["after"]), walk.from_json(position["last"])
        look = _look(self.rule, walk, after=after, last=last, at_most=applications)
        if look is None:
            return None
        position = {
            **position,
            "after": walk.to_json(look.upto),
            "going": [walk.to_json((key,))[0] for key in look.going],
            "kind": 0,
        }
        is_few = applications <= APPLICATIONS_AT_MOST and len(look.going) <= ENOUGH_APPLICATIONS
        return WindowResult(position=position, counts=Counter(), is_full=is_few and look.upto != last)


class CleanupInactiveApplications(Operation):
    name = "cleanup_inactive_applications"
    title = "Clean up inactive applications"
    description = (
        "Removes applications that nobody has used for a long time, with their tokens; archives each."
    )
    form_class = CleanupInactiveApplicationsForm
    minimum_interval_seconds = 3600.0

    def stages(self, job: Job) -> Sequence[Stage]:
        return [InactiveApplicationsStage(self.rule(job.cutoff, job.arguments), job.run_id)]

    def preview(self, job: Job) -> Preview:
        tally, rule = Tally(job.budget), self.rule(job.cutoff, job.arguments)
        verdicts, is_all = _judged(rule, tally.budget.part(JUDGING))
        going = [verdict.application for verdict in verdicts if verdict.kept is None]
        table = get_application_model()._meta.db_table
        tally.add_ages(application.created for application in going)
        keys = [application.pk for application in going]
        for chunk in in_chunks(keys, router.db_for_write(get_application_model())):
            for rows in rows_of_applications(chunk):
                tally.add(rows)
        found = {name: number for name, number in tally.numbers.items() if number != Number()}
        kinds = Counter(str(verdict.kind) for verdict in verdicts if verdict.kept is None)
        tally.numbers = {table: exactly(len(going)), **found}
        tally.reasons = {kind: exactly(rows) for kind, rows in kinds.items()}
        tally.samples = {table: [str(application.pk) for application in going[:SAMPLES]]} if going else {}
        path, warnings = self.path(job)
        if not is_all:
            tally.extrapolate_all(looked_at=len(verdicts), of=tally.number_of(candidates(rule)))
            warnings.append(f"Only the first {len(verdicts)} applications were looked at.")
        kept = dict(Counter(str(verdict.kept) for verdict in verdicts if verdict.kept is not None))
        return tally.preview(path=path, warnings=warnings, kept=kept)

    def path(self, job: Job) -> tuple[str, list[str]]:
        reasons = slow_path_reasons(get_application_model())
        return ("orm" if reasons else "set-based"), reasons

    def rule(self, now: datetime, arguments: Mapping[str, Any]) -> InactivityRule:
        """Return the rule that a run with the canonical `arguments` goes by when it begins at `now`."""
        return _rule(now, self.values(arguments))


def cleanup_inactive_applications(*, days: int = 90, never_authorized_days: int = 30) -> list[dict[str, Any]]:
    """Remove applications that nobody has used for `days`, at once and without Celery.

    Returns a dict for each application that looked inactive: name, client_id, deleted (bool), and the reason for either
    (`dormant`, `never_authorized`; `has_active_tokens`, `has_active_grants`, `protected`, `skip_authorization`,
    `recently_used`, `too_young`, `referenced`). What is removed is archived in a Run. Raises InvalidArguments.
    """
    operation = CleanupInactiveApplications()
    arguments = operation.clean({"days": days, "never_authorized_days": never_authorized_days})
    now = timezone.now()
    rule = _rule(now, operation.values(arguments))
    run = Run(
        operation=operation.name,
        arguments=arguments,
        status=RunStatus.SUCCEEDED,
        trigger=Trigger.CODE,
        started=now,
    )
    run.save()
    counts: Counter[str] = Counter()
    done = [outcome for look in _looks(rule) for outcome in _clean_up(rule, look, run, counts)]
    Run.objects.filter(pk=run.pk).update(counts=dict(+counts), finished=timezone.now(), progress=1.0)
    return done


def restore_application(client_id: str) -> Any:
    """Put back the application that was archived last under `client_id`; returns it.

    Raises NotArchived, and NotRestorable where its client_id is taken again or its owner is gone.
    """
    archives = ArchivedApplication.objects.filter(client_id=client_id, restored__isnull=True)
    archive = archives.order_by("-archived", "-pk").first()
    if archive is None:
        raise NotArchived(client_id)
    return restore_archive(archive)


def restore_archive(archive: ArchivedApplication) -> Any:
    """Put back the application of `archive`, once; returns it. Raises AlreadyRestored and NotRestorable."""
    using = router.db_for_write(ArchivedApplication)
    with transaction.atomic(using=using):
        unrestored = ArchivedApplication.objects.using(using).filter(pk=archive.pk, restored__isnull=True)
        if not unrestored.update(restored=timezone.now()):
            raise AlreadyRestored
        return restore(archive.document)


class AlreadyRestored(MaintenanceError):  # noqa: N818 - the fact
    """This application was restored already."""


class NotArchived(MaintenanceError):  # noqa: N818 - the fact
    """There is no archived application of that client_id."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"There is no archived application with the client_id {client_id!r}.")
        self.client_id = client_id


def _rule(now: Any, values: Mapping[str, Any]) -> InactivityRule:
    """Return the rule, with the site's word on which applications stay, PROTECTED_APPLICATIONS, and the operators'."""
    said = maintenance_settings.protected_applications
    return InactivityRule(
        now=now,
        days=values["days"] or 90,
        never_authorized_days=values["never_authorized_days"] or 30,
        protected_among=partial(_protected_among, said=frozenset() if callable(said) else said),
        is_protected=said if callable(said) else None,
    )


def _protected_among(client_ids: Sequence[str], *, said: frozenset[str]) -> frozenset[str]:
    """Return those of `client_ids` that are among `said`, or that an operator protected, as of now."""
    stored = ProtectedApplication.objects.using(router.db_for_write(ProtectedApplication))
    protected = stored.values_list("client_id", flat=True)
    found, asked = protected[:LOOKED_UP_FROM], frozenset(client_ids)
    if len(found) == LOOKED_UP_FROM:
        found = protected.filter(is_among("client_id", client_ids))
    return asked.intersection(said) | asked.intersection(found)


def _judged(rule: InactivityRule, budget: Budget) -> tuple[list[Verdict], bool]:
    """Return the verdicts on as many applications as `budget` allows, and whether those are all."""
    verdicts: list[Verdict] = []
    using, batches = router.db_for_write(get_application_model()), _batches(rule, first=JUDGED_FIRST)
    try:
        while len(verdicts) < budget.rows:
            with budget.statement(using):
                keys = next(batches, None)
            if keys is None:
                return verdicts, True
            with budget.statement(using):
                verdicts += judge(rule, keys)
    except OperationalError:
        return verdicts, False
    return verdicts, False


def _batches(rule: InactivityRule, *, first: int) -> Iterator[list[Any]]:
    """Yield the keys of candidates, `first` of them and then each time twice as many, to APPLICATIONS_AT_MOST."""
    walk = Walk(rows=candidates(rule))
    last, after, size = walk.last(), None, first
    while last is not None and (window := walk.next_window(after=after, last=last, size=size)):
        after, size = window.upto, min(size * 2, APPLICATIONS_AT_MOST)
        yield list(walk.rows.filter(walk.inside(window)).values_list("pk", flat=True))


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at some candidates found: the outcome for each by its key, which of them go, how far it went."""

    outcomes: dict[Any, dict[str, Any]]
    going: list[Any]
    upto: Key


def _looks(rule: InactivityRule) -> Iterator[Look]:
    """Look at all candidates, as many at a time as may go together."""
    walk = Walk(rows=candidates(rule))
    last, after = walk.last(), None
    while last is not None and (look := _look(rule, walk, after=after, last=last)):
        after = look.upto
        yield look


def _look(
    rule: InactivityRule, walk: Walk, *, after: Key | None, last: Key, at_most: int = sys.maxsize
) -> Look | None:
    """Look at candidates after `after`, up to `last`, until enough go or `at_most` were looked at.

    None where none is left. Their rows, which take much more memory, are not kept.
    """
    outcomes: dict[Any, dict[str, Any]] = {}
    going: list[Any] = []
    upto = None
    while at_most > 0 and len(going) <= ENOUGH_APPLICATIONS:
        size = min(at_most, APPLICATIONS_AT_MOST)
        window = walk.next_window(after=upto or after, last=last, size=size)
        if window is None:
            break
        keys = walk.rows.filter(walk.inside(window)).values_list("pk", flat=True)
        for verdict in judge(rule, keys, in_brief=True):
            outcomes[verdict.application.pk] = verdict.as_dict()
            if verdict.kept is None:
                going.append(verdict.application.pk)
        upto, at_most = window.upto, at_most - size
    return Look(outcomes=outcomes, going=going, upto=upto) if upto is not None else None


def _clean_up(rule: InactivityRule, look: Look, run: Run, counts: Counter[str]) -> list[dict[str, Any]]:
    using, going = router.db_for_write(get_application_model()), look.going
    dead = DeadRows(rule, going)

    def delete_window(kind: int) -> tuple[Counter[str], int | None]:
        with transaction.atomic(using=using):
            return dead.delete(size=WINDOW_ROWS, kind=kind)

    def remove() -> tuple[list[Verdict], Counter[str]]:
        with transaction.atomic(using=using):
            return remove_applications(rule, going, archive=partial(_archive, run_id=run.pk))

    kind: int | None = 0 if going else None
    while kind is not None:
        removed, kind = with_retries(partial(delete_window, kind), using=using)
        counts.update(removed)
    final, removed = with_retries(remove, using=using)
    counts.update(removed)
    sure = {verdict.application.pk: verdict.as_dict() for verdict in final}
    return list({**look.outcomes, **sure}.values())


def _archive(applications: Sequence[Any], *, run_id: Any) -> None:
    """Keep `applications` in the archive."""
    now = timezone.now()
    insert_rows(
        ArchivedApplication,
        [
            {
                "run_id": run_id,
                "client_id": application.client_id,
                "name": application.name,
                "document": document,
                "archived": now,
            }
            for application, document in zip(applications, archived(applications), strict=True)
        ],
    )


__all__ = [
    "CleanupInactiveApplications",
    "NotArchived",
    "NotRestorable",
    "cleanup_inactive_applications",
    "restore_application",
]
