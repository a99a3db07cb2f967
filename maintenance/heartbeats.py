"""Signs of life, written by the tasks that a worker takes."""

from __future__ import annotations

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from .models import Heartbeat


def note_heartbeat(role: Heartbeat.Role, name: str, *, queue: str = "") -> None:
    """Write that `name` lives: one UPDATE of its row, which is made the first time."""
    alias = router.db_for_write(Heartbeat)
    rows = Heartbeat.objects.using(alias)
    now = timezone.now()
    if rows.filter(role=role, name=name, queue=queue).update(seen=now):
        return
    try:
        with transaction.atomic(using=alias):
            rows.create(role=role, name=name, queue=queue, seen=now)
    except IntegrityError:  # made by another process meanwhile, this very moment
        return
