"""The tables of the maintenance app."""

from __future__ import annotations

from .audit import AuditAction, AuditEvent
from .monitoring import Heartbeat, TableSnapshot
from .protection import ProtectedApplication
from .run import (
    ACTIVE,
    CONTROLS,
    ENDED,
    HELD_BY_WORKER,
    TRANSITIONS,
    WAITING,
    ArchivedApplication,
    Dashboard,
    Run,
    RunEvent,
    RunStatus,
    Trigger,
    active_key,
    statuses_before,
)
from .switch import MaintenanceSwitch

__all__ = [
    "ACTIVE",
    "CONTROLS",
    "ENDED",
    "HELD_BY_WORKER",
    "TRANSITIONS",
    "WAITING",
    "ArchivedApplication",
    "AuditAction",
    "AuditEvent",
    "Dashboard",
    "Heartbeat",
    "MaintenanceSwitch",
    "ProtectedApplication",
    "Run",
    "RunEvent",
    "RunStatus",
    "TableSnapshot",
    "Trigger",
    "active_key",
    "statuses_before",
]
