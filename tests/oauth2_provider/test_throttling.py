"""Endpoints that are asked too often (RFC 6749 section 2.3.1, RFC 6585 section 4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from oauth2_provider.models import Application
from oauth2_provider.throttling import Rate, find_rate, seconds_to_wait

from .conftest import RegisteredClient


@pytest.fixture(autouse=True)
def _nobody_counted() -> None:
    cache.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the time."""

    def set_time(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: seconds)

    return set_time


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(requests=60, seconds=60)),
        ("5/s", Rate(requests=5, seconds=1)),
        ("1000/day", Rate(requests=1000, seconds=86400)),
        (None, None),
    ],
)
def test_a_rate_is_written_as_number_and_period(settings: Any, text: str | None, rate: Rate | None) -> None:
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"token": text}}
    assert find_rate("token") == rate
    assert find_rate("revoke") is None


@pytest.mark.parametrize("text", ["60", "60/fortnight", "-1/minute", "minute"])
def test_another_writing_is_refused(settings: Any, text: str) -> None:
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"token": text}}
    with pytest.raises(ImproperlyConfigured, match="write a number"):
        find_rate("token")


def test_a_caller_waits_for_the_next_window(settings: Any, clock: Callable[[float], None]) -> None:
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"token": "2/minute"}}
    clock(6010)
    assert [seconds_to_wait("token", "a") for _ in range(3)] == [0, 0, 50]
    assert seconds_to_wait("token", "b") == 0
    clock(6060)
    assert seconds_to_wait("token", "a") == 0


@pytest.mark.parametrize("path", ["token", "revoke_token", "introspect"])
def test_an_endpoint_answers_429_to_who_guesses(
    client: Client, register: Callable[..., RegisteredClient], settings: Any, path: str
) -> None:
    rates = {"token": "2/hour", "revoke": "2/hour", "introspect": "2/hour"}
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": rates}
    registered = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    request = {"grant_type": "client_credentials", "token": "x"}
    guess = RegisteredClient(application=registered.application, secret="guess").basic
    answers = [client.post(f"/o/{path}/", request, headers={"authorization": guess}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {401}
    refused = client.post(f"/o/{path}/", request, headers={"authorization": registered.basic})
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(refused["Retry-After"]) <= 3600
    other = register(client_id="other", authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    assert client.post(f"/o/{path}/", request, headers={"authorization": other.basic}).status_code == 200
