"""Run, one execution of an operation, with the table of its transitions; its log; what it archived."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class RunStatus(models.TextChoices):
    """Where a run stands."""

    ENQUEUED = "enqueued", _("Enqueued")
    RUNNING = "running", _("Running")
    PAUSING = "pausing", _("Pausing")
    PAUSED = "paused", _("Paused")
    CANCELLING = "cancelling", _("Cancelling")
    CANCELLED = "cancelled", _("Cancelled")
    INTERRUPTED = "interrupted", _("Interrupted")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")


class Trigger(models.TextChoices):
    """Who had a run made."""

    SCHEDULE = "schedule", _("Schedule")
    ADMIN = "admin", _("Admin")
    CODE = "code", _("Code")
    COMMAND = "command", _("Command")


TRANSITIONS: dict[RunStatus, dict[RunStatus, str]] = {
    RunStatus.ENQUEUED: {
        RunStatus.RUNNING: "a worker takes the run",
        RunStatus.PAUSED: "paused before any worker took it",
        RunStatus.CANCELLED: "cancelled before any worker took it",
        RunStatus.FAILED: "lost too often before it got anywhere",
    },
    RunStatus.RUNNING: {
        RunStatus.PAUSING: "somebody asks to pause while a worker is at it",
        RunStatus.CANCELLING: "somebody asks to cancel while a worker is at it",
        RunStatus.INTERRUPTED: "the slice is over, the worker shuts down, or a throttle holds the run",
        RunStatus.SUCCEEDED: "no stage has rows left",
        RunStatus.FAILED: "an error that trying again did not mend, or lost too often",
    },
    RunStatus.PAUSING: {
        RunStatus.PAUSED: "the worker has ended its window, or was lost",
        RunStatus.CANCELLING: "somebody asks to cancel meanwhile",
        RunStatus.SUCCEEDED: "the window was the last",
        RunStatus.FAILED: "the window failed",
    },
    RunStatus.PAUSED: {
        RunStatus.ENQUEUED: "somebody resumes it",
        RunStatus.CANCELLED: "somebody cancels it",
    },
    RunStatus.CANCELLING: {
        RunStatus.CANCELLED: "the worker has ended its window, or was lost",
        RunStatus.SUCCEEDED: "the window was the last",
        RunStatus.FAILED: "the window failed",
    },
    RunStatus.INTERRUPTED: {
        RunStatus.RUNNING: "a worker goes on",
        RunStatus.PAUSED: "paused between two slices",
        RunStatus.CANCELLED: "cancelled between two slices",
        RunStatus.FAILED: "lost too often without progress",
    },
    RunStatus.FAILED: {
        RunStatus.ENQUEUED: "somebody retries it: it goes on from its cursor",
    },
    RunStatus.SUCCEEDED: {},
    RunStatus.CANCELLED: {
        RunStatus.ENQUEUED: "it is a shard, and the whole is retried",
    },
}
"""From which status to which, and by what cause. Everything else is refused."""

HELD_BY_WORKER = (RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.CANCELLING)
WAITING = (RunStatus.ENQUEUED, RunStatus.INTERRUPTED)
ENDED = (RunStatus.SUCCEEDED, RunStatus.CANCELLED, RunStatus.FAILED)
ACTIVE = tuple(status for status in RunStatus if status not in ENDED)

CONTROLS: dict[str, tuple[RunStatus, ...]] = {
    "pause": (RunStatus.ENQUEUED, RunStatus.INTERRUPTED, RunStatus.RUNNING),
    "resume": (RunStatus.PAUSED,),
    "cancel": (*WAITING, RunStatus.PAUSED, RunStatus.RUNNING, RunStatus.PAUSING),
    "retry": (RunStatus.FAILED,),
}
"""What an operator may ask for, and in which statuses."""


def statuses_before(status: RunStatus) -> list[RunStatus]:
    """Return the statuses from which a run may become `status`."""
    return [before for before, after in TRANSITIONS.items() if status in after]


def active_key(operation: str, arguments: dict[str, Any]) -> str:
    """Return what two runs of the same work share: a hash of operation and canonical arguments."""
    canonical = json.dumps([operation, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Run(models.Model):
    """One execution of an operation. The row is the truth; a message only says "go on with it".

    `cursor` is where the next window begins, `counts` what went by table so far, `fence` the number of the worker
    that may write: each claim raises it, and a write under an older one changes nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.CharField(_("operation"), max_length=100)
    arguments = models.JSONField(_("arguments"), default=dict)
    status = models.CharField(
        _("status"), max_length=20, choices=RunStatus.choices, default=RunStatus.ENQUEUED
    )
    trigger = models.CharField(_("trigger"), max_length=20, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requested by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    reason = models.TextField(_("reason"), blank=True)
    dry_run = models.BooleanField(_("dry run"), default=False)
    active_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    is_requested_again = models.BooleanField(default=False, editable=False)
    """Somebody asked for the same work since its cutoff: what must cover that request makes another pass."""

    shards = models.PositiveSmallIntegerField(_("shards"), default=1)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("sharded run"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="shard_runs",
    )
    shard_key = models.CharField(max_length=50, blank=True, default="", editable=False)
    is_gathered = models.BooleanField(default=False, editable=False)

    cursor = models.JSONField(_("cursor"), default=dict)
    counts = models.JSONField(_("counts"), default=dict)
    estimate = models.BigIntegerField(_("estimated rows"), null=True)
    progress = models.FloatField(_("progress"), default=0.0)
    window_rows = models.PositiveIntegerField(_("window size"), null=True)
    windows = models.PositiveBigIntegerField(_("windows"), default=0)
    seconds_worked = models.FloatField(_("seconds worked"), default=0.0)
    seconds_before = models.FloatField(default=0.0, db_default=0.0, editable=False)
    """Of `seconds_worked`, those from before somebody resumed or retried it: RUN_SECONDS count from there."""
    recent_windows = models.JSONField(null=True, editable=False)
    """The last windows, oldest first, as `windows.WindowMark` packs them; written with the cursor."""
    snapshot_counts = models.JSONField(default=dict, editable=False)
    """What of `counts` the table snapshots have in their `removed` already."""

    created = models.DateTimeField(_("created"), auto_now_add=True)
    started = models.DateTimeField(_("started"), null=True)
    finished = models.DateTimeField(_("finished"), null=True)
    heartbeat = models.DateTimeField(_("heartbeat"), null=True)
    not_before = models.DateTimeField(_("not before"), null=True)
    hold_reason = models.TextField(_("why it waits"), blank=True)

    lease_holder = models.CharField(_("worker"), max_length=200, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True)
    fence = models.PositiveBigIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(_("losses without progress"), default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    sent = models.DateTimeField(_("message sent"), null=True)

    error_class = models.CharField(_("error"), max_length=200, blank=True)
    error_message = models.TextField(_("error message"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        indexes = [
            models.Index(fields=["status", "created"]),
            models.Index(fields=["operation", "created"]),
            models.Index(fields=["created"]),
            models.Index(fields=["finished"]),
        ]
        permissions = [
            ("run_hygiene", _("Can run hygiene operations")),
            ("run_security", _("Can run security operations")),
            ("run_destructive", _("Can run destructive operations")),
            ("control_hygiene", _("Can pause, resume, cancel and retry runs of hygiene operations")),
            ("control_security", _("Can pause, resume, cancel and retry runs of security operations")),
            ("control_destructive", _("Can resume and retry runs of destructive operations")),
            ("hold_hygiene", _("Can hold and release all hygiene work")),
            ("view_traceback", _("Can see the traceback of a failed run")),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def total_counts(self) -> dict[str, int]:
        """What the run has dealt with by table, its shards' share in it."""
        if self.shards == 1:
            return dict(self.counts)
        total = Counter(self.counts)
        for counts in self.shard_runs.filter(is_gathered=False).values_list("counts", flat=True):
            total.update(counts)
        return dict(total)

    @property
    def rows(self) -> int:
        """How many rows the run has dealt with, over all tables."""
        return sum(self.total_counts.values())


class Dashboard(Run):
    """The dashboard's place in the admin: no table and no permissions of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")


class RunEvent(models.Model):
    """What happened to a run, when and by whom."""

    class Kind(models.TextChoices):
        ENQUEUED = "enqueued", _("Enqueued")
        REQUESTED = "requested", _("Requested again")
        STARTED = "started", _("Slice started")
        WINDOW_RESIZED = "window_resized", _("Window resized")
        RETRIED = "retried", _("Window tried again")
        HELD = "held", _("Held")
        LOST = "lost", _("Worker lost")
        PAUSE_REQUESTED = "pause_requested", _("Pause requested")
        PAUSED = "paused", _("Paused")
        RESUMED = "resumed", _("Resumed")
        CANCEL_REQUESTED = "cancel_requested", _("Cancel requested")
        CANCELLED = "cancelled", _("Cancelled")
        INTERRUPTED = "interrupted", _("Interrupted")
        FAILED = "failed", _("Failed")
        RETRY = "retry", _("Retry requested")
        SUCCEEDED = "succeeded", _("Succeeded")
        NOTE = "note", _("Note")

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, verbose_name=_("run"), on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("kind"), max_length=30, choices=Kind.choices)
    text = models.TextField(_("text"), blank=True)
    actor = models.CharField(_("actor"), max_length=200, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("run event")
        verbose_name_plural = _("run events")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.run_id}"


class ArchivedApplication(models.Model):
    """An application that a run removed, as it was: JSON with natural keys and the secret hashed."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(
        Run, verbose_name=_("run"), on_delete=models.CASCADE, related_name="archived_applications"
    )
    client_id = models.CharField(_("client ID"), max_length=255, db_index=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    document = models.JSONField(_("row"))
    archived = models.DateTimeField(_("archived"), auto_now_add=True)
    restored = models.DateTimeField(_("restored"), null=True)

    class Meta:
        verbose_name = _("archived application")
        verbose_name_plural = _("archived applications")

    def __str__(self) -> str:
        return self.name or self.client_id
