"""Runs, schedules and tables: what is wrong is found, and what is right is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from maintenance import runs
from maintenance.health import Finding, Level, collect_health, current_health, oauth2_health_check
from maintenance.health.schedule_findings import judge
from maintenance.models import Run, RunStatus, TableSnapshot, Trigger
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql
from tests.maintenance.health.test_liveness import installed_long_ago

TABLE = "oauth2_provider_accesstoken"


def find(*keys: str) -> list[Finding]:
    return [finding for finding in collect_health().findings if finding.key in keys]


def ended(operation: str, *, status: RunStatus, days_ago: float = 0, **values: Any) -> Run:
    run = Run.objects.create(operation=operation, trigger=Trigger.SCHEDULE, status=status, **values)
    moment = timezone.now() - timedelta(days=days_ago)
    Run.objects.filter(pk=run.pk).update(created=moment, finished=moment)
    return run


@on_every_engine
def test_the_figures_are_those_of_the_tables(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=6, live=4)
    result = oauth2_health_check()
    assert result["status"] == "healthy"
    figures = ("active_tokens", "expired_ratio", "total_applications", "recent_token_activity")
    assert [result["checks"][name] for name in figures] == [4, 0.6, 1, 10]
    assert result["checks"]["backlog"][TABLE] == 6
    assert json.loads(json.dumps(result)) == result


def test_an_old_token_is_no_recent_activity(db: None, make_tokens: Callable[..., Any]) -> None:
    make_tokens(live=3)
    AccessToken.objects.filter(token="live 0").update(created=timezone.now() - timedelta(hours=25))
    assert collect_health().checks["recent_token_activity"] == 2


@on_every_engine
def test_expired_tokens_that_could_go_are_a_warning(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=19, live=1)
    (finding,) = find("expired_ratio")
    assert (finding.level, "95%" in finding.message) == (Level.WARNING, True)
    run_here(runs.enqueue("clear_expired"))
    assert find("expired_ratio") == []


@on_every_engine
def test_expired_tokens_that_refresh_tokens_hold_are_none(
    engine: EngineDatabase, make_tokens: Callable[..., Any], django_user_model: Any
) -> None:
    application = make_tokens(expired=19, live=1)
    user = django_user_model.objects.create(username="u")
    RefreshToken.objects.bulk_create(
        RefreshToken(
            user=user,
            application=application,
            access_token=token,
            token=token.token,
            token_checksum=token.token,
        )
        for token in AccessToken.objects.all()
    )
    assert collect_health().checks["expired_ratio"] == 0.95
    assert find("expired_ratio") == []


@override_settings(MAINTENANCE={"EXPIRED_RATIO_WARNING": 0.5})
def test_the_share_that_warns_is_a_setting(db: None, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=6, live=4)
    assert len(find("expired_ratio")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("expired", "removed", "found"),
    [
        ([20_000, 30_000], 10, 1),
        ([200, 300], 10, 0),
        ([30_000, 30_000], 10, 0),
        ([20_000, 30_000], 90_000, 0),
    ],
)
def test_a_backlog_that_grows_is_a_warning(expired: list[int], removed: int, found: int) -> None:
    now = timezone.now()
    for days, rows in zip((3, 0), expired, strict=True):
        moment = now - timedelta(days=days)
        TableSnapshot.objects.create(
            table=TABLE, hour=moment, taken=moment, rows=90_000, expired=rows, created=10_000, removed=removed
        )
    assert len(find("backlog_grows")) == found


@override_settings(MAINTENANCE={"BACKLOG_ROWS_WARNING": 100})
def test_a_backlog_that_the_settings_keep_says_so(db: None) -> None:
    for days, rows in ((3, 200), (0, 300)):
        moment = timezone.now() - timedelta(days=days)
        TableSnapshot.objects.create(
            table=TABLE, hour=moment, taken=moment, rows=900, expired=rows, created=100
        )
    (finding,) = find("backlog_grows")
    assert "REFRESH_TOKEN_EXPIRE_SECONDS is not set" in finding.message


@on_every_engine
def test_a_run_whose_worker_is_lost_and_that_no_sweep_takes_back_is_stuck(engine: EngineDatabase) -> None:
    lease = timezone.now() - timedelta(minutes=5)
    run = Run.objects.create(
        operation="clear_expired", trigger=Trigger.CODE, status=RunStatus.RUNNING, lease_until=lease
    )
    (finding,) = find("run_stuck")
    assert (finding.level, finding.run, finding.since) == (Level.UNHEALTHY, run.pk, run.lease_until)
    assert finding.link == reverse("admin:maintenance_run_change", args=[run.pk])
    runs.sweep()
    assert find("run_stuck") == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("failures", "level"), [(1, Level.WARNING), (2, Level.WARNING), (3, Level.UNHEALTHY)]
)
def test_an_operation_that_fails_is_told(failures: int, level: Level) -> None:
    ended("clear_expired", status=RunStatus.SUCCEEDED, days_ago=4)
    failed = [
        ended("clear_expired", status=RunStatus.FAILED, days_ago=3 - number, error_class="DataError")
        for number in range(failures)
    ]
    (finding,) = find("operation_failing")
    assert (finding.level, finding.run) == (level, failed[-1].pk)
    assert "DataError" in finding.message
    assert collect_health().checks["failing_operations"] == ["clear_expired"]
    ended("clear_expired", status=RunStatus.SUCCEEDED)
    assert find("operation_failing") == []


@on_every_engine
def test_a_revocation_that_failed_is_grave_until_it_is_done(engine: EngineDatabase) -> None:
    failed = ended("revoke_user_tokens", status=RunStatus.FAILED, days_ago=1, arguments={"user_id": 7})
    ended("revoke_user_tokens", status=RunStatus.SUCCEEDED, arguments={"user_id": 8})
    (finding,) = find("operation_failing")
    assert (finding.level, finding.run) == (Level.UNHEALTHY, failed.pk)
    ended("revoke_user_tokens", status=RunStatus.SUCCEEDED, arguments={"user_id": 7})
    assert find("operation_failing") == []


def test_expiry_that_nobody_clears_is_told(db: None) -> None:
    PeriodicTask.objects.all().delete()
    assert find("never_run", "success_too_old") == []  # just installed
    installed_long_ago()
    ended("clear_expired", status=RunStatus.SUCCEEDED, days_ago=8)
    (finding,) = find("never_run", "success_too_old")
    assert finding.key == "success_too_old"
    Run.objects.all().delete()
    assert find("never_run", "success_too_old") == []  # six days ago
    collected = collect_health(timezone.now() + timedelta(days=2))
    assert "never_run" in {finding.key for finding in collected.findings}


class TestSchedules:
    """Beat makes up for no daily schedule that it missed by more than two hours."""

    NOW = datetime(2026, 7, 10, 12, 0, tzinfo=UTC)

    @pytest.fixture
    def entry(self, db: None) -> Any:
        crontab = CrontabSchedule.objects.create(minute="30", hour="2", timezone=ZoneInfo("Europe/Berlin"))
        return self.changed(
            PeriodicTask.objects.create(
                name="nightly", task="maintenance.tasks.clear_expired", crontab=crontab
            ),
            self.NOW - timedelta(days=30),
        )

    @staticmethod
    def changed(entry: PeriodicTask, moment: datetime, **values: Any) -> PeriodicTask:
        PeriodicTask.objects.filter(pk=entry.pk).update(date_changed=moment, **values)
        entry.refresh_from_db()
        return entry

    @staticmethod
    def ran(moment: datetime, operation: str = "clear_expired", **values: Any) -> None:
        run = Run.objects.create(operation=operation, trigger=Trigger.SCHEDULE, **values)
        Run.objects.filter(pk=run.pk).update(created=moment)

    def test_a_run_in_its_time_leaves_nothing_to_say(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 7, 10, 0, 30, 4, tzinfo=UTC))  # 02:30 in Berlin
        assert judge(entry, self.NOW) == []

    def test_a_missed_night_is_told_in_the_zone_of_the_schedule(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 7, 9, 0, 30, 4, tzinfo=UTC))
        (finding,) = judge(entry, self.NOW)
        assert (finding.key, finding.level) == ("schedule_missed", Level.WARNING)
        assert finding.since == datetime(2026, 7, 10, 0, 30, tzinfo=UTC)
        assert "2026-07-10 02:30 CEST" in finding.message
        assert "beat was not up" in finding.message
        assert finding.link == reverse("admin:django_celery_beat_periodictask_change", args=[entry.pk])

    def test_what_is_only_late_is_not_missed(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 7, 9, 0, 30, 4, tzinfo=UTC))
        due = datetime(2026, 7, 10, 0, 30, tzinfo=UTC)
        assert judge(entry, due + timedelta(minutes=14)) == []
        assert len(judge(entry, due + timedelta(minutes=16))) == 1
        with override_settings(MAINTENANCE={"SCHEDULE_GRACE_SECONDS": 3600}):
            assert judge(entry, due + timedelta(minutes=16)) == []

    def test_three_missed_nights_are_an_outage(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 7, 7, 0, 30, 4, tzinfo=UTC))
        (finding,) = judge(entry, self.NOW)
        assert finding.level == Level.UNHEALTHY

    def test_a_message_that_no_worker_took_is_told_apart(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 7, 9, 0, 30, 4, tzinfo=UTC))
        sent = datetime(2026, 7, 10, 0, 30, 1, tzinfo=UTC)
        self.changed(entry, sent + timedelta(minutes=2), last_run_at=sent)
        (finding,) = judge(entry, self.NOW)
        assert "beat sent it, but no worker took it" in finding.message

    def test_an_entry_enabled_today_owes_nothing_from_before(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 6, 1, 0, 30, 4, tzinfo=UTC))
        self.changed(entry, self.NOW - timedelta(hours=1))
        assert judge(entry, self.NOW) == []

    def test_an_entry_that_never_ran_owes_from_when_it_was_made(self, entry: PeriodicTask) -> None:
        assert judge(entry, self.NOW)[0].level == Level.UNHEALTHY

    def test_the_hour_that_summer_time_skips_does_not_confuse(self, entry: PeriodicTask) -> None:
        self.ran(datetime(2026, 3, 29, 1, 30, 4, tzinfo=UTC))
        assert judge(entry, datetime(2026, 3, 29, 12, 0, tzinfo=UTC)) == []

    def test_a_weekly_entry_is_due_on_its_day(self, entry: PeriodicTask) -> None:
        weekly = CrontabSchedule.objects.create(
            minute="0", hour="3", day_of_week="0", timezone=ZoneInfo("UTC")
        )
        self.changed(entry, self.NOW - timedelta(days=30), crontab=weekly)
        self.ran(datetime(2026, 7, 5, 3, 0, 2, tzinfo=UTC))  # a Sunday
        assert judge(entry, self.NOW) == []
        (finding,) = judge(entry, self.NOW + timedelta(days=3))
        assert finding.since == datetime(2026, 7, 12, 3, 0, tzinfo=UTC)

    def test_an_interval_counts_from_the_last_run(self, entry: PeriodicTask) -> None:
        hourly = IntervalSchedule.objects.create(every=1, period="hours")
        self.changed(entry, self.NOW - timedelta(days=3), crontab=None, interval=hourly)
        self.ran(self.NOW - timedelta(minutes=70))
        assert judge(entry, self.NOW) == []
        (finding,) = judge(entry, self.NOW + timedelta(minutes=30))
        assert (finding.key, finding.level) == ("schedule_missed", Level.WARNING)

    def test_only_a_run_of_the_same_arguments_counts(self, entry: PeriodicTask) -> None:
        self.changed(
            entry, entry.date_changed, task="maintenance.tasks.purge_runs", kwargs=json.dumps({"days": 5})
        )
        self.ran(datetime(2026, 7, 10, 0, 30, 4, tzinfo=UTC), "purge_runs")
        assert len(judge(entry, self.NOW)) == 1
        self.ran(datetime(2026, 7, 10, 0, 30, 4, tzinfo=UTC), "purge_runs", arguments={"days": 5})
        assert judge(entry, self.NOW) == []

    def test_an_entry_of_a_sites_own_operation_is_judged_by_its_arguments(self, entry: PeriodicTask) -> None:
        self.changed(
            entry,
            entry.date_changed,
            task="maintenance.tasks.run_operation",
            kwargs=json.dumps({"operation": "no such"}),
        )
        (finding,) = judge(entry, self.NOW)
        assert (finding.key, "no such" in finding.message) == ("schedule_invalid", True)

    def test_an_entry_that_beat_turned_off_is_told(self, entry: PeriodicTask) -> None:
        self.changed(entry, self.NOW, enabled=False)
        assert judge(entry, self.NOW) == []  # an operator's own doing
        self.changed(entry, self.NOW, kwargs="{days: 3")
        (finding,) = judge(entry, self.NOW)
        assert (finding.key, finding.level) == ("schedule_disabled_by_beat", Level.WARNING)
        assert "no JSON" in finding.message

    def test_all_schedules_are_looked_at(self, entry: PeriodicTask) -> None:
        health = collect_health(self.NOW)
        assert health.checks["missed_schedules"] == ["nightly"]


@pytest.mark.django_db
def test_probes_are_told_what_is_a_few_seconds_old(make_tokens: Callable[..., Any]) -> None:
    assert current_health().checks["active_tokens"] == 0
    make_tokens(live=2)
    assert current_health().checks["active_tokens"] == 0
    assert collect_health().checks["active_tokens"] == 2
    with override_settings(MAINTENANCE={"HEALTH_CACHE_SECONDS": 0}):
        assert current_health().checks["active_tokens"] == 2


@on_postgresql
def test_no_look_reads_a_big_table_as_a_whole(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=40_000, live=20_000)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE oauth2_provider_accesstoken")
    with CaptureQueriesContext(connection) as queries:
        health = collect_health()
    assert health.checks["active_tokens"] == pytest.approx(20_000, rel=0.2)
    assert health.checks["expired_ratio"] == pytest.approx(2 / 3, rel=0.1)
    assert len(queries) < 80
    asked = 0
    with connection.cursor() as cursor:
        for query in queries:
            if TABLE not in query["sql"] or query["sql"].startswith("EXPLAIN"):
                continue
            asked += 1
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
            (plan,) = cursor.fetchone()
            assert _rows_read(plan[0]["Plan"]) <= 10_000, query["sql"]
    assert asked > 5


def _rows_read(plan: dict[str, Any]) -> float:
    inner = [_rows_read(part) for part in plan.get("Plans", [])]
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([own, *inner])
