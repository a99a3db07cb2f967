"""Refreshing: scope, rotation, grace, reuse (RFC 6749 section 6, RFC 9700 section 4.14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, RefreshToken, token_checksum

from .conftest import RegisteredClient

Refresh = Callable[..., Any]


@pytest.fixture
def registered(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    return register()


@pytest.fixture
def refresh(client: Client, registered: RegisteredClient) -> Refresh:
    """Return a function that presents a refresh token."""

    def present(refresh_token: str, **parameters: Any) -> Any:
        return client.post(
            "/o/token/",
            {"grant_type": "refresh_token", "refresh_token": refresh_token, **parameters},
            headers={"authorization": registered.basic},
        )

    return present


def stored(tokens: dict[str, Any]) -> RefreshToken:
    return RefreshToken.objects.get(token_checksum=token_checksum(tokens["refresh_token"]))


def test_narrowing_the_scope_does_not_narrow_the_refresh_token(
    registered: RegisteredClient, exchange: Any, refresh: Refresh
) -> None:
    """RFC 6749 section 6: the refresh token scope MUST be identical to that of the one in the request."""
    narrow = refresh(exchange(registered)["refresh_token"], scope="read").json()
    assert narrow["scope"] == "read"
    assert refresh(narrow["refresh_token"]).json()["scope"] == "read write"


def test_a_refresh_token_of_before_has_the_scope_of_its_access_token(
    registered: RegisteredClient, exchange: Any, refresh: Refresh
) -> None:
    tokens = exchange(registered, scope="read")
    RefreshToken.objects.update(scope=None)
    refreshed = refresh(tokens["refresh_token"]).json()
    assert refreshed["scope"] == "read"
    assert stored(refreshed).scope == "read"


def test_no_scope_is_added(registered: RegisteredClient, exchange: Any, refresh: Refresh) -> None:
    """RFC 6749 section 6: MUST NOT include any scope not originally granted by the resource owner."""
    answer = refresh(exchange(registered, scope="read")["refresh_token"], scope="read write")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_refresh_token_is_bound_to_its_client(
    register: Any, registered: RegisteredClient, exchange: Any, client: Client
) -> None:
    """RFC 6749 sections 6 and 10.4: MUST maintain the binding between a refresh token and the client."""
    tokens = exchange(registered)
    thief = register(client_id="thief")
    answer = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": thief.basic},
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert stored(tokens).revoked is None


def test_a_confidential_client_must_authenticate(
    registered: RegisteredClient, exchange: Any, client: Client
) -> None:
    """RFC 6749 section 6: require client authentication for confidential clients."""
    tokens = exchange(registered)
    request = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": registered.application.client_id,
    }
    answer = client.post("/o/token/", request)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_inactive_users_token_is_refused(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, user: Any
) -> None:
    tokens = exchange(registered)
    user.is_active = False
    user.save()
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_an_idle_refresh_token_expires(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_EXPIRE_SECONDS": 60}
    tokens = exchange(registered)
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=61))
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=50))
    assert refresh(tokens["refresh_token"]).status_code == 200


def test_a_token_that_does_not_rotate_goes_on(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"ROTATE_REFRESH_TOKEN": False}
    tokens = exchange(registered)
    narrow = refresh(tokens["refresh_token"], scope="read").json()
    wide = refresh(tokens["refresh_token"]).json()
    assert [answer["refresh_token"] for answer in (narrow, wide)] == [tokens["refresh_token"]] * 2
    assert (narrow["scope"], wide["scope"]) == ("read", "read write")
    assert AccessToken.objects.get().token == wide["access_token"]
    AccessToken.objects.all().delete()  # as an administrator does
    assert refresh(tokens["refresh_token"]).status_code == 200
    assert stored(tokens).access_token == AccessToken.objects.get()


def test_a_token_in_its_grace_period_gets_the_tokens_that_took_its_place(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 60}
    tokens = exchange(registered)
    first, again = (refresh(tokens["refresh_token"]).json() for _ in range(2))
    assert (again["access_token"], again["refresh_token"]) == (first["access_token"], first["refresh_token"])
    assert 0 < again["expires_in"] <= first["expires_in"]
    assert RefreshToken.objects.count() == 2
    RefreshToken.objects.filter(pk=stored(tokens).pk).update(revoked=timezone.now() - timedelta(seconds=61))
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_a_revoked_token_has_no_grace(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 60}
    tokens = exchange(registered)
    stored(tokens).revoke()
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("has_family", [True, False], ids=["family", "token from before families"])
def test_a_replayed_refresh_token_revokes_its_family(
    registered: RegisteredClient, exchange: Any, refresh: Refresh, settings: Any, has_family: bool
) -> None:
    """RFC 9700 section 4.14.2."""
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_REUSE_PROTECTION": True}
    tokens = exchange(registered)
    if not has_family:
        RefreshToken.objects.update(token_family=None)
    second = refresh(tokens["refresh_token"]).json()
    third = refresh(second["refresh_token"]).json()
    other = exchange(registered)
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert refresh(third["refresh_token"]).json() == {"error": "invalid_grant"}
    assert AccessToken.objects.get().token == other["access_token"]


def test_without_reuse_protection_a_replay_is_only_refused(
    registered: RegisteredClient, exchange: Any, refresh: Refresh
) -> None:
    tokens = exchange(registered)
    second = refresh(tokens["refresh_token"]).json()
    assert refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert refresh(second["refresh_token"]).status_code == 200


def test_a_public_client_refreshes_by_its_id(register: Any, exchange: Any, client: Client) -> None:
    registered = register(client_type=Application.CLIENT_PUBLIC)
    request = {
        "grant_type": "refresh_token",
        "refresh_token": exchange(registered)["refresh_token"],
        "client_id": registered.application.client_id,
    }
    assert client.post("/o/token/", request).status_code == 200
