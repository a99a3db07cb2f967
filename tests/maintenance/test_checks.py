"""A bad MAINTENANCE dict is found by `manage.py check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from django.core.checks import run_checks
from django.test import override_settings

from maintenance.checks import check_broker, check_settings

REDIS = "redis://:a-password@broker.example.org:6379/0"


def test_the_defaults_are_fine() -> None:
    assert check_settings() == []


@pytest.mark.parametrize("share", [0, 0.0, 0.5, 1])
def test_a_share_of_what_a_preview_counted_is_a_tolerance(share: float) -> None:
    with override_settings(MAINTENANCE={"PREVIEW_TOLERANCE": share}):
        assert check_settings() == []


@pytest.mark.parametrize(
    ("settings", "id_", "words"),
    [
        ({"SLICE_SECOND": 3}, "maintenance.E001", "SLICE_SECOND"),
        ({"SLICE_SECONDS": 0}, "maintenance.E002", "SLICE_SECONDS"),
        ({"WINDOW_INITIAL_ROWS": "many"}, "maintenance.E002", "WINDOW_INITIAL_ROWS"),
        ({"TIME_WINDOW": "at night"}, "maintenance.E003", "01:00-05:00"),
        ({"TIME_WINDOW_ZONE": "Mars/Olympus"}, "maintenance.E003", "Mars/Olympus"),
        ({"LEASE_SECONDS": 5}, "maintenance.E003", "STATEMENT_TIMEOUT_SECONDS"),
        ({"MONITORING_TOKEN": "short"}, "maintenance.E003", "MONITORING_TOKEN"),
        ({"HEALTH_CACHE_SECONDS": -1}, "maintenance.E003", "HEALTH_CACHE_SECONDS"),
        *(
            ({"PREVIEW_TOLERANCE": share}, "maintenance.E003", "a number from 0 to 1")
            for share in (-0.1, 1.5, 10, "0.1", None, True, False, float("nan"))
        ),
        ({"NOTIFY_EMAILS": "a@example.org"}, "maintenance.E003", "NOTIFY_EMAILS"),
        ({"NOTIFY_ON": ["success"]}, "maintenance.E003", "started, finished, failed"),
        ({"NOTIFY_WEBHOOK_URL": "example.org", "NOTIFY_WEBHOOK_SECRET": "s"}, "maintenance.E003", "https://"),
        ({"NOTIFY_WEBHOOK_URL": "https://example.org"}, "maintenance.W001", "signature"),
        ({"NOTIFY_TIMEOUT_SECONDS": 0}, "maintenance.E002", "NOTIFY_TIMEOUT_SECONDS"),
        ({"AUDIT_RETENTION_DAYS": 0}, "maintenance.E002", "AUDIT_RETENTION_DAYS"),
        ({"WINDOW_GROWTH": 0.5}, "maintenance.E003", "WINDOW_GROWTH"),
        ({"WINDOW_MINIMUM_ROWS": 900, "WINDOW_MAXIMUM_ROWS": 800}, "maintenance.E003", "WINDOW_MAXIMUM_ROWS"),
        ({"NICE_RATIO": -1}, "maintenance.E003", "NICE_RATIO"),
        ({"NICE_RATIO": "half"}, "maintenance.E003", "NICE_RATIO"),
        ({"RUN_SECONDS": 0}, "maintenance.E003", "RUN_SECONDS"),
        ({"REPLICATION_LAG_SECONDS": "2"}, "maintenance.E003", "REPLICATION_LAG_SECONDS"),
        ({"PROTECTED_APPLICATIONS": "my-client"}, "maintenance.E003", "a list of client ids"),
        ({"PROTECTED_APPLICATIONS": None}, "maintenance.E003", "a list of client ids"),
        ({"THROTTLE": "no.such.function"}, "maintenance.E003", "THROTTLE"),
    ],
)
def test_what_cannot_work_is_said(settings: dict[str, Any], id_: str, words: str) -> None:
    with override_settings(MAINTENANCE=settings):
        (message,) = check_settings()
    assert message.id == id_
    assert words in f"{message.msg} {message.hint}"


@pytest.fixture
def set_broker() -> Iterator[Callable[..., None]]:
    """Return a function that sets Celery's broker, and the options of its transport."""
    names = ("task_always_eager", "broker_read_url", "broker_url", "broker_transport_options")
    before = {name: current_app.conf[name] for name in names}

    def set_to(url: Any, *, is_eager: bool = False, **options: Any) -> None:
        values = (is_eager, None, url, options)
        current_app.conf.update(dict(zip(names, values, strict=True)))

    yield set_to
    current_app.conf.update(before)


@pytest.mark.parametrize(
    ("url", "options", "slice_seconds", "words"),
    [
        (REDIS, {"visibility_timeout": 60}, 20, "after 60 s"),
        (REDIS, {"visibility_timeout": 120}, 20, "above 120"),
        (REDIS, {"visibility_timeout": 180}, 180, "above 180"),
        (REDIS, {}, 4000, "after 3600.0 s"),
        (REDIS, {"visibility_timeout": "long"}, 20, "after 'long' s"),
        ("rediss://broker.example.org", {"visibility_timeout": 60}, 20, "visibility_timeout"),
        ("redis+socket:///run/broker.sock", {"visibility_timeout": 60}, 20, "visibility_timeout"),
        ("valkey://broker.example.org", {"visibility_timeout": 60}, 20, "visibility_timeout"),
        ("sentinel://one:26379;sentinel://two:26379", {"visibility_timeout": 60}, 20, "visibility_timeout"),
        (["sentinel://one:26379"], {"visibility_timeout": 60}, 20, "visibility_timeout"),
    ],
)
def test_a_broker_that_gives_a_slice_to_a_second_worker_is_a_warning(
    set_broker: Callable[..., None], url: Any, options: dict[str, Any], slice_seconds: int, words: str
) -> None:
    set_broker(url, **options)
    with override_settings(MAINTENANCE={"SLICE_SECONDS": slice_seconds}):
        (message,) = [found for found in run_checks() if found.id == "maintenance.W002"]
    said = f"{message.msg} {message.hint}"
    assert words in said
    assert "a-password" not in said


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (REDIS, {}),
        (REDIS, {"visibility_timeout": 121}),
        ("amqp://broker.example.org", {"visibility_timeout": 60}),
        (None, {"visibility_timeout": 60}),
        ([], {"visibility_timeout": 60}),
    ],
)
def test_a_broker_that_leaves_a_slice_to_its_worker_is_fine(
    set_broker: Callable[..., None], url: Any, options: dict[str, Any]
) -> None:
    set_broker(url, **options)
    assert check_broker() == []


def test_a_site_whose_tasks_run_at_once_has_no_broker_to_warn_of(set_broker: Callable[..., None]) -> None:
    set_broker(REDIS, is_eager=True, visibility_timeout=60)
    assert check_broker() == []
