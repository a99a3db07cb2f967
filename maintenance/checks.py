"""System checks of the maintenance app; each has a stable id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from .dispatch import TIME_LIMIT_SECONDS, find_visibility_seconds
from .notifier import EVENTS
from .settings import DEFAULTS, maintenance_settings
from .throttles import parse_time_window

POSITIVE = (
    "WINDOW_TARGET_SECONDS",
    "WINDOW_TARGET_SECONDS_SQLITE",
    "WINDOW_REST_SECONDS_SQLITE",
    "WINDOW_INITIAL_ROWS",
    "WINDOW_MINIMUM_ROWS",
    "WINDOW_MAXIMUM_ROWS",
    "WINDOW_ATTEMPTS",
    "LOCK_TIMEOUT_SECONDS",
    "STATEMENT_TIMEOUT_SECONDS",
    "SLICE_SECONDS",
    "LEASE_SECONDS",
    "MAXIMUM_LOSSES",
    "HOLD_SECONDS",
    "NOTIFY_TIMEOUT_SECONDS",
    "WORKER_SILENCE_SECONDS",
    "BEAT_SILENCE_SECONDS",
    "BROKER_TIMEOUT_SECONDS",
    "SCHEDULE_GRACE_SECONDS",
    "EXPIRED_RATIO_WARNING",
    "BACKLOG_ROWS_WARNING",
    "RUN_RETENTION_DAYS",
    "AUDIT_RETENTION_DAYS",
    "SNAPSHOT_RETENTION_DAYS",
    "PREVIEW_ROWS",
    "PREVIEW_SECONDS",
    "DRY_RUN_ROWS",
    "DRY_RUN_SECONDS",
    "PREVIEW_VALID_SECONDS",
)

SHORTEST_TOKEN = 16


def register_checks() -> None:
    """Register the checks of this module."""
    register(check_settings)
    register(check_broker)


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find unknown keys and values that cannot work in MAINTENANCE."""
    messages: list[CheckMessage] = [
        Error(
            f"MAINTENANCE has no setting {name!r}.",
            hint=f"There are: {', '.join(sorted(DEFAULTS))}.",
            id="maintenance.E001",
        )
        for name in sorted(maintenance_settings.user_settings.keys() - DEFAULTS.keys())
    ]
    messages += [
        Error(f"MAINTENANCE[{name!r}] must be a number above 0.", id="maintenance.E002")
        for name in POSITIVE
        if not _is_positive(getattr(maintenance_settings, name))
    ]
    problems = (
        *_time_window_and_zone(),
        *_windows(),
        *_limits(),
        _lease(),
        _throttle(),
        _protected(),
        _token(),
        _cache(),
        _tolerance(),
        *_notifications(),
    )
    messages += [Error(problem, id="maintenance.E003") for problem in problems if problem]
    if maintenance_settings.NOTIFY_WEBHOOK_URL and not maintenance_settings.NOTIFY_WEBHOOK_SECRET:
        messages.append(
            CheckWarning(
                "MAINTENANCE['NOTIFY_WEBHOOK_SECRET'] is not set: who knows the URL can speak as this site.",
                hint="Set it to a long random string, and have the other side check the signature.",
                id="maintenance.W001",
            )
        )
    return messages


