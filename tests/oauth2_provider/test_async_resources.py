"""Protected resources under ASGI: the same answers, and an event loop that goes on while tokens are checked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
import uvicorn
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone

from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.servers import free_port, wait_until

from .conftest import RegisteredClient
from .test_remote_introspection import AuthorizationServer, live

pytestmark = pytest.mark.urls("tests.oauth2_provider.resource_site")
BEARER = {"authorization": "Bearer token"}
TICKS = 20
Store = Callable[..., AccessToken]


def get(path: str, headers: dict[str, str] | None = None, method: str = "get") -> Any:
    return async_to_sync(getattr(AsyncClient(), method))(path, headers=headers or {})


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/async/plain/", "get", 200),
        ("/async/read-write/", "get", 200),
        ("/async/read-write/", "post", 403),
        ("/async/class/", "get", 200),
        ("/async/class/", "post", 405),
        ("/async/class/write/", "get", 403),
        ("/async/class/read-write/", "get", 200),
        ("/async/class/read-write/", "post", 403),
        ("/async/class/client/", "get", 200),
        ("/plain/", "get", 200),
    ],
)
def test_a_token_lets_in_what_its_scopes_allow(
    store_token: Store, path: str, method: str, status: int
) -> None:
    store_token()
    answer = get(path, BEARER, method)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["owner"] == "someone"
    if status == 403:
        assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]


@pytest.mark.parametrize(
    "path", ["/async/plain/", "/async/read-write/", "/async/class/", "/async/class/client/"]
)
def test_without_a_token_there_is_a_challenge(db: None, path: str) -> None:
    """RFC 6750 section 3."""
    answer = get(path)
    assert (answer.status_code, answer["WWW-Authenticate"].partition(" ")[0]) == (401, "Bearer")


def test_the_challenge_of_an_async_view_says_what_is_needed_and_where_the_metadata_is(
    store_token: Store,
) -> None:
    """RFC 6750 section 3.1, RFC 9728 section 5.1."""
    store_token()
    challenge = get("/async/class/write/", BEARER)["WWW-Authenticate"]
    assert 'scope="write"' in challenge
    assert "/.well-known/oauth-protected-resource" in challenge


def test_a_preflight_of_an_async_view_carries_no_token(db: None) -> None:
    assert get("/async/class/", method="options").status_code == 200


def test_a_client_may_come_itself(register: Callable[..., RegisteredClient]) -> None:
    answer = get("/async/class/client/", {"authorization": register().basic})
    assert answer.json() == {"owner": None}


def test_an_async_check_costs_one_statement(store_token: Store, django_assert_num_queries: Any) -> None:
    store_token()
    with django_assert_num_queries(1):
        get("/async/class/", BEARER)


def while_ticking(path: str, ticked: threading.Event) -> Any:
    """Return the answer to a GET whose check waits until the event loop has ticked TICKS times beside it."""

    async def tick() -> None:
        for _ in range(TICKS):
            await asyncio.sleep(0.001)
        ticked.set()

    async def both() -> Any:
        answer, _ = await asyncio.gather(AsyncClient().get(path, headers=BEARER), tick())
        return answer

    return async_to_sync(both)()


@pytest.mark.parametrize("path", ["/async/plain/", "/async/class/", "/async/whoami/"])
def test_the_loop_goes_on_while_the_database_is_slow(store_token: Store, path: str, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "oauth2_provider.middleware.OAuth2TokenMiddleware"]
    store_token()
    ticked, waited = threading.Event(), []

    def slow_database(execute: Any, *arguments: Any) -> Any:
        waited.append(ticked.wait(timeout=10))
        return execute(*arguments)

    with connection.execute_wrapper(slow_database):
        answer = while_ticking(path, ticked)
    assert answer.status_code == 200
    assert waited
    assert all(waited)


class SlowAuthorizationServer(AuthorizationServer):
    """Answers once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.waited: list[bool] = []

    @property
    def answer(self) -> Any:  # type: ignore[override]
        self.waited.append(self.may_answer.wait(timeout=10))
        return live()


@pytest.fixture
def slow_server(settings: Any) -> Iterator[SlowAuthorizationServer]:
    cache.clear()
    server = SlowAuthorizationServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.OAUTH2_PROVIDER = {"RESOURCE_SERVER_INTROSPECTION_URL": server.url}
    yield server
    server.may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/async/plain/", "/async/class/", "/async/class/client/", "/async/whoami/"])
def test_the_loop_goes_on_while_another_server_is_asked(
    slow_server: SlowAuthorizationServer, db: None, path: str, settings: Any
) -> None:
    """RFC 7662; the answer is kept in the cache, and no row comes of it."""
    settings.AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "oauth2_provider.middleware.OAuth2TokenMiddleware"]
    answer = while_ticking(path, slow_server.may_answer)
    assert answer.status_code == 200
    assert "someone" in answer.json().values()
    assert slow_server.waited == [True]
    assert while_ticking(path, threading.Event()).status_code == 200
    assert len(slow_server.asked) == 1
    assert not AccessToken.objects.exists()


@pytest.fixture
def site(engine: EngineDatabase, settings: Any) -> Iterator[str]:
    """The URL of the site under a real ASGI server."""
    settings.AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend"]
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "oauth2_provider.middleware.OAuth2TokenMiddleware",
    ]
    port = free_port()
    config = uvicorn.Config(
        get_asgi_application(), host="127.0.0.1", port=port, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="uvicorn")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_a_real_server_answers_others_while_one_token_is_asked_about(
    site: str, slow_server: SlowAuthorizationServer
) -> None:
    user = get_user_model().objects.create_user("own")
    later = timezone.now() + timedelta(minutes=1)
    AccessToken.objects.create(token="own", user=user, scope="read", expires=later)
    own = {"Authorization": "Bearer own"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            requests.get, f"{site}/async/class/", headers={"Authorization": "Bearer remote"}, timeout=20
        )
        wait_until(lambda: slow_server.asked, what="the question")
        at_once = [
            requests.get(f"{site}{path}", headers=own, timeout=10)
            for path in ("/at-once/", "/async/class/", "/async/plain/", "/async/whoami/", "/plain/")
        ]
        assert not waiting.done()
        slow_server.may_answer.set()
        assert waiting.result().json() == {"owner": "someone"}
    assert [answer.status_code for answer in at_once] == [200] * 5
    assert at_once[1].json() == {"owner": "own"}
    assert at_once[3].json() == {"user": "own", "same": True}
