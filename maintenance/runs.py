"""The life of a Run from outside: enqueue, pause, resume, cancel, retry, and the sweep that mends what was lost.

Every change of status is one conditional UPDATE along an arrow of `models.TRANSITIONS`; the loser of a race
changes nothing and is told.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from .audit import record
from .dispatch import send, send_on_commit
from .exceptions import InvalidArguments, NeededByWhole, RunNotStored, TooSoon, TransitionRefused
from .models import (
    ACTIVE,
    CONTROLS,
    ENDED,
    HELD_BY_WORKER,
    TRANSITIONS,
    WAITING,
    AuditAction,
    Run,
    RunEvent,
    RunStatus,
    Trigger,
    active_key,
    statuses_before,
)
from .operations import get_operation
from .settings import maintenance_settings
from .signals import run_failed, run_finished
from .switch import free_waiting
from .switch import hold_all as hold_all
from .switch import release_all as release_all

logger = logging.getLogger(__name__)

MOST_SHARDS = 64
STORE_ATTEMPTS = 3
"""How often a run is asked for anew where the one it would have joined had just ended."""

RETRIED_WITH_WHOLE = (RunStatus.FAILED, RunStatus.CANCELLED)
"""Shards that a retry of the whole takes up."""


def enqueue(operation: str, *, shards: int = 1, **arguments: Any) -> Run:
    """Have `operation` run with `arguments` and return its Run at once; a worker does the rest.

    With `shards` above 1 so many workers do, side by side. Where a run of the same work is active already, that
    one is returned. Raises UnknownOperation, and InvalidArguments before anything is stored.
    """
    return request_run(operation, arguments, trigger=Trigger.CODE, shards=shards)


def request_run(
    operation: str,
    arguments: Mapping[str, Any],
    *,
    trigger: Trigger,
    requested_by: Any = None,
    reason: str = "",
    shards: int = 1,
    dispatch: bool = True,
) -> Run:
    """Create the Run, or return the active one of the same operation and arguments (`run.is_new` tells which).

    Raises UnknownOperation, InvalidArguments, TooSoon for a schedule that fires within the operation's minimum
    interval, and RunNotStored where the database refuses the row. With `dispatch=False` no message is sent: the
    caller works the run itself.
    """
    kind = get_operation(operation)
    canonical = kind.clean(arguments)
    if not 1 <= shards <= MOST_SHARDS:
        raise InvalidArguments({"shards": [f"Must be 1 to {MOST_SHARDS}."]})
    if trigger is Trigger.SCHEDULE:
        _refuse_too_soon(operation, canonical, kind.minimum_interval_seconds)
    run = Run(
        operation=operation,
        arguments=canonical,
        trigger=trigger,
        requested_by=requested_by,
        reason=reason,
        shards=shards,
        active_key=active_key(operation, canonical),
    )
    active = _store_or_join(run)
    if active is not None:
        return active
    run.is_new = True  # type: ignore[attr-defined]
    logger.info("run enqueued", extra={"action": "run_enqueued", "run": str(run.pk), "operation": operation})
    if dispatch:
        send_on_commit(run)
    return run


def pause(run: Run, *, actor: str = "", reason: str = "") -> Run:
    """Have `run` stop after its window and wait to be resumed; `reason` is kept. Raises TransitionRefused."""
    _ask(run, "pause", at_once=RunStatus.PAUSED, after_window=RunStatus.PAUSING)
    _note_control(run, RunEvent.Kind.PAUSE_REQUESTED, AuditAction.RUN_PAUSED, actor, reason)
    _have_shards_follow(run, "pause", pause, actor)
    return run


def cancel(run: Run, *, actor: str = "", reason: str = "") -> Run:
    """Have `run` end after its window; `reason` is kept. What it did stays done.

    Raises TransitionRefused, and NeededByWhole for a shard alone while the whole goes on.
    """
    if is_needed_by_whole(run):
        raise NeededByWhole(run.pk, run.status, run.parent_id)
    _ask(run, "cancel", at_once=RunStatus.CANCELLED, after_window=RunStatus.CANCELLING)
    _note_control(run, RunEvent.Kind.CANCEL_REQUESTED, AuditAction.RUN_CANCELLED, actor, reason)
    _have_shards_follow(run, "cancel", cancel, actor)
    return run


def resume(run: Run, *, actor: str = "", reason: str = "") -> Run:
    """Have a paused run go on from its cursor. Raises TransitionRefused."""
    move(
        run,
        RunStatus.ENQUEUED,
        from_=CONTROLS["resume"],
        not_before=timezone.now(),
        hold_reason="",
        seconds_before=F("seconds_worked"),
    )
    _note_control(run, RunEvent.Kind.RESUMED, AuditAction.RUN_RESUMED, actor, reason)
    _have_shards_follow(run, "resume", resume, actor)
    send_on_commit(run)
    return run


def retry(run: Run, *, actor: str = "", reason: str = "") -> Run:
    """Have a failed run go on from its cursor, with those of its shards that failed or were cancelled.

    Raises TransitionRefused, also where the same work is active anew.
    """
    _take_up(run, from_=CONTROLS["retry"], actor=actor, reason=reason)
    for shard in Run.objects.filter(parent=run.pk, status__in=RETRIED_WITH_WHOLE):
        with contextlib.suppress(TransitionRefused):  # somebody was faster
            send_on_commit(_take_up(shard, from_=RETRIED_WITH_WHOLE, actor=actor))
    send_on_commit(run)
    return run


def is_needed_by_whole(run: Run) -> bool:
    """Tell whether `run` is a shard of a run that goes on: one that is active and that nobody has cancelled."""
    goes_on = set(ACTIVE) - {RunStatus.CANCELLING}
    return run.parent_id is not None and Run.objects.filter(pk=run.parent_id, status__in=goes_on).exists()


def move(
    run: Run,
    to: RunStatus,
    *,
    from_: Iterable[RunStatus] | None = None,
    fence: int | None = None,
    unless_requested_again: bool = False,
    **values: Any,
) -> Run:
    """Change the status of `run` to `to` and set `values`, if an arrow of the table leads there.

    With `fence` only if the row still has that one; `unless_requested_again` only if nobody asked for it again.
    Raises TransitionRefused where the row stands elsewhere. `run` is fresh afterwards.
    """
    allowed = statuses_before(to) if from_ is None else [s for s in from_ if to in TRANSITIONS[s]]
    if to in ENDED:
        values = {"active_key": None, "finished": timezone.now(), "lease_until": None, **values}
    rows = _rows(run).filter(status__in=allowed)
    if fence is not None:
        rows = rows.filter(fence=fence)
    if unless_requested_again:
        rows = rows.filter(is_requested_again=False)
    changed = rows.update(status=to, **values)
    run.refresh_from_db()
    if not changed:
        raise TransitionRefused(run.pk, run.status, to)
    logger.info(
        "run changed its status",
        extra={"action": "run_moved", "run": str(run.pk), "operation": run.operation, "status": str(to)},
    )
    if to in ENDED:
        _announce_end(run)
    return run


def note(run: Run, kind: RunEvent.Kind, *, text: str = "", actor: str = "") -> None:
    """Add to the log of `run`."""
    RunEvent.objects.using(router.db_for_write(Run)).create(run_id=run.pk, kind=kind, text=text, actor=actor)


def sweep() -> list[Run]:
    """Send on what waits without a message, whose worker was lost, or whose hold is over; returns those runs.

    Called by beat each minute and at the start of a worker. The third loss in a row without progress fails a run.
    """
    for run in _lost():
        take_back(run)
    free_waiting()
    swept = list(_due())
    for run in swept:
        send(run)
    return swept


def take_back(run: Run) -> None:
    """Release `run` from a lost worker, as what its status asks for; the fence keeps that worker out.

    Where the lease is not out, nothing changes.
    """
    is_out = Q(lease_until__lt=timezone.now())
    _release(run, is_out, RunEvent.Kind.LOST, f"no sign of {run.lease_holder or 'its worker'}", "WorkerLost")


def give_back(run: Run, why: str) -> None:
    """Release `run` from the worker that holds it and had to stop in the middle of a window, which counts as a loss.

    Where another worker has it by now, or none, nothing changes.
    """
    is_held = Q(status__in=HELD_BY_WORKER)
    _release(run, is_held, RunEvent.Kind.INTERRUPTED, why, "OutOfTime")


def _release(run: Run, condition: Q, kind: RunEvent.Kind, why: str, error_class: str) -> None:
    fenced = _rows(run).filter(condition, fence=run.fence)
    if not fenced.update(fence=F("fence") + 1, losses=F("losses") + 1, lease_until=None, sent=None):
        return
    run.refresh_from_db()
    note(run, kind, text=why)
    try:
        if run.status == RunStatus.PAUSING:
            move(run, RunStatus.PAUSED)
        elif run.status == RunStatus.CANCELLING:
            move(run, RunStatus.CANCELLED)
        elif run.losses >= maintenance_settings.MAXIMUM_LOSSES:
            message = f"{run.losses} slices in a row ended without progress; the last time, {why}."
            move(run, RunStatus.FAILED, error_class=error_class, error_message=message)
        else:
            move(run, RunStatus.INTERRUPTED)
    except TransitionRefused:
        logger.info("run moved meanwhile", extra={"action": "sweep_overtaken", "run": str(run.pk)})


def _store_or_join(run: Run) -> Run | None:
    """Store `run`, or return the active one of the same work. Raises RunNotStored where neither can be done."""
    alias = router.db_for_write(Run)
    refused: IntegrityError | None = None
    for _ in range(STORE_ATTEMPTS):
        try:
            with transaction.atomic(using=alias):
                run.save(using=alias, force_insert=True)
                note(run, RunEvent.Kind.ENQUEUED, actor=_actor(run), text=run.reason)
                _record_request(run, AuditAction.RUN_REQUESTED)
            return None
        except IntegrityError as error:
            if (active := _join_active(run)) is not None:
                return active
            refused = error
    raise RunNotStored(run.operation) from refused


def _join_active(run: Run) -> Run | None:
    """Return the active run of the same work, told that it was asked for again; None where that has just ended."""
    same_work = Run.objects.using(router.db_for_write(Run)).filter(active_key=run.active_key)
    if not same_work.update(is_requested_again=True):
        return None
    active = same_work.first()
    if active is not None:
        active.is_new = False  # type: ignore[attr-defined]
        note(active, RunEvent.Kind.REQUESTED, actor=_actor(run), text=run.reason)
        run.pk = active.pk
        _record_request(run, AuditAction.RUN_REQUESTED_AGAIN)
    return active


def _record_request(run: Run, action: AuditAction) -> None:
    """Put a request into the audit trail; `run` is as it was asked for."""
    effect = {"arguments": run.arguments, "shards": run.shards}
    record(action, run=run, actor=_actor(run), source=run.trigger, reason=run.reason, effect=effect)


def _note_control(run: Run, kind: RunEvent.Kind, action: AuditAction, actor: str, reason: str) -> None:
    note(run, kind, actor=actor, text=reason)
    if run.parent_id is None:
        record(action, run=run, actor=actor, reason=reason, effect={"status": run.status})


def _take_up(run: Run, *, from_: Iterable[RunStatus], actor: str, reason: str = "") -> Run:
    """Have a run that has ended wait for a worker again."""
    try:
        with transaction.atomic(using=router.db_for_write(Run)):
            move(
                run,
                RunStatus.ENQUEUED,
                from_=from_,
                active_key=None if run.parent_id else active_key(run.operation, run.arguments),
                finished=None,
                not_before=timezone.now(),
                losses=0,
                seconds_before=F("seconds_worked"),
                error_class="",
                error_message="",
                traceback="",
            )
    except IntegrityError as exc:
        raise TransitionRefused(run.pk, "replaced by an active run of the same work", "enqueued") from exc
    _note_control(run, RunEvent.Kind.RETRY, AuditAction.RUN_RETRIED, actor, reason)
    return run


def _ask(run: Run, control: str, *, at_once: RunStatus, after_window: RunStatus) -> None:
    """Move `run` to `at_once`, or where a worker is at it to `after_window`, whichever it is by now."""
    with_worker = [status for status in CONTROLS[control] if status in HELD_BY_WORKER]
    without = [status for status in CONTROLS[control] if status not in HELD_BY_WORKER]
    for target, statuses in ((at_once, without), (after_window, with_worker)):
        try:
            move(run, target, from_=statuses)
        except TransitionRefused:
            continue
        return
    move(run, at_once, from_=without)  # the worker may have let go between the two


def _have_shards_follow(run: Run, control: str, ask: Callable[..., Run], actor: str) -> None:
    for shard in Run.objects.filter(parent=run.pk, status__in=CONTROLS[control]):
        with contextlib.suppress(TransitionRefused):  # it ended meanwhile
            ask(shard, actor=actor)


def _lost() -> QuerySet[Run]:
    """Runs whose worker has not renewed its lease."""
    return Run.objects.filter(status__in=HELD_BY_WORKER, lease_until__lt=timezone.now())


def _due() -> QuerySet[Run]:
    """Runs that wait, may go on, and have no message under way that is younger than a lease."""
    now = timezone.now()
    unsent = Q(sent__isnull=True) | Q(sent__lt=now - timedelta(seconds=maintenance_settings.LEASE_SECONDS))
    released = Q(not_before__isnull=True) | Q(not_before__lte=now)
    held = Q(not_before__isnull=False) & (Q(sent__isnull=True) | Q(sent__lt=F("not_before")))
    return Run.objects.filter(released, unsent | held, status__in=WAITING)


def _refuse_too_soon(operation: str, arguments: dict[str, Any], interval: float) -> None:
    if not interval:
        return
    earliest = timezone.now() - timedelta(seconds=interval)
    last = (
        Run.objects.filter(operation=operation, arguments=arguments, created__gt=earliest)
        .exclude(status__in=ACTIVE)
        .order_by("-created")
        .first()
    )
    if last is not None:
        raise TooSoon(operation, (last.created - earliest).total_seconds())


def _announce_end(run: Run) -> None:
    if run.parent_id is not None:
        return
    effect = {"status": run.status, "counts": run.total_counts, "error": run.error_class}
    record(AuditAction.RUN_ENDED, run=run, actor=_actor(run), source=run.trigger, effect=effect)
    signal = run_failed if run.status == RunStatus.FAILED else run_finished
    transaction.on_commit(
        lambda: signal.send_robust(sender=Run, run=run) and None, using=router.db_for_write(Run)
    )


def _actor(run: Run) -> str:
    return (
        run.requested_by.get_username() if run.requested_by is not None else str(Trigger(run.trigger).label)
    )


def _rows(run: Run) -> QuerySet[Run]:
    return Run.objects.using(router.db_for_write(Run)).filter(pk=run.pk)
