"""The resource owner password grant, and the gate that closes it (RFC 6749 section 4.3, RFC 9700 section 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application

from .conftest import RegisteredClient

Register = Callable[..., RegisteredClient]


@pytest.fixture
def trusted(register: Register) -> RegisteredClient:
    return register(authorization_grant_type=Application.GRANT_PASSWORD)


def ask(client: Client, registered: RegisteredClient, **parameters: str) -> Any:
    request = {"grant_type": "password", "username": "someone", "password": "a password", **parameters}
    return client.post("/o/token/", request, headers={"authorization": registered.basic})


def test_the_right_password_gets_tokens(client: Client, user: Any, trusted: RegisteredClient) -> None:
    """RFC 6749 section 4.3.3."""
    answer = ask(client, trusted)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert AccessToken.objects.get().user == user


@pytest.mark.parametrize(
    "parameters",
    [{"password": "wrong"}, {"username": "nobody"}, {"username": "some\u00eb"}],
    ids=str,
)
def test_the_wrong_password_is_an_invalid_grant(
    client: Client, user: Any, trusted: RegisteredClient, parameters: dict[str, str]
) -> None:
    """RFC 6749 sections 4.3.2 (MUST validate the credentials) and 5.2."""
    answer = ask(client, trusted, **parameters)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_an_inactive_user_is_refused(client: Client, user: Any, trusted: RegisteredClient) -> None:
    user.is_active = False
    user.save()
    assert ask(client, trusted).json()["error"] == "invalid_grant"


def test_a_missing_password_is_an_invalid_request(client: Client, trusted: RegisteredClient) -> None:
    assert ask(client, trusted, password="").json()["error"] == "invalid_request"


def test_the_gate_closes_the_grant(
    client: Client, user: Any, trusted: RegisteredClient, settings: Any
) -> None:
    """RFC 9700 section 2.4: MUST NOT be used."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True}
    assert ask(client, trusted).json()["error"] == "unauthorized_client"


def test_resources_asked_for_are_kept(client: Client, user: Any, trusted: RegisteredClient) -> None:
    """RFC 8707 section 2.2."""
    ask(client, trusted, resource="https://api.example/")
    assert AccessToken.objects.get().resource == ["https://api.example/"]
