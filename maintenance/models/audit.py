"""The audit trail: who did what, when, why, from where and to what effect. Rows are only ever added."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .run import Trigger


class AuditAction(models.TextChoices):
    """What somebody did."""

    RUN_REQUESTED = "run_requested", _("Run requested")
    RUN_REQUESTED_AGAIN = "run_requested_again", _("Run requested again")
    RUN_PREVIEWED = "run_previewed", _("Run previewed")
    RUN_PAUSED = "run_paused", _("Run paused")
    RUN_RESUMED = "run_resumed", _("Run resumed")
    RUN_CANCELLED = "run_cancelled", _("Run cancelled")
    RUN_RETRIED = "run_retried", _("Run retried")
    RUN_ENDED = "run_ended", _("Run ended")
    HELD_ALL = "held_all", _("All hygiene work held")
    RELEASED_ALL = "released_all", _("All hygiene work released")
    APPLICATION_PROTECTED = "application_protected", _("Application protected")
    APPLICATION_UNPROTECTED = "application_unprotected", _("Application no longer protected")
    APPLICATION_RESTORED = "application_restored", _("Application restored")
    SCHEDULE_CHANGED = "schedule_changed", _("Schedule changed")
    PERMISSION_REFUSED = "permission_refused", _("Permission refused")
    EXPORTED = "exported", _("Audit trail exported")


class AuditEvent(models.Model):
    """One thing that was done. It names its run without holding it: the trail outlives the record of runs."""

    id = models.BigAutoField(primary_key=True)
    created = models.DateTimeField(_("when"), auto_now_add=True)
    action = models.CharField(_("what"), max_length=30, choices=AuditAction.choices)
    actor = models.CharField(_("who"), max_length=200, blank=True)
    source = models.CharField(_("by way of"), max_length=20, choices=Trigger.choices, blank=True)
    address = models.GenericIPAddressField(_("from where"), null=True)
    operation = models.CharField(_("operation"), max_length=100, blank=True)
    run = models.UUIDField(_("run"), null=True)
    target = models.CharField(_("on what"), max_length=255, blank=True)
    reason = models.TextField(_("why"), blank=True)
    effect = models.JSONField(_("to what effect"), default=dict)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        indexes = [
            models.Index(fields=["created"]),
            models.Index(fields=["action", "created"]),
            models.Index(fields=["actor", "created"]),
            models.Index(fields=["run"]),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.action} {self.actor}"
