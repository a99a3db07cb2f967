"""The site-wide switch that holds all hygiene work: one row."""

from __future__ import annotations

from typing import Any

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from oauth2_provider.models.lookup import find

HOLD_WORDS = "all hygiene work is held by"
"""How the reason begins that a run gives while the switch holds it."""


class MaintenanceSwitch(models.Model):
    """Whether hygiene work is held, by whom, since when and why. There is one row at most, with the key 1."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    is_held = models.BooleanField(_("held"), default=False)
    actor = models.CharField(_("by"), max_length=200, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    since = models.DateTimeField(_("since"), null=True)

    class Meta:
        verbose_name = _("maintenance switch")
        verbose_name_plural = _("maintenance switch")

    def __str__(self) -> str:
        return self.hold_reason if self.is_held else "released"

    @classmethod
    def find_hold(cls) -> MaintenanceSwitch | None:
        """Return the switch while it holds hygiene work, else None."""
        switch = find(cls.objects.db_manager(router.db_for_write(cls)), pk=cls.ONLY)
        return switch if switch is not None and switch.is_held else None

    @classmethod
    def last_turn(cls) -> MaintenanceSwitch:
        """Return the switch as it stands; a released one where nobody has turned it yet."""
        return cls.objects.using(router.db_for_write(cls)).filter(pk=cls.ONLY).first() or cls()

    @property
    def hold_reason(self) -> str:
        """Why a run waits, as its page says it."""
        why = f": {self.reason}" if self.reason else ""
        return f"{HOLD_WORDS} {self.actor or 'somebody'}{why}"

    @classmethod
    def turn(cls, **values: Any) -> MaintenanceSwitch:
        """Set `values` on the one row, which is made where it is missing; returns it."""
        rows = cls.objects.using(router.db_for_write(cls))
        return rows.update_or_create(pk=cls.ONLY, defaults=values)[0]
