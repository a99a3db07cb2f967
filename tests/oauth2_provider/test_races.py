"""Clients that race with one credential: exactly one wins, nobody gets a 500, nothing deadlocks (RFC 6749, 9700)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows import signing_keys
from oauth2_provider.models import AccessToken, Application, DeviceGrant, Grant, RefreshToken, SigningKey
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

RACERS = 4


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run each action in a thread with a connection of its own; returns what they returned."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [pool.submit(run, action) for action in actions]
        return [future.result(timeout=60) for future in futures]


@pytest.fixture
def registered(engine: EngineDatabase) -> RegisteredClient:
    application = Application(
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=REDIRECT_URI,
    )
    secret = application.client_secret
    application.save()
    return RegisteredClient(application=application, secret=secret)


@pytest.fixture
def code(registered: RegisteredClient) -> str:
    Grant.objects.create(
        user=get_user_model().objects.create_user("someone"),
        code="a code",
        application=registered.application,
        expires=timezone.now() + timedelta(minutes=1),
        redirect_uri=REDIRECT_URI,
        scope="read write",
        code_challenge=CHALLENGE,
        code_challenge_method="S256",
    )
    return "a code"


@pytest.fixture
def device_code(registered: RegisteredClient) -> str:
    """A device code that someone has authorized."""
    Application.objects.update(authorization_grant_type=Application.GRANT_DEVICE_CODE)
    DeviceGrant.objects.create(
        user=get_user_model().objects.create_user("someone"),
        device_code="a device code",
        user_code="CODE",
        client_id=registered.application.client_id,
        status=DeviceGrant.AUTHORIZED,
        expires=timezone.now() + timedelta(minutes=1),
        scope="read",
    )
    return "a device code"


def ask(registered: RegisteredClient, **parameters: str) -> Any:
    return Client().post("/o/token/", parameters, headers={"authorization": registered.basic})


def redeem(registered: RegisteredClient, code: str) -> Any:
    return ask(
        registered,
        grant_type="authorization_code",
        code=code,
        redirect_uri=REDIRECT_URI,
        code_verifier=VERIFIER,
    )


def refresh(registered: RegisteredClient, refresh_token: str) -> Any:
    return ask(registered, grant_type="refresh_token", refresh_token=refresh_token)


def outcome(answers: list[Any]) -> list[tuple[int, str | None]]:
    return sorted((answer.status_code, answer.json().get("error")) for answer in answers)


ONE_WINS = [(200, None), *[(400, "invalid_grant")] * (RACERS - 1)]


@on_every_engine
def test_a_code_is_redeemed_once(engine: EngineDatabase, registered: RegisteredClient, code: str) -> None:
    """RFC 6749 section 4.1.2: the client MUST NOT use the authorization code more than once."""
    answers = at_once(*[lambda: redeem(registered, code)] * RACERS)
    assert outcome(answers) == ONE_WINS
    assert RefreshToken.objects.count() == 1


@on_every_engine
def test_a_refresh_token_rotates_once(
    engine: EngineDatabase, registered: RegisteredClient, code: str
) -> None:
    """RFC 9700 section 4.14.2."""
    refresh_token = redeem(registered, code).json()["refresh_token"]
    answers = at_once(*[lambda: refresh(registered, refresh_token)] * RACERS)
    assert outcome(answers) == ONE_WINS
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert AccessToken.objects.get().token == winner["access_token"]
    assert refresh(registered, winner["refresh_token"]).status_code == 200


@on_every_engine
def test_a_device_code_is_used_once(
    engine: EngineDatabase, registered: RegisteredClient, device_code: str
) -> None:
    """RFC 8628 section 3.5: one approval, one set of tokens, however many polls come at once."""
    device = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device_code}
    answers = at_once(*[lambda: ask(registered, **device)] * RACERS)
    assert outcome(answers) == ONE_WINS
    assert AccessToken.objects.count() == RefreshToken.objects.count() == 1


@on_every_engine
def test_a_user_code_is_one_users(
    engine: EngineDatabase, registered: RegisteredClient, device_code: str
) -> None:
    """RFC 8628 section 5.4: who enters the code is who answers."""
    DeviceGrant.objects.update(status=DeviceGrant.AUTHORIZATION_PENDING, user=None)

    def enter(name: str) -> Any:
        client = Client()
        client.force_login(get_user_model().objects.create_user(name))
        return lambda: client.post("/o/device/", {"user_code": "CODE"})

    answers = at_once(*[enter(f"user {number}") for number in range(RACERS)])
    assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [302]


@on_every_engine
def test_a_device_grant_is_answered_once(
    engine: EngineDatabase, registered: RegisteredClient, device_code: str
) -> None:
    DeviceGrant.objects.update(status=DeviceGrant.AUTHORIZATION_PENDING)
    user = get_user_model().objects.get()
    question = f"/o/device-confirm/{registered.application.client_id}/CODE"

    def say(action: str) -> Any:
        client = Client()
        client.force_login(user)
        return lambda: client.post(question, {"action": action})

    answers = at_once(say("accept"), say("deny"), say("accept"), say("deny"))
    assert {answer.status_code for answer in answers} == {302}
    assert DeviceGrant.objects.get().status in (DeviceGrant.AUTHORIZED, DeviceGrant.DENIED)


@on_servers
def test_within_the_grace_period_all_get_what_the_winner_got(
    engine: EngineDatabase, registered: RegisteredClient, code: str, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 60}
    refresh_token = redeem(registered, code).json()["refresh_token"]
    answers = at_once(*[lambda: refresh(registered, refresh_token)] * RACERS)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert RefreshToken.objects.filter(revoked=None).count() == 1


@on_servers
def test_a_token_that_does_not_rotate_can_be_used_at_once(
    engine: EngineDatabase, registered: RegisteredClient, code: str, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"ROTATE_REFRESH_TOKEN": False}
    refresh_token = redeem(registered, code).json()["refresh_token"]
    answers = at_once(*[lambda: refresh(registered, refresh_token)] * RACERS)
    assert {answer.status_code for answer in answers} == {200}
    assert AccessToken.objects.get().token in {answer.json()["access_token"] for answer in answers}


@on_servers
@pytest.mark.parametrize("attempt", range(5))
def test_a_replayed_code_ends_a_family_that_is_rotating(
    engine: EngineDatabase, registered: RegisteredClient, code: str, attempt: int
) -> None:
    """RFC 6749 section 4.1.2: SHOULD revoke all tokens previously issued based on that authorization code."""
    refresh_token = redeem(registered, code).json()["refresh_token"]
    rotated, replayed = at_once(lambda: refresh(registered, refresh_token), lambda: redeem(registered, code))
    assert rotated.status_code in (200, 400)
    assert (replayed.status_code, replayed.json()) == (400, {"error": "invalid_grant"})
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert not AccessToken.objects.exists()


@on_servers
@pytest.mark.parametrize("attempt", range(5))
def test_revoking_races_with_refreshing(
    engine: EngineDatabase, registered: RegisteredClient, code: str, attempt: int
) -> None:
    """RFC 7009 section 2: whichever comes first, neither fails."""
    tokens = redeem(registered, code).json()

    def revoke(token: str) -> Any:
        return Client().post(
            "/o/revoke_token/", {"token": token}, headers={"authorization": registered.basic}
        )

    refreshed, *revoked = at_once(
        lambda: refresh(registered, tokens["refresh_token"]),
        lambda: revoke(tokens["access_token"]),
        lambda: revoke(tokens["refresh_token"]),
    )
    assert refreshed.status_code in (200, 400)
    assert [answer.status_code for answer in revoked] == [200, 200]
    assert RefreshToken.objects.exclude(revoked=None).exists()


@on_every_engine
def test_of_runs_that_make_a_first_key_one_makes_the_key_that_signs(engine: EngineDatabase) -> None:
    """OpenID Connect Core 1.0 section 10.1.1: the key that signs is decided by the server, once."""
    keys = at_once(*[lambda: signing_keys.create_key("ES256")] * RACERS)
    assert sorted(key.state for key in keys) == ["active", *["next"] * (RACERS - 1)]
    assert sorted(key.state for key in SigningKey.objects.all()) == ["active", *["next"] * (RACERS - 1)]


@on_every_engine
@pytest.mark.parametrize("waiting", [1, 3])
def test_of_runs_that_rotate_never_two_have_a_key_sign(engine: EngineDatabase, waiting: int) -> None:
    """OpenID Connect Core 1.0 section 10.1.1."""
    for _ in range(1 + waiting):
        signing_keys.create_key("ES256")

    def rotate() -> str:
        try:
            return signing_keys.rotate("ES256", keep=timedelta(days=30), is_forced=True).kid
        except signing_keys.NothingToRotate:
            return ""

    signed = at_once(*[rotate] * RACERS)
    active = SigningKey.objects.active("ES256").get()
    assert active.kid in signed
    assert SigningKey.objects.next("ES256").exists()
    won = [kid for kid in signed if kid]
    assert len(set(won)) == len(won)
    # each rotation that was asked for has used up one next key, and retired the one before it
    assert SigningKey.objects.filter(retired__isnull=False).count() == len(won)


@on_every_engine
def test_a_second_key_that_signs_cannot_be_stored(engine: EngineDatabase) -> None:
    keys = [signing_keys.create_key("ES256") for _ in range(2)]
    assert signing_keys.create_key("EdDSA").state == "active"
    with pytest.raises(IntegrityError):
        SigningKey.objects.filter(pk=keys[1].pk).update(activated=timezone.now())
    assert SigningKey.objects.active("ES256").get() == keys[0]
