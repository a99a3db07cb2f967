"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import RegisteredClient

Register = Callable[..., RegisteredClient]


def revoke(client: Client, registered: RegisteredClient, token: str, **parameters: str) -> Any:
    request = {"token": token, **parameters}
    return client.post("/o/revoke_token/", request, headers={"authorization": registered.basic})


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unheard_of"])
def test_a_token_is_revoked_whatever_the_hint(
    client: Client, register: Register, exchange: Any, kind: str, hint: str | None
) -> None:
    """RFC 7009 section 2.1: MUST extend its search across all of its supported token types."""
    registered = register()
    tokens = exchange(registered)
    answer = revoke(client, registered, tokens[kind], **({"token_type_hint": hint} if hint else {}))
    assert (answer.status_code, answer.content) == (200, b"")
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked__isnull=True).exists()
    refreshed = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": registered.basic},
    )
    assert refreshed.json() == {"error": "invalid_grant"}


def test_an_unknown_token_is_no_error(client: Client, register: Register) -> None:
    """RFC 7009 section 2.2: invalid tokens do not cause an error response."""
    assert revoke(client, register(), "unknown").status_code == 200


def test_a_token_revoked_twice_is_no_error(client: Client, register: Register, exchange: Any) -> None:
    registered = register()
    tokens = exchange(registered)
    answers = [revoke(client, registered, tokens["refresh_token"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_anothers_token_is_refused(client: Client, register: Register, exchange: Any) -> None:
    """RFC 7009 section 2.1: if this validation fails, the request is refused and the client is informed."""
    tokens = exchange(register())
    stranger = register(client_id="stranger")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = revoke(client, stranger, token)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert AccessToken.objects.exists()
    assert RefreshToken.objects.get().revoked is None


def test_a_confidential_client_must_authenticate(client: Client, register: Register, exchange: Any) -> None:
    """RFC 7009 section 2.1: first validates the client credentials."""
    registered = register()
    request = {
        "token": exchange(registered)["access_token"],
        "client_id": registered.application.client_id,
    }
    answer = client.post("/o/revoke_token/", request)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert AccessToken.objects.exists()


def test_a_public_client_revokes_by_its_id(client: Client, register: Register, exchange: Any) -> None:
    registered = register(client_type=Application.CLIENT_PUBLIC)
    request = {"token": exchange(registered)["refresh_token"], "client_id": registered.application.client_id}
    assert client.post("/o/revoke_token/", request).status_code == 200
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "request_body",
    [{}, {"token": ""}, {"token": ["a", "b"]}, {"token": "a\x00"}],
    ids=str,
)
def test_a_malformed_request_is_an_invalid_request(
    client: Client, register: Register, request_body: dict[str, Any]
) -> None:
    """RFC 7009 section 2.2.1."""
    headers = {"authorization": register().basic}
    answer = client.post("/o/revoke_token/", request_body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert client.get("/o/revoke_token/", request_body, headers=headers).status_code == 405
