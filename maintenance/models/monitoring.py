"""What monitoring goes by: signs of life, and figures of the token tables by the hour."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """When beat, or a worker, was seen last: written by the tasks it sent, or worked.

    A row and not a broadcast: it says the same to every process, without the broker, and after a restart.
    """

    class Role(models.TextChoices):
        BEAT = "beat", _("Beat")
        WORKER = "worker", _("Worker")

    id = models.BigAutoField(primary_key=True)
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    name = models.CharField(_("name"), max_length=200)
    """A worker's node name, such as celery@host; "beat" for beat."""
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    """Where the last task came from."""
    seen = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        constraints = [
            models.UniqueConstraint(fields=["role", "name", "queue"], name="maintenance_heartbeat_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


class TableSnapshot(models.Model):
    """One token table in one hour: how many rows, how many of them expired, what came and went since the last one.

    `rows` and `expired` are estimates on a big table. `created` follows the table's keys, where they are numbers,
    else the balance of rows. `removed` is what runs took; `removed_total` adds that up for good.
    """

    id = models.BigAutoField(primary_key=True)
    table = models.CharField(_("table"), max_length=100)
    hour = models.DateTimeField(_("hour"))
    taken = models.DateTimeField(_("taken"))
    rows = models.BigIntegerField(_("rows"))
    expired = models.BigIntegerField(_("expired rows"))
    is_estimate = models.BooleanField(_("estimated"), default=False)
    highest_key = models.BigIntegerField(_("highest key"), null=True)
    created = models.BigIntegerField(_("created rows"), default=0)
    removed = models.BigIntegerField(_("removed rows"), default=0)
    removed_total = models.BigIntegerField(_("removed rows in all"), default=0)

    class Meta:
        verbose_name = _("table snapshot")
        verbose_name_plural = _("table snapshots")
        constraints = [
            models.UniqueConstraint(fields=["hour", "table"], name="maintenance_snapshot_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.hour:%Y-%m-%d %H:00}"
