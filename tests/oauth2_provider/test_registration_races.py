"""Clients that manage one registration at the same moment: nobody gets a 500, one token is left (RFC 7592)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from oauth2_provider.models import AccessToken, Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers

from .test_dynamic_registration import MINIMAL, OPEN, post
from .test_races import at_once
from .test_registration_management import Told, bearer, put

ROUNDS = 5
MACHINE = {"grant_types": ["client_credentials"], "scope": "read"}


@pytest.fixture
def told(engine: EngineDatabase) -> Iterator[Told]:
    """What a client was told that has just registered."""
    with override_settings(OAUTH2_PROVIDER=OPEN):
        yield post(Client(), MINIMAL).json()


def delete(told: Told) -> Any:
    return Client().delete(told["registration_client_uri"], headers=bearer(told))


def read(told: Told, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return Client().get(told["registration_client_uri"], headers=headers).status_code


def puts(told: Told, *names: str) -> list[Callable[[], Any]]:
    return [lambda name=name: put(Client(), told, client_name=name) for name in names]


def assert_one_token_is_left(told: Told, winner: dict[str, Any]) -> None:
    token = winner["registration_access_token"]
    assert AccessToken.objects.get().application.client_id == told["client_id"]
    assert (read(told, token), read(told, told["registration_access_token"])) == (200, 401)


@on_every_engine
def test_of_updates_that_race_one_wins_and_has_the_token(engine: EngineDatabase, told: Told) -> None:
    """RFC 7592 section 2.2: the new token takes the place of the old one; appendix A: the old one is discarded."""
    answers = at_once(*puts(told, "one", "two", "three", "four"))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    refused = [answer for answer in answers if answer.status_code == 401]
    assert {answer.json()["error"] for answer in refused} == {"invalid_token"}
    assert all('error="invalid_token"' in answer["WWW-Authenticate"] for answer in refused)
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert Application.objects.get().name == winner["client_name"]
    assert_one_token_is_left(told, winner)


@on_servers
def test_updates_that_race_where_the_token_stays_all_succeed(engine: EngineDatabase, told: Told) -> None:
    """RFC 7592 section 2.2: each replaces all; what is stored is what one of them said, whole."""
    kept = {**OPEN, "DCR_ROTATE_REGISTRATION_TOKEN_ON_UPDATE": False}
    with override_settings(OAUTH2_PROVIDER=kept):
        answers = at_once(
            lambda: put(Client(), told, client_name="one", contacts=["one@client.example"]),
            lambda: put(Client(), told, client_name="two", contacts=["two@client.example"]),
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    stored = Application.objects.get()
    assert stored.client_metadata["contacts"] == [f"{stored.name}@client.example"]
    assert AccessToken.objects.count() == 1
    assert read(told, told["registration_access_token"]) == 200


@on_servers
@pytest.mark.parametrize("attempt", range(ROUNDS))
def test_an_update_races_with_the_end_of_the_registration(
    engine: EngineDatabase, told: Told, attempt: int
) -> None:
    """RFC 7592 sections 2.3 and 5: whoever comes first; a token never outlives its client."""
    updated, ended = at_once(*puts(told, "one"), lambda: delete(told))
    assert (updated.status_code, ended.status_code) in ((200, 401), (401, 204))
    if ended.status_code == 204:
        assert not Application.objects.exists()
        assert not AccessToken.objects.exists()
    else:
        assert_one_token_is_left(told, updated.json())


@on_servers
@pytest.mark.parametrize("attempt", range(ROUNDS))
def test_a_registration_is_ended_once(engine: EngineDatabase, told: Told, attempt: int) -> None:
    """RFC 7592 section 2.3: 204; then the client does not exist: 401."""
    answers = at_once(*[lambda: delete(told)] * 3)
    assert sorted(answer.status_code for answer in answers) == [204, 401, 401]
    assert not Application.objects.exists()


def end_as(who: str, machine: Told) -> Callable[[], Any]:
    """Return what ends the client `machine`: itself, its owner on the pages, or the admin."""
    if who == "client":
        return lambda: delete(machine)
    owner = get_user_model().objects.create_superuser("owner")
    application = Application.objects.get(client_id=machine["client_id"])
    Application.objects.filter(pk=application.pk).update(user=owner)
    browser = Client()
    browser.force_login(owner)
    if who == "owner":
        return lambda: browser.post(f"/o/applications/{application.pk}/delete/")
    return lambda: browser.post(
        f"/admin/oauth2_provider/application/{application.pk}/delete/", {"post": "yes"}
    )


@on_servers
@pytest.mark.parametrize("who", ["client", "owner", "admin"])
@pytest.mark.parametrize("attempt", range(3))
def test_a_client_is_ended_while_it_gets_tokens(
    engine: EngineDatabase, told: Told, attempt: int, who: str
) -> None:
    """RFC 7592 section 2.3: what was issued ends with the client; a token request gets a token or an error."""
    machine = post(Client(), MACHINE).json()
    credentials = f"{machine['client_id']}:{machine['client_secret']}".encode()
    headers = {"authorization": f"Basic {base64.b64encode(credentials).decode()}"}
    body = {"grant_type": "client_credentials"}
    ended, *asked = at_once(
        end_as(who, machine), *[lambda: Client().post("/o/token/", body, headers=headers)] * 3
    )
    assert ended.status_code == (204 if who == "client" else 302)
    for answer in asked:
        assert answer.status_code in (200, 400, 401), answer.content
        assert json.loads(answer.content).get("error") in (None, "invalid_client", "invalid_grant")
    assert not Application.objects.filter(client_id=machine["client_id"]).exists()
    left = AccessToken.objects.exclude(application__client_id=told["client_id"])
    assert not left.exists()
