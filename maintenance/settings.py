"""The settings of the maintenance app: the dict MAINTENANCE, with every default, its unit and its meaning.

Read live as attributes of `maintenance_settings`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

DEFAULTS: dict[str, Any] = {
    # -- windows
    "WINDOW_TARGET_SECONDS": 0.4,  # what one window should take
    "WINDOW_TARGET_SECONDS_SQLITE": 0.05,  # there a window locks out every other writer
    "WINDOW_REST_SECONDS_SQLITE": 0.03,  # after it, at most: the others' turn
    "WINDOW_INITIAL_ROWS": 1000,
    "WINDOW_MINIMUM_ROWS": 100,
    "WINDOW_MAXIMUM_ROWS": 50_000,
    "WINDOW_GROWTH": 1.5,  # at most, from one window to the next
    "WINDOW_ATTEMPTS": 6,  # of one window, after deadlocks, timeouts and lost connections
    "LOCK_TIMEOUT_SECONDS": 1.0,
    "STATEMENT_TIMEOUT_SECONDS": 10.0,
    # -- slices and leases
    "SLICE_SECONDS": 20.0,  # how long one Celery task works on a run
    "LEASE_SECONDS": 60.0,  # how long a run belongs to a worker that says nothing
    "MAXIMUM_LOSSES": 3,  # slices in a row that ended without progress before a run fails
    "QUEUE": "maintenance",
    "PRIORITY_SECURITY": 0,  # of messages, as the broker counts: with Redis, 0 goes before 9
    "PRIORITY_HYGIENE": 6,
    # -- throttles, for hygiene operations only
    "NICE_RATIO": 0.0,  # seconds of rest for each second of work
    "TIME_WINDOW": None,  # "01:00-05:00"
    "TIME_WINDOW_ZONE": "UTC",
    "REPLICATION_LAG_SECONDS": None,  # PostgreSQL: hold above this
    "RUN_SECONDS": None,  # a run that worked longer is paused; resumed, it may do so much again
    "THROTTLE": None,  # dotted path of callable(run) -> None, or (seconds, reason) to hold
    "HOLD_SECONDS": 25.0,  # how long a held run rests before it looks again
    # -- applications
    "PROTECTED_APPLICATIONS": [],  # client ids never removed; or dotted path of callable(application) -> bool
    # -- users: end all that a user was given ...
    "REVOKE_ON_DEACTIVATION": False,  # when is_active goes off
    "REVOKE_ON_PASSWORD_CHANGE": False,  # when the password becomes another
    # -- previews
    "PREVIEW_ROWS": 10_000,  # of a table that a page's preview looks at; the rest is estimated
    "PREVIEW_SECONDS": 0.2,  # for all of its numbers; what is left then is estimated
    "DRY_RUN_ROWS": 1_000_000,  # the same of --dry-run, at a terminal
    "DRY_RUN_SECONDS": 10.0,
    "PREVIEW_VALID_SECONDS": 900,  # for how long a preview can be confirmed
    "PREVIEW_TOLERANCE": 0.1,  # by which share the counts may differ from it at that time
    # -- health
    "HEALTH_CACHE_SECONDS": 5.0,  # how old what a probe is told may be
    "MONITORING_TOKEN": None,  # whoever sends it as a bearer token sees all of /health/ and /metrics
    "WORKER_SILENCE_SECONDS": 300.0,  # a worker that shows no sign for so long is missed, a run waits too long
    "BEAT_SILENCE_SECONDS": 300.0,
    "BROKER_TIMEOUT_SECONDS": 2.0,  # how long to wait for the broker's answer
    "SCHEDULE_GRACE_SECONDS": 900.0,  # how late a scheduled run may be
    "EXPIRED_RATIO_WARNING": 0.8,  # share of access tokens that are expired and could go
    "BACKLOG_ROWS_WARNING": 10_000,  # a backlog that grows is told from so many expired rows on
    # -- notifications; nobody is told until an address is set
    "NOTIFY_EMAILS": [],
    "NOTIFY_WEBHOOK_URL": None,
    "NOTIFY_WEBHOOK_SECRET": None,  # signs what the webhook is sent: HMAC with SHA-256
    "NOTIFY_ON": ["failed"],  # of "started", "finished" (succeeded or cancelled), "failed"
    "NOTIFY_TIMEOUT_SECONDS": 5.0,
    "NOTIFY_SITE_URL": None,  # "https://example.org": makes the links in messages whole
    # -- record
    "RUN_RETENTION_DAYS": 90,
    "AUDIT_RETENTION_DAYS": 365,
    "SNAPSHOT_RETENTION_DAYS": 90,  # of the hourly figures of tables
    "CLIENT_ADDRESS_META": "REMOTE_ADDR",  # where request.META has a client's address; by a proxy's header it sets
}


class MaintenanceSettings:
    """The settings as attributes. Raises AttributeError for an unknown name."""

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"Unknown MAINTENANCE setting: {name}")
        return self.user_settings.get(name, DEFAULTS[name])

    @property
    def user_settings(self) -> dict[str, Any]:
        return getattr(settings, "MAINTENANCE", None) or {}

    @property
    def throttle(self) -> Any:
        """The site's own throttle, imported; None where there is none."""
        value = self.THROTTLE
        return import_string(value) if isinstance(value, str) else value

    @property
    def protected_applications(self) -> Any:
        """Client ids as a set, or the site's own predicate, imported."""
        value = self.PROTECTED_APPLICATIONS
        if callable(value):
            return value
        return import_string(value) if isinstance(value, str) else frozenset(value)


maintenance_settings = MaintenanceSettings()
