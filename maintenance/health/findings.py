"""What a look at the site's health found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse


class Status(StrEnum):
    """The health of the whole."""

    HEALTHY = "healthy"
    WARNING = "warning"
    """Works, and somebody should look."""
    UNHEALTHY = "unhealthy"
    """Something that was asked for is not done."""


class Level(StrEnum):
    """How grave a finding is."""

    INFO = "info"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that an operator should know; the message says what to do."""

    key: str
    """Stable, such as beat_silent; the same for all findings of a kind."""
    level: Level
    message: str
    since: datetime | None = None
    run: UUID | None = None
    """The run that it is about."""
    schedule: int | None = None
    """The primary key of the schedule (a PeriodicTask) that it is about."""

    @property
    def link(self) -> str | None:
        """The path of the admin page to go to; None where there is none."""
        if self.run is not None:
            return _admin_path("maintenance_run_change", self.run)
        if self.schedule is not None:
            return _admin_path("django_celery_beat_periodictask_change", self.schedule)
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "level": str(self.level),
            "message": self.message,
            "since": self.since.isoformat() if self.since else None,
            "run": str(self.run) if self.run else None,
            "schedule": self.schedule,
        }


@dataclass(frozen=True, kw_only=True)
class Health:
    """Figures by name, and what they and the rest amount to, the gravest first."""

    checks: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)

    is_partial: bool = False
    """Whether a figure is missing, because the database could not be asked."""

    @property
    def status(self) -> Status:
        levels = {finding.level for finding in self.findings}
        if Level.UNHEALTHY in levels:
            return Status.UNHEALTHY
        return Status.WARNING if Level.WARNING in levels else Status.HEALTHY

    def to_json(self) -> dict[str, Any]:
        return {
            "status": str(self.status),
            "checks": self.checks,
            "findings": [finding.to_json() for finding in self.findings],
        }


def _admin_path(name: str, key: Any) -> str | None:
    try:
        return reverse(f"admin:{name}", args=[key])
    except NoReverseMatch:
        return None
