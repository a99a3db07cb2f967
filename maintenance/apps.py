"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    name = "maintenance"
    verbose_name = "Maintenance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, notifier, operations, receivers

        operations.register_defaults()
        checks.register_checks()
        receivers.connect_receivers()
        notifier.connect_notifier()
