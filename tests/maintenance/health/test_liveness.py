"""Worker, beat and broker: known by rows and by an answer in time."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.dispatch import find_broker_problem
from maintenance.health import Finding, Level, collect_health
from maintenance.heartbeats import note_heartbeat
from maintenance.models import Heartbeat, Run, RunStatus, Trigger
from tests.celery import app
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

WORKER, BEAT = Heartbeat.Role.WORKER, Heartbeat.Role.BEAT


def findings(*keys: str) -> list[Finding]:
    return [finding for finding in collect_health().findings if finding.key in keys]


def installed_long_ago() -> None:
    """Have the app's migrations applied a week ago."""
    rows = MigrationRecorder.Migration.objects.filter(app="maintenance")
    rows.update(applied=timezone.now() - timedelta(days=6))


def seen(role: Heartbeat.Role, *, minutes_ago: float = 0, queue: str = "") -> None:
    note_heartbeat(role, "it", queue=queue)
    Heartbeat.objects.filter(role=role).update(seen=timezone.now() - timedelta(minutes=minutes_ago))


def test_a_site_just_installed_is_healthy(db: None) -> None:
    health = collect_health()
    assert health.status == "healthy"
    assert {finding.level for finding in health.findings} <= {Level.INFO}
    assert {finding.key for finding in health.findings} == {"beat_silent", "worker_silent"}


def test_a_site_that_never_saw_a_worker_is_warned(db: None) -> None:
    installed_long_ago()
    beat, worker = findings("beat_silent", "worker_silent")
    assert (beat.level, worker.level) == (Level.WARNING, Level.WARNING)
    assert "celery -A <project> worker --queues maintenance" in worker.message
    assert "was never seen" in beat.message


@on_every_engine
def test_a_heartbeat_is_one_row_that_moves(engine: EngineDatabase) -> None:
    for _ in range(3):
        note_heartbeat(WORKER, "celery@a", queue="maintenance")
    note_heartbeat(WORKER, "celery@b", queue="maintenance")
    assert Heartbeat.objects.count() == 2
    assert timezone.now() - Heartbeat.objects.get(name="celery@a").seen < timedelta(seconds=30)


def test_beat_and_worker_that_were_seen_are_no_finding(db: None) -> None:
    seen(BEAT)
    seen(WORKER, queue="maintenance")
    assert collect_health().findings == []
    assert collect_health().checks["beat"]["seen"] is not None


def test_silent_beat_is_told_with_its_time(db: None) -> None:
    seen(BEAT, minutes_ago=6)
    seen(WORKER, minutes_ago=6, queue="maintenance")
    (finding,) = findings(
        "beat_silent", "worker_silent"
    )  # without beat, nothing comes for a worker to answer
    assert (finding.key, finding.level) == ("beat_silent", Level.WARNING)
    assert "6\xa0minutes ago" in finding.message


def test_a_worker_on_another_queue_is_none(db: None) -> None:
    seen(BEAT)
    seen(WORKER, queue="celery")
    installed_long_ago()
    (finding,) = findings("worker_silent")
    assert finding.level == Level.WARNING


@override_settings(MAINTENANCE={"BEAT_SILENCE_SECONDS": 3600, "WORKER_SILENCE_SECONDS": 3600})
def test_how_long_silence_may_last_is_a_setting(db: None) -> None:
    seen(BEAT, minutes_ago=50)
    seen(WORKER, minutes_ago=50, queue="maintenance")
    assert findings("beat_silent", "worker_silent") == []


def test_a_run_that_no_worker_takes_makes_the_site_unhealthy(db: None) -> None:
    run = runs.enqueue("clear_expired")
    Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(minutes=10))
    (finding,) = findings("runs_wait", "worker_silent")
    assert (finding.key, finding.level) == ("runs_wait", Level.UNHEALTHY)
    assert collect_health().status == "unhealthy"
    seen(WORKER, queue="maintenance")
    (finding,) = findings("runs_wait", "worker_silent")
    assert (finding.key, finding.level) == ("runs_wait", Level.WARNING)
    assert "--concurrency" in finding.message


def test_a_run_that_is_held_or_just_resumed_does_not_wait_for_a_worker(db: None) -> None:
    now = timezone.now()
    long_ago = now - timedelta(days=1)
    held = Run.objects.create(
        operation="clear_expired",
        trigger=Trigger.CODE,
        status=RunStatus.INTERRUPTED,
        heartbeat=long_ago,
        not_before=now + timedelta(hours=1),
    )
    paused = Run.objects.create(
        operation="clear_expired", trigger=Trigger.CODE, status=RunStatus.PAUSED, heartbeat=long_ago
    )
    Run.objects.filter(pk__in=[held.pk, paused.pk]).update(created=long_ago)
    runs.resume(paused)
    assert findings("runs_wait") == []


def test_the_switch_is_told_and_becomes_a_warning_after_a_day(db: None) -> None:
    switch = runs.hold_all("alice", "the sale is on")
    (finding,) = findings("held_all")
    assert (finding.level, finding.message.split(".")[0]) == (
        Level.INFO,
        "All hygiene work is held by alice: the sale is on",
    )
    switch.since = timezone.now() - timedelta(days=2)
    switch.save()
    assert findings("held_all")[0].level == Level.WARNING


class TestBroker:
    @pytest.fixture
    def broker(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        def use(url: str) -> None:
            monkeypatch.setattr(app.conf, "broker_write_url", url)

        return use

    def test_a_broker_that_answers(self, broker: Any, redis_url: str) -> None:
        broker(redis_url)
        assert find_broker_problem() is None

    def test_a_broker_that_is_down_is_a_warning_while_nothing_waits(self, db: None, broker: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            broker(f"redis://127.0.0.1:{probe.getsockname()[1]}/0")
        (finding,) = findings("broker_unreachable")
        assert finding.level == Level.WARNING
        run = runs.enqueue("clear_expired")
        Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(minutes=10))
        assert findings("broker_unreachable")[0].level == Level.UNHEALTHY

    @override_settings(MAINTENANCE={"BROKER_TIMEOUT_SECONDS": 0.5})
    def test_a_broker_that_is_mute_does_not_hang_the_probe(self, broker: Any) -> None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen(8)
            broker(f"redis://127.0.0.1:{mute.getsockname()[1]}/0")
            began = time.monotonic()
            assert find_broker_problem() is not None
            assert time.monotonic() - began < 5
