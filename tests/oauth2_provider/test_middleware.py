"""The authentication backend and the middleware: a token in the header stands for its user, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.test import AsyncClient, Client, RequestFactory
from django.utils import timezone

from oauth2_provider.backends import OAuth2Backend
from oauth2_provider.models import AccessToken

from .conftest import RegisteredClient

pytestmark = pytest.mark.urls("tests.oauth2_provider.resource_site")
BEARER = {"authorization": "Bearer token"}
BACKEND = "oauth2_provider.backends.OAuth2Backend"
NOBODY = {"user": "", "client": None, "error": None}
Store = Callable[..., AccessToken]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", BACKEND]
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "oauth2_provider.middleware.OAuth2TokenMiddleware",
        "oauth2_provider.middleware.OAuth2ExtraTokenMiddleware",
    ]


@pytest.fixture
def clients_token(store_token: Store, register: Callable[..., RegisteredClient]) -> AccessToken:
    return store_token(application=register(client_id="web").application)


def test_a_token_makes_its_user_the_requests_with_one_statement(
    client: Client, clients_token: AccessToken, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        answer = client.get("/whoami/", headers=BEARER)
    assert answer.json() == {"user": "someone", "client": "web", "error": None}


def test_middleware_and_guard_load_the_token_once(
    client: Client, clients_token: AccessToken, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert client.get("/plain/", headers=BEARER).status_code == 200


def test_no_session_comes_of_a_token(client: Client, clients_token: AccessToken) -> None:
    client.get("/whoami/", headers=BEARER)
    assert not client.cookies
    assert client.get("/whoami/").json() == NOBODY


@pytest.mark.parametrize("headers", [{}, BEARER], ids=["without", "with a token"])
def test_every_response_varies_by_the_header(client: Client, db: None, headers: dict[str, str]) -> None:
    """RFC 9110 section 12.5.5: what the response depends on is said to caches."""
    assert "Authorization" in client.get("/whoami/", headers=headers)["Vary"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"token": "another"}, "invalid_token"),
        ({"expires": timezone.now() - timedelta(seconds=1)}, "invalid_token"),
        ({"resource": ["https://elsewhere.example/"]}, "invalid_token"),
    ],
    ids=["unknown", "expired", "audience"],
)
def test_a_bad_token_stands_for_nobody_and_the_request_knows_why(
    client: Client, store_token: Store, fields: dict[str, Any], error: str
) -> None:
    store_token(**fields)
    assert client.get("/whoami/", headers=BEARER).json() == {**NOBODY, "error": error}


def test_a_token_of_an_inactive_user_stands_for_nobody(
    client: Client, clients_token: AccessToken, user: Any
) -> None:
    user.is_active = False
    user.save()
    assert client.get("/whoami/", headers=BEARER).json() == {**NOBODY, "error": "invalid_token"}


def test_a_clients_own_token_has_no_user(client: Client, clients_token: AccessToken) -> None:
    clients_token.user = None
    clients_token.save()
    assert client.get("/whoami/", headers=BEARER).json() == {**NOBODY, "client": "web"}


def test_who_is_logged_in_stays_so(client: Client, clients_token: AccessToken) -> None:
    client.force_login(
        get_user_model().objects.create_user("else"), "django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/whoami/", headers=BEARER).json()["user"] == "else"


@pytest.mark.parametrize("path", ["/whoami/?access_token=token", "/whoami/"])
def test_the_middleware_looks_at_the_header_only(
    client: Client, clients_token: AccessToken, path: str
) -> None:
    client.cookies["access_token"] = "token"
    client.cookies["Authorization"] = "Bearer token"
    assert client.get(path).json() == NOBODY


def test_async_views_see_the_same_user(clients_token: AccessToken, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        answer = async_to_sync(AsyncClient().get)("/async/whoami/", headers=BEARER)
    assert answer.json() == {"user": "someone", "same": True}
    assert "Authorization" in answer["Vary"]


def test_async_views_of_a_site_without_sessions(clients_token: AccessToken, settings: Any) -> None:
    settings.MIDDLEWARE = ["oauth2_provider.middleware.OAuth2TokenMiddleware"]
    answer = async_to_sync(AsyncClient().get)("/async/whoami/", headers=BEARER)
    assert answer.json() == {"user": "someone", "same": True}


def test_the_backend_answers_for_a_request_alone(store_token: Store, rf: RequestFactory, user: Any) -> None:
    store_token()
    request = rf.get("/", headers=BEARER)
    assert authenticate(request=request) == user
    assert OAuth2Backend().authenticate(None) is None


def test_the_backend_answers_in_async_code_too(store_token: Store, rf: RequestFactory, user: Any) -> None:
    store_token()
    assert async_to_sync(aauthenticate)(request=rf.get("/", headers=BEARER)) == user


def test_a_cookie_alone_authenticates_nobody(store_token: Store, rf: RequestFactory) -> None:
    store_token()
    rf.cookies["access_token"] = "token"
    assert authenticate(request=rf.get("/")) is None


def test_a_login_form_makes_no_session_of_a_token(client: Client, store_token: Store) -> None:
    """A token is limited by its scopes and its end; a session is by neither (RFC 9700 section 2.3)."""
    store_token()
    form = {"username": "someone", "password": "a wrong one", "access_token": "token"}
    answer = client.post("/accounts/login/", form, headers=BEARER)
    assert answer.status_code == 200  # the form again
    assert "sessionid" not in client.cookies


def test_the_backend_finds_active_users_only(user: Any) -> None:
    backend = OAuth2Backend()
    assert backend.get_user(user.pk) == user
    assert backend.get_user(user.pk + 1) is None
    user.is_active = False
    user.save()
    assert backend.get_user(user.pk) is None
