"""Where an access token is the one row that a request stores, its INSERT is the transaction; else there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application
from oauth2_provider.oauth2_validators import OAuth2Validator
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

from .conftest import RegisteredClient

HERE = "tests.oauth2_provider.test_one_insert"


class DoesMore(OAuth2Validator):
    """A site's validator that has more to do for each access token, and fails at it."""

    def _create_access_token(self, expires: Any, request: Any, token: Any, *args: Any, **kwargs: Any) -> Any:
        super()._create_access_token(expires, request, token, *args, **kwargs)
        raise RuntimeError


class LosesTheClient(OAuth2Validator):
    """Authenticates a client that an administrator deletes right then."""

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        is_authentic = super().authenticate_client(request, *args, **kwargs)
        Application.objects.all().delete()
        return is_authentic


@pytest.fixture
def machine(engine: EngineDatabase) -> RegisteredClient:
    """A client that got a token in this hour."""
    application = Application(
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        last_used=timezone.now(),
    )
    secret = application.client_secret
    application.save()
    return RegisteredClient(application=application, secret=secret)


def ask(machine: RegisteredClient) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(
        "/o/token/", {"grant_type": "client_credentials"}, headers={"authorization": machine.basic}
    )


def verbs(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"].split()[0] for query in captured.captured_queries]


@contextmanager
def listening(receiver: Any) -> Iterator[None]:
    post_save.connect(receiver, sender=AccessToken)
    try:
        yield
    finally:
        post_save.disconnect(receiver, sender=AccessToken)


@on_every_engine
def test_client_credentials_are_one_select_and_one_insert(machine: RegisteredClient) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert ask(machine).status_code == 200
    assert verbs(captured) == ["SELECT", "INSERT"]
    assert AccessToken.objects.count() == 1


@on_every_engine
def test_the_first_use_in_an_hour_is_noted_in_one_transaction_with_the_token(
    machine: RegisteredClient,
) -> None:
    Application.objects.update(last_used=None)
    with CaptureQueriesContext(connection) as captured:
        assert ask(machine).status_code == 200
    assert [verb for verb in verbs(captured) if verb in ("BEGIN", "UPDATE", "INSERT", "COMMIT")] == [
        "BEGIN",
        "UPDATE",
        "INSERT",
        "COMMIT",
    ]


@on_every_engine
def test_a_receiver_that_fails_undoes_the_token(machine: RegisteredClient) -> None:
    def receiver(**kwargs: Any) -> None:
        raise RuntimeError

    with listening(receiver):
        assert ask(machine).status_code == 500
    assert not AccessToken.objects.exists()


@on_every_engine
def test_a_hook_of_the_sites_own_that_fails_undoes_the_token(
    machine: RegisteredClient, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_VALIDATOR_CLASS": f"{HERE}.DoesMore"}
    assert ask(machine).status_code == 500
    assert not AccessToken.objects.exists()


@on_every_engine
def test_a_client_that_goes_meanwhile_is_invalid(machine: RegisteredClient, settings: Any) -> None:
    """RFC 6749 section 5.2."""
    settings.OAUTH2_PROVIDER = {"OAUTH2_VALIDATOR_CLASS": f"{HERE}.LosesTheClient"}
    with CaptureQueriesContext(connection) as captured:
        answer = ask(machine)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    # between the deletion and the look at what is left is the INSERT alone; MariaDB's driver knows no refused statement
    assert verbs(captured)[-3::2] == ["COMMIT", "SELECT"]
