"""Ninja: who may call which operation, and what a refusal says (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import AsyncClient, Client

from oauth2_provider.contrib.ninja import HttpOAuth2, add_challenges
from oauth2_provider.models import AccessToken

from ..conftest import RegisteredClient
from .ninja_site import api

pytestmark = pytest.mark.urls("tests.oauth2_provider.contrib.ninja_site")
BEARER = {"authorization": "Bearer token"}
Store = Callable[..., AccessToken]


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    cache.clear()


def test_a_good_token_lets_in_with_one_statement(
    client: Client, store_token: Store, django_assert_num_queries: Any
) -> None:
    store_token()
    with django_assert_num_queries(1):
        answer = client.get("/api/plain/", headers=BEARER)
    assert answer.json() == {"owner": "someone", "scope": "read", "user": "someone"}


def test_an_async_operation_is_guarded_too(store_token: Store) -> None:
    store_token()
    answer = async_to_sync(AsyncClient().get)("/api/async/", headers=BEARER)
    assert answer.json() == {"owner": "someone", "scope": "read"}
    refused = async_to_sync(AsyncClient().get)("/api/async/", headers={"authorization": "Bearer another"})
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused["WWW-Authenticate"]


def test_a_clients_own_token_has_no_user(client: Client, store_token: Store) -> None:
    store_token(user=None)
    assert client.get("/api/plain/", headers=BEARER).json() == {"owner": None, "scope": "read", "user": ""}


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer"}], ids=str
)
def test_a_request_without_a_token_is_challenged(client: Client, db: None, headers: dict[str, str]) -> None:
    """RFC 6750 section 3: MUST include WWW-Authenticate; section 3.1: no error code."""
    answer = client.get("/api/plain/", headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert answer.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize(
    ("path", "token", "status", "said"),
    [
        ("/api/plain/", "another", 401, 'error="invalid_token"'),
        ("/api/plain/?access_token=token", "token", 400, 'error="invalid_request"'),
        ("/api/scoped/", "token", 403, 'error="insufficient_scope"'),
        ("/api/scoped/", "token", 403, 'scope="write"'),
    ],
)
def test_a_refusal_says_why(
    client: Client, store_token: Store, path: str, token: str, status: int, said: str
) -> None:
    """RFC 6750 section 3.1."""
    store_token()
    answer = client.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == status
    assert said in answer["WWW-Authenticate"]


def test_the_challenge_says_where_the_metadata_is(client: Client, db: None) -> None:
    """RFC 9728 section 5.1."""
    here = 'resource_metadata="http://testserver/o/.well-known/oauth-protected-resource"'
    assert here in client.get("/api/scoped/")["WWW-Authenticate"]
    assert 'resource_metadata="https://api.example/m"' in client.get("/api/described/")["WWW-Authenticate"]
    assert "resource_metadata" not in client.get("/api/plain/")["WWW-Authenticate"]


def test_another_authentication_is_asked_next(client: Client, store_token: Store) -> None:
    store_token()
    assert client.get("/api/either/", headers=BEARER).json() == {"auth": "AccessT"}
    assert client.get("/api/either/?key=good", headers={"authorization": "Bearer x"}).json() == {
        "auth": "the key"
    }
    assert client.get("/api/either/?key=bad").status_code == 401


def test_what_other_authentications_refuse_has_no_challenge(client: Client, db: None) -> None:
    client.get("/api/plain/")
    assert "WWW-Authenticate" not in client.get("/api/key/")


def test_a_site_keeps_its_own_words_for_a_refusal(client: Client, store_token: Store) -> None:
    store_token()
    answer = client.get("/own-api/own/", headers=BEARER)
    assert answer.json() == {"own": 403}
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]


def test_adding_challenges_again_changes_nothing(client: Client, db: None) -> None:
    add_challenges(api)
    handlers = dict(api._exception_handlers)
    add_challenges(api)
    assert api._exception_handlers == handlers


def test_the_schema_says_that_a_bearer_token_is_needed() -> None:
    assert HttpOAuth2().openapi_security_schema == {"type": "http", "scheme": "bearer"}


def status_codes(client: Client, path: str, *tokens: str) -> list[int]:
    return [client.get(path, headers={"authorization": f"Bearer {token}"}).status_code for token in tokens]


def test_a_client_is_counted_for_all_its_users(
    client: Client, store_token: Store, register: Callable[..., RegisteredClient]
) -> None:
    web, other = register().application, register().application
    store_token(token="one", application=web)
    store_token(token="two", application=web, user=get_user_model().objects.create_user("else"))
    store_token(token="three", application=other)
    assert status_codes(client, "/api/client-throttled/", "one", "two", "three") == [200, 429, 200]


def test_a_user_is_counted_with_all_clients_and_a_client_for_itself(
    client: Client, store_token: Store, register: Callable[..., RegisteredClient]
) -> None:
    web, other = register().application, register().application
    store_token(token="one", application=web)
    store_token(token="two", application=other)
    store_token(token="own", application=web, user=None)
    store_token(token="own2", application=web, user=None)
    assert status_codes(client, "/api/user-throttled/", "one", "two", "own", "own2") == [200, 429, 200, 429]
    assert [client.get("/api/user-throttled/?key=good").status_code for _ in range(2)] == [200, 200]