def check_broker(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find a broker that hands a slice's message to a second worker while the first is at it."""
    visible, slice_seconds = find_visibility_seconds(), maintenance_settings.SLICE_SECONDS
    longest = max(TIME_LIMIT_SECONDS, slice_seconds) if _is_positive(slice_seconds) else TIME_LIMIT_SECONDS
    if visible is None or (_is_positive(visible) and visible > longest):
        return []
    return [
        CheckWarning(
            f"The broker delivers a message again after {visible!r} s (visibility_timeout), while a worker may still "
            f"be at its slice of a run, which may take {longest:g} s.",
            hint=f"Set visibility_timeout in Celery's broker_transport_options to a number well above {longest:g}.",
            id="maintenance.W002",
        )
    ]


def _time_window_and_zone() -> Iterator[str | None]:
    yield _time_window()
    yield _zone()


def _windows() -> Iterator[str]:
    growth = maintenance_settings.WINDOW_GROWTH
    if not _is_positive(growth) or growth < 1:
        yield "MAINTENANCE['WINDOW_GROWTH'] must be a number of 1 or more."
    lowest, highest = maintenance_settings.WINDOW_MINIMUM_ROWS, maintenance_settings.WINDOW_MAXIMUM_ROWS
    if _is_positive(lowest) and _is_positive(highest) and lowest > highest:
        yield "MAINTENANCE['WINDOW_MINIMUM_ROWS'] must not be above WINDOW_MAXIMUM_ROWS."


def _limits() -> Iterator[str]:
    ratio = maintenance_settings.NICE_RATIO
    if ratio != 0 and not _is_positive(ratio):
        yield "MAINTENANCE['NICE_RATIO'] must be a number of 0 or more."
    for name in ("RUN_SECONDS", "REPLICATION_LAG_SECONDS"):
        value = getattr(maintenance_settings, name)
        if value is not None and not _is_positive(value):
            yield f"MAINTENANCE[{name!r}] must be None or a number above 0."


def _protected() -> str | None:
    value = maintenance_settings.PROTECTED_APPLICATIONS
    if callable(value) or isinstance(value, (list, tuple, set, frozenset)):
        return None
    try:
        import_string(value)
    except (ImportError, TypeError, AttributeError):
        return (
            "MAINTENANCE['PROTECTED_APPLICATIONS'] must be a list of client ids, or the path of a function "
            f"that can be imported, not {value!r}."
        )
    return None


def _token() -> str | None:
    token = maintenance_settings.MONITORING_TOKEN
    if token is None or (isinstance(token, str) and len(token) >= SHORTEST_TOKEN):
        return None
    return f"MAINTENANCE['MONITORING_TOKEN'] must be a random string of at least {SHORTEST_TOKEN} characters."


def _cache() -> str | None:
    seconds = maintenance_settings.HEALTH_CACHE_SECONDS
    return (
        None
        if seconds == 0 or _is_positive(seconds)
        else "MAINTENANCE['HEALTH_CACHE_SECONDS'] must be 0 or more."
    )


def _tolerance() -> str | None:
    share = maintenance_settings.PREVIEW_TOLERANCE
    if (share == 0 or _is_positive(share)) and not isinstance(share, bool) and share <= 1:
        return None
    return f"MAINTENANCE['PREVIEW_TOLERANCE'] must be a share, a number from 0 to 1, not {share!r}."


def _notifications() -> Iterator[str]:
    if not isinstance(maintenance_settings.NOTIFY_EMAILS, (list, tuple)):
        yield "MAINTENANCE['NOTIFY_EMAILS'] must be a list of addresses."
    events = maintenance_settings.NOTIFY_ON
    if not isinstance(events, (list, tuple)) or set(events) - EVENTS.keys():
        yield f"MAINTENANCE['NOTIFY_ON'] must be a list of: {', '.join(EVENTS)}."
    url = maintenance_settings.NOTIFY_WEBHOOK_URL
    if url is not None and not str(url).startswith(("https://", "http://")):
        yield "MAINTENANCE['NOTIFY_WEBHOOK_URL'] must begin with https:// (or http://)."


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _time_window() -> str | None:
    window = maintenance_settings.TIME_WINDOW
    if window is None:
        return None
    try:
        parse_time_window(window)
    except (ValueError, AttributeError):
        return f"MAINTENANCE['TIME_WINDOW'] must look like '01:00-05:00', not {window!r}."
    return None


def _zone() -> str | None:
    zone = maintenance_settings.TIME_WINDOW_ZONE
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        return f"MAINTENANCE['TIME_WINDOW_ZONE'] must be the name of a time zone, not {zone!r}."
    return None


def _lease() -> str | None:
    lease, statement = maintenance_settings.LEASE_SECONDS, maintenance_settings.STATEMENT_TIMEOUT_SECONDS
    if _is_positive(lease) and _is_positive(statement) and lease <= statement:
        return "MAINTENANCE['LEASE_SECONDS'] must be longer than STATEMENT_TIMEOUT_SECONDS."
    return None


def _throttle() -> str | None:
    throttle = maintenance_settings.THROTTLE
    if throttle is None or callable(throttle):
        return None
    try:
        import_string(throttle)
    except (ImportError, TypeError, AttributeError) as error:
        return f"MAINTENANCE['THROTTLE'] cannot be imported: {error}"
    return None
