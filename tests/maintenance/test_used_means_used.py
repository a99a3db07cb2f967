"""Months of a site's life: what clear_expired takes away every night is no reason to take an application away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client, override_settings

from maintenance import runs
from maintenance.operations import cleanup_inactive_applications
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken, Application
from tests.oauth2_provider.credentials import make_client

SECRET = "a secret"
BEGINNING = datetime(2026, 1, 1, 12, tzinfo=UTC)


@contextmanager
def on_day(number: int) -> Iterator[datetime]:
    """Let it be noon of that day."""
    now = BEGINNING + timedelta(days=number)
    with patch("django.utils.timezone.now", return_value=now):
        yield now


def register(client_id: str) -> Application:
    return make_client(
        client_id,
        client_secret=SECRET,
        hash_client_secret=False,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )


def get_token(client_id: str) -> None:
    answer = Client().post(
        "/o/token/",
        {"grant_type": "client_credentials", "client_id": client_id, "client_secret": SECRET},
    )
    assert answer.status_code == 200, answer.content


def give_registration_token(application: Application) -> Any:
    return AccessToken.objects.create(
        token=f"registration {application.pk}",
        application=application,
        scope="oauth2_provider:registration",
        expires=datetime(9999, 12, 31, tzinfo=UTC),
    )


@pytest.mark.django_db
@override_settings(OAUTH2_PROVIDER={"ACCESS_TOKEN_EXPIRE_SECONDS": 3600})
def test_one_token_a_week_keeps_an_application_for_months_and_a_registration_token_does_not() -> None:
    with on_day(0):
        for name in ("weekly", "once", "never"):
            register(name)
        give_registration_token(register("registered"))
        get_token("once")
    removed: dict[str, int] = {}
    for day in range(1, 200):
        with on_day(day):
            if day % 7 == 0:
                get_token("weekly")
        with on_day(day + 1):
            run_here(runs.enqueue("clear_expired"))
            # nothing of any application is left but the registration token, while it stays itself
            assert AccessToken.objects.count() == int("registered" not in removed)
            if day % 7 == 3:
                for row in cleanup_inactive_applications(days=90):
                    assert row["deleted"], row
                    removed[row["client_id"]] = day + 1
    assert list(Application.objects.values_list("client_id", flat=True)) == ["weekly"]
    assert sorted(removed) == ["never", "once", "registered"]
    # within a week after their time: 30 days for what nobody ever used, 90 for what was used
    assert removed["never"] == removed["registered"]
    assert 30 < removed["never"] <= 38
    assert 90 < removed["once"] <= 98


@pytest.mark.django_db
def test_tokens_from_before_the_mark_was_kept_leave_it_when_they_are_cleared() -> None:
    with on_day(0):
        application = register("taken over")
    with on_day(300):
        AccessToken.objects.create(
            token="old", application=application, expires=BEGINNING + timedelta(days=300, hours=1)
        )
    with on_day(301):
        run_here(runs.enqueue("clear_expired"))
        assert not AccessToken.objects.exists()
        assert cleanup_inactive_applications(days=90) == []
    application.refresh_from_db()
    assert application.last_used == BEGINNING + timedelta(days=300)
    with on_day(391):
        [row] = cleanup_inactive_applications(days=90)
    assert (row["client_id"], row["deleted"], row["reason"]) == ("taken over", True, "dormant")
