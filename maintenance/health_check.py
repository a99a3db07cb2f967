"""The health of the maintenance as a check of django-health-check 4 (the extra `health-check`).

Name it by its path, "maintenance.health_check.MaintenanceHealth", among the checks of HealthCheckView.
"""

from __future__ import annotations

import dataclasses

from django.db import close_old_connections
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from .health import Status, current_health


@dataclasses.dataclass
class MaintenanceHealth(HealthCheck):
    """Unavailable where the maintenance is unhealthy; with `warnings` also where somebody should look.

    Its page may be read by anybody: it names the kinds of findings and none of their words.
    """

    warnings: bool = dataclasses.field(default=False, repr=False)
    """The page of django-health-check answers 500 to a warning, too: off, so that it says what is down."""

    def run(self) -> None:
        """Look. Raises ServiceUnavailable and ServiceWarning."""
        try:
            health = current_health()
        finally:
            close_old_connections()  # it is run in a thread that no request ends
        keys = ", ".join(sorted({each.key for each in health.findings if str(each.level) != "info"}))
        message = f"The maintenance is {health.status}: {keys}."
        if health.status == Status.UNHEALTHY:
            raise ServiceUnavailable(message)
        if health.status == Status.WARNING and self.warnings:
            raise ServiceWarning(message)
