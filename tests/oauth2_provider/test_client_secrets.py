"""Several secrets of one client: an overlap while they rotate, an end, no telling from the outside which there are."""

from __future__ import annotations

import base64
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from oauth2_provider.flows.client_secrets import (
    LIVE_AT_MOST,
    SecretIsNeeded,
    TooManySecrets,
    add_client_secret,
    revoke_client_secret,
    revoke_own_secret,
)
from oauth2_provider.flows.inactive_applications import delete_applications
from oauth2_provider.generators import is_generated_secret
from oauth2_provider.models import Application, ClientSecret
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers

from .conftest import RegisteredClient
from .counting_hasher import COUNTING_HASHER, hashes_in
from .credentials import make_client

CHOSEN = "chosen by a person"


@pytest.fixture
def machine(register: Any) -> RegisteredClient:
    return register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)


def ask(client: Client, client_id: str, secret: str) -> Any:
    credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}"}
    return client.post("/o/token/", {"grant_type": "client_credentials"}, headers=headers)


def works(client: Client, application: Application, secret: str) -> bool:
    answer = ask(client, application.client_id, secret)
    assert (answer.status_code, answer.json().get("error")) in ((200, None), (401, "invalid_client"))
    return answer.status_code == 200


def make_confidential(client_id: str = "confidential", **fields: Any) -> Application:
    return make_client(client_id, client_type="confidential", **{"client_secret": CHOSEN, **fields})


