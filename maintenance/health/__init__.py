"""Is the site's maintenance alive, and does it keep up? Figures and findings, cheap enough for a probe.

Nothing reads a big table as a whole: small numbers are counted, large ones are the engine's own estimates.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import Error
from django.utils import timezone

from ..settings import maintenance_settings
from .findings import Finding, Health, Level, Status
from .liveness import find_liveness
from .run_findings import find_runs
from .schedule_findings import find_schedules
from .table_findings import find_tables

__all__ = [
    "Finding",
    "Health",
    "Level",
    "Status",
    "collect_health",
    "current_health",
    "forget_health",
    "oauth2_health_check",
]

_GRAVITY = (Level.UNHEALTHY, Level.WARNING, Level.INFO)
_latest: tuple[float, Health] | None = None


def oauth2_health_check() -> dict[str, Any]:
    """Return {"status": healthy, warning or unhealthy, "checks": figures, "findings": what to do}, as of now."""
    return collect_health().to_json()


def collect_health(now: datetime | None = None) -> Health:
    """Look at everything, as of now. A database that cannot be asked is a finding, no error."""
    moment = now or timezone.now()
    checks: dict[str, Any] = {}
    findings: list[Finding] = []
    try:
        for look in (find_tables, find_liveness, find_runs, find_schedules):
            figures, found = look(moment)
            checks.update(figures)
            findings += found
    except Error as error:
        return Health(checks=checks, findings=[_database(error), *findings], is_partial=True)
    return Health(checks=checks, findings=sorted(findings, key=lambda each: _GRAVITY.index(each.level)))


def current_health() -> Health:
    """Return the health, at most HEALTH_CACHE_SECONDS old: for probes and pages that many call."""
    global _latest
    limit = time.monotonic() - maintenance_settings.HEALTH_CACHE_SECONDS
    if _latest is None or _latest[0] < limit:
        _latest = (time.monotonic(), collect_health())
    return _latest[1]


def _database(error: Error) -> Finding:
    message = f"The database cannot be asked ({type(error).__name__}): see to it and its migrations (/health/ready)."
    return Finding(key="database_unreachable", level=Level.UNHEALTHY, message=message)


def forget_health() -> None:
    """Have `current_health` look anew."""
    global _latest
    _latest = None
