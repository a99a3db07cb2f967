"""Probes and metrics: right status codes, and to nobody more than he may know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings
from django.utils import timezone

from maintenance import readiness, runs
from maintenance.health import forget_health
from maintenance.models import Run

SECRET = {"Authorization": "Bearer the monitoring token"}
with_token = override_settings(MAINTENANCE={"MONITORING_TOKEN": "the monitoring token"})


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget_health()
    readiness.forget_readiness()
    yield
    forget_health()
    readiness.forget_readiness()


def a_user(django_user_model: Any, *permissions: str) -> Client:
    user = django_user_model.objects.create_user("u", password="p")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@contextmanager
def no_database() -> Iterator[None]:
    """Have the database answer nothing."""

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> None:
        raise DatabaseError("could not connect to db.internal:5432 as admin")

    with connection.execute_wrapper(fail):
        yield


def a_run_waits() -> None:
    run = runs.enqueue("clear_expired")
    Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(minutes=10))


def test_a_live_process_says_so_without_the_database() -> None:
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
class TestReady:
    def test_a_migrated_database_is_ready(self, client: Client) -> None:
        response = client.get("/health/ready")
        assert (response.status_code, response.json()) == (200, {"status": "ready"})

    def test_a_migration_that_is_not_applied_is_the_reason(self, client: Client) -> None:
        MigrationRecorder.Migration.objects.filter(app="maintenance").latest("name").delete()
        response = client.get("/health/ready")
        assert response.status_code == 503
        assert response.json()["reason"].endswith("are not applied to 'default': run manage.py migrate.")

    def test_once_migrated_it_asks_only_whether_the_database_answers(
        self, client: Client, django_assert_num_queries: Any
    ) -> None:
        client.get("/health/ready")
        with django_assert_num_queries(1):
            assert client.get("/health/ready").status_code == 200

    def test_a_database_that_does_not_answer_is_the_reason_without_its_words(self, client: Client) -> None:
        with no_database():
            response = client.get("/health/ready")
        assert response.status_code == 503
        assert response.json()["reason"] == "The database 'default' cannot be reached (DatabaseError)."


@pytest.mark.django_db
class TestHealth:
    def test_an_anonymous_caller_is_told_the_status_alone(self, client: Client) -> None:
        response = client.get("/health/")
        assert (response.status_code, response.json()) == (200, {"status": "healthy"})

    def test_a_user_without_the_permission_is_too(self, django_user_model: Any) -> None:
        assert a_user(django_user_model).get("/health/").json() == {"status": "healthy"}

    def test_who_may_see_runs_sees_all(self, django_user_model: Any, make_tokens: Callable[..., Any]) -> None:
        make_tokens(live=2)
        content = a_user(django_user_model, "view_run").get("/health/").json()
        assert content["checks"]["active_tokens"] == 2
        assert {"key", "level", "message", "since", "run", "schedule"} == set(content["findings"][0])

    @with_token
    @pytest.mark.parametrize(
        ("given", "is_told"),
        [
            ("Bearer the monitoring token", True),
            ("bearer the monitoring token", True),
            ("Bearer another", False),
            ("Bearer ", False),
            ("Basic the monitoring token", False),
        ],
    )
    def test_the_monitoring_token_opens_it(self, client: Client, given: str, is_told: bool) -> None:
        content = client.get("/health/", headers={"Authorization": given}).json()
        assert ("checks" in content) is is_told

    def test_no_token_is_no_token_that_opens_it(self, client: Client) -> None:
        for given in ("Bearer ", "Bearer None"):
            assert "checks" not in client.get("/health/", headers={"Authorization": given}).json()

    def test_a_warning_is_200_and_unhealthy_503(self, client: Client) -> None:
        MigrationRecorder.Migration.objects.filter(app="maintenance").update(
            applied=timezone.now() - timedelta(days=3)
        )
        response = client.get("/health/")
        assert (response.status_code, response.json()) == (200, {"status": "warning"})
        a_run_waits()
        forget_health()
        response = client.get("/health/")
        assert (response.status_code, response.json()) == (503, {"status": "unhealthy"})

    @with_token
    def test_without_a_database_it_is_unhealthy_and_no_error(
        self, client: Client, django_user_model: Any
    ) -> None:
        logged_in = a_user(django_user_model, "view_run")
        with no_database():
            assert (client.get("/health/").status_code, logged_in.get("/health/").status_code) == (503, 503)
            content = client.get("/health/", headers=SECRET).json()
            assert client.get("/metrics", headers=SECRET).status_code == 503
            assert logged_in.get("/metrics").status_code == 401
        assert (content["status"], content["checks"]) == ("unhealthy", {})
        (finding,) = content["findings"]
        assert finding["key"] == "database_unreachable"
        assert "db.internal" not in finding["message"]


@pytest.mark.django_db
class TestMetrics:
    def test_they_are_for_who_may_see_them(self, client: Client, django_user_model: Any) -> None:
        response = client.get("/metrics")
        assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="maintenance"')
        assert a_user(django_user_model).get("/metrics").status_code == 403

    @with_token
    def test_the_monitoring_token_opens_them(self, client: Client) -> None:
        response = client.get("/metrics", headers=SECRET)
        assert response.status_code == 200
        assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert b'maintenance_health_status{status="healthy"} 1.0' in response.content

    def test_posting_is_no_way_in(self, client: Client) -> None:
        for path in ("/health/", "/health/live", "/health/ready", "/metrics", "/audit/export/csv"):
            assert client.post(path).status_code == 405