def test_a_secret_is_rotated_without_an_interruption(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 2.3.1; both work until the old one is revoked."""
    application = machine.application
    made = add_client_secret(application, name="the new server")
    assert is_generated_secret(made.secret)
    assert all(works(client, application, secret) for secret in (machine.secret, made.secret))
    revoke_own_secret(application)
    assert not works(client, application, machine.secret)
    assert works(client, application, made.secret)
    assert not works(client, application, "")
    again = add_client_secret(application, name="the newest server")
    revoke_client_secret(made.row)
    assert not works(client, application, made.secret)
    assert works(client, application, again.secret)


def test_a_secret_works_in_the_body_too(client: Client, machine: RegisteredClient) -> None:
    made = add_client_secret(machine.application, name="another")
    body = {"client_id": machine.application.client_id, "client_secret": made.secret}
    assert client.post("/o/token/", {"grant_type": "client_credentials", **body}).status_code == 200


def test_an_expired_secret_is_refused(client: Client, machine: RegisteredClient) -> None:
    made = add_client_secret(machine.application, name="ending", expires=timezone.now() + timedelta(hours=1))
    assert works(client, machine.application, made.secret)
    ClientSecret.objects.update(expires=timezone.now())
    assert not works(client, machine.application, made.secret)
    assert works(client, machine.application, machine.secret)


def test_a_secret_is_its_clients_only(client: Client, machine: RegisteredClient, register: Any) -> None:
    made = add_client_secret(machine.application, name="mine")
    other = register(client_id="other", authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    assert not works(client, other.application, made.secret)


def test_a_public_client_has_no_use_for_one(client: Client, register: Any) -> None:
    """RFC 6749 section 4.4: MUST only be used by confidential clients."""
    public = register(
        client_type=Application.CLIENT_PUBLIC, authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS
    )
    made = add_client_secret(public.application, name="left over")
    assert not works(client, public.application, made.secret)
    assert ClientSecret.objects.get().last_used is None


def test_the_registered_method_counts_for_each_secret(client: Client, register: Any) -> None:
    """RFC 7591 section 2, token_endpoint_auth_method."""
    registered = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="client_secret_post",
    )
    made = add_client_secret(registered.application, name="another")
    assert not works(client, registered.application, made.secret)


def test_use_is_noted_to_the_hour(client: Client, machine: RegisteredClient) -> None:
    made = add_client_secret(machine.application, name="used")
    works(client, machine.application, machine.secret)
    works(client, machine.application, "wrong")
    assert ClientSecret.objects.get().last_used is None
    works(client, machine.application, made.secret)
    first = ClientSecret.objects.get().last_used
    works(client, machine.application, made.secret)
    assert timezone.now() - first < timedelta(minutes=1)
    assert ClientSecret.objects.get().last_used == first
    ClientSecret.objects.update(last_used=first - timedelta(hours=1))
    works(client, machine.application, made.secret)
    assert ClientSecret.objects.get().last_used > first


def test_the_first_secret_costs_no_statement_more(client: Client, machine: RegisteredClient) -> None:
    """SQL of the token endpoint: the further secrets are looked at when the first does not match, and not before."""

    def statements(client_id: str, secret: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            ask(client, client_id, secret)
        return [query["sql"] for query in captured if "clientsecret" in query["sql"]]

    for _ in range(3):
        add_client_secret(machine.application, name="another")
    assert statements(machine.application.client_id, machine.secret) == []
    wrong = statements(machine.application.client_id, "wrong")
    unknown = statements("unknown", "wrong")
    assert len(wrong) == len(unknown) == 1
    assert (
        wrong[0].replace(machine.application.client_id, "unknown").split("expires")[0]
        == unknown[0].split("expires")[0]
    )


def test_failing_costs_the_same_whoever_the_client_is_and_however_many_secrets_it_has(
    client: Client, register: Any, settings: Any
) -> None:
    """The time of an answer must not tell which clients there are, whichever hasher the site has chosen."""
    settings.PASSWORD_HASHERS = [COUNTING_HASHER]
    settings.OAUTH2_PROVIDER = {"CLIENT_SECRET_HASHER": "pbkdf2_sha256"}
    fields = {"authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS}
    plain = register(client_id="plain", **fields)
    rotating = register(client_id="rotating", client_secret=CHOSEN, **fields)
    emptied = register(client_id="emptied", client_secret=CHOSEN, **fields)
    made = [
        add_client_secret(registered.application, name=str(number))
        for registered in (rotating, emptied)
        for number in range(LIVE_AT_MOST)
    ]
    revoke_own_secret(emptied.application)

    def cost(client_id: str, secret: str, status: int) -> float:
        def present() -> None:
            assert ask(client, client_id, secret).status_code == status

        return hashes_in(present)

    names = ("unknown", plain.application.client_id, "rotating", "emptied")
    assert [cost(name, "wrong", 401) for name in names] == [1, 1, 1, 1]
    assert cost("emptied", made[-1].secret, 200) == 0


def test_every_secret_is_compared_in_constant_time(
    client: Client, machine: RegisteredClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a success must tell neither which secret it was nor how much of it was right."""
    compared: list[str] = []

    def compare(one: str, other: str) -> bool:
        compared.append(other)
        return constant_time_compare(one, other)

    made = [add_client_secret(machine.application, name=str(number)) for number in range(3)]
    monkeypatch.setattr("oauth2_provider.hashers.constant_time_compare", compare)
    assert works(client, machine.application, made[0].secret)
    machine.application.refresh_from_db()
    stored = [machine.application.client_secret, *(each.row.secret_hash for each in made)]
    assert sorted(compared) == sorted(stored)


@pytest.mark.parametrize("hasher", ["default", "md5"])
def test_it_is_stored_as_a_fast_salted_hash_whatever_the_hasher_of_chosen_ones(
    db: None, settings: Any, hasher: str
) -> None:
    settings.OAUTH2_PROVIDER = {"CLIENT_SECRET_HASHER": hasher}
    made = add_client_secret(make_confidential(), name="stored")
    stored = ClientSecret.objects.values().get()
    assert stored["secret_hash"].startswith("generated_sha256$")
    assert made.secret not in str(stored)


@pytest.mark.parametrize("length", [1, 37, 38, 128])
def test_it_has_128_bits_of_its_own_however_short_the_sites_secrets_are(
    db: None, settings: Any, length: int
) -> None:
    settings.OAUTH2_PROVIDER = {"CLIENT_SECRET_GENERATOR_LENGTH": length}
    made = add_client_secret(make_confidential(), name="long enough")
    assert len(made.secret) >= 38
    assert is_generated_secret(made.secret)


def test_there_is_a_limit_to_live_ones(db: None) -> None:
    application = make_confidential()
    for number in range(LIVE_AT_MOST):
        add_client_secret(application, name=str(number))
    with pytest.raises(TooManySecrets):
        add_client_secret(application, name="one too many")
    ClientSecret.objects.filter(name="0").update(expires=timezone.now())
    add_client_secret(application, name="in its place")


@on_servers
def test_two_requests_cannot_pass_the_limit(engine: EngineDatabase) -> None:
    application = make_confidential()
    for number in range(LIVE_AT_MOST - 1):
        add_client_secret(application, name=str(number))
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def add() -> None:
        start.wait()
        try:
            add_client_secret(application, name="racing")
            outcomes.append("added")
        except TooManySecrets:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added", "refused", "refused", "refused"]


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithm": "HS256", "hash_client_secret": False},
        {"token_endpoint_auth_method": "client_secret_jwt", "hash_client_secret": False},
        {"client_secret": ""},
    ],
    ids=str,
)
def test_the_first_secret_stays_where_it_is_needed(db: None, fields: dict[str, Any]) -> None:
    application = make_confidential(**fields)
    add_client_secret(application, name="another")
    with pytest.raises(SecretIsNeeded):
        revoke_own_secret(application)


def test_the_first_secret_stays_while_no_other_works(db: None) -> None:
    application = make_confidential()
    with pytest.raises(SecretIsNeeded):
        revoke_own_secret(application)
    add_client_secret(application, name="over", expires=timezone.now())
    with pytest.raises(SecretIsNeeded):
        revoke_own_secret(application)
    application.refresh_from_db()
    assert application.client_secret != ""


@on_every_engine
def test_secrets_go_with_their_application(engine: EngineDatabase) -> None:
    going, staying = make_confidential("going"), make_confidential("staying")
    for application in (going, staying):
        add_client_secret(application, name=application.client_id)
    counts = delete_applications([going])
    assert counts == {ClientSecret._meta.db_table: 1, Application._meta.db_table: 1}
    assert ClientSecret.objects.get().name == "staying"
