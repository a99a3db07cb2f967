"""The switch that holds all hygiene work of the site, and releases it."""

from __future__ import annotations

import logging

from django.db import router, transaction
from django.utils import timezone

from .audit import record
from .dispatch import send_on_commit
from .models import WAITING, AuditAction, MaintenanceSwitch, Run
from .models.switch import HOLD_WORDS

logger = logging.getLogger(__name__)


def hold_all(actor: str, reason: str = "") -> MaintenanceSwitch:
    """Hold all hygiene work: runs rest after their window and say why. Security runs go on.

    Where it is held already, the earlier hold stands: its actor, reason and date are returned.
    """
    with transaction.atomic(using=router.db_for_write(MaintenanceSwitch)):
        held = MaintenanceSwitch.find_hold()
        if held is not None:
            return held
        values = {"is_held": True, "actor": actor, "reason": reason, "since": timezone.now()}
        switch = MaintenanceSwitch.turn(**values)
        record(AuditAction.HELD_ALL, actor=actor, reason=reason)
    logger.info("all hygiene work is held", extra={"action": "held_all"})
    return switch


def release_all(actor: str, reason: str = "") -> MaintenanceSwitch:
    """End the hold and send on the runs that waited for it. Where nothing is held, nothing changes."""
    with transaction.atomic(using=router.db_for_write(MaintenanceSwitch)):
        if MaintenanceSwitch.find_hold() is None:
            return MaintenanceSwitch.last_turn()
        values = {"is_held": False, "actor": actor, "reason": reason, "since": timezone.now()}
        switch = MaintenanceSwitch.turn(**values)
        record(AuditAction.RELEASED_ALL, actor=actor, reason=reason)
    logger.info("all hygiene work is released", extra={"action": "released_all"})
    for run in free_waiting():
        send_on_commit(run)
    return switch


def free_waiting() -> list[Run]:
    """Let the runs go on that wait for the switch, while it holds nothing; returns them, ready to be sent.

    Also for a run that began to wait the moment the switch was released.
    """
    if MaintenanceSwitch.find_hold() is not None:
        return []
    rows = Run.objects.using(router.db_for_write(Run))
    waiting = list(rows.filter(status__in=WAITING, hold_reason__startswith=HOLD_WORDS))
    held = rows.filter(pk__in=[run.pk for run in waiting], status__in=WAITING)
    held.update(not_before=timezone.now(), sent=None)
    return waiting
