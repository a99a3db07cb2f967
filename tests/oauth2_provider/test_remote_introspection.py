"""A resource server that asks another server about tokens (RFC 7662): what it believes, keeps and says of itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from jwcrypto import jwk, jwt

from oauth2_provider.models import AccessToken
from oauth2_provider.oauth2_backends import get_oauthlib_core
from tests.databases import EngineDatabase
from tests.engines import on_servers

pytestmark = pytest.mark.urls("tests.oauth2_provider.urls")


class AuthorizationServer(HTTPServer):
    """Answers each request with `answer`, and keeps what it was asked."""

    answer: Any = {"active": False}
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/introspect/"


class _Handler(BaseHTTPRequestHandler):
    server: AuthorizationServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(
            {"authorization": self.headers["Authorization"], **{k: v[0] for k, v in parse_qs(body).items()}}
        )
        answer = self.server.answer
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", self.server.url)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


@pytest.fixture
def server(settings: Any) -> Iterator[AuthorizationServer]:
    server = AuthorizationServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.OAUTH2_PROVIDER = {
        "RESOURCE_SERVER_INTROSPECTION_URL": server.url,
        "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": ("rs", "a+secret"),
    }
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def get(client: Client, db: None) -> Callable[..., Any]:
    return lambda path="/resource/", token="remote": client.get(
        path, headers={"authorization": f"Bearer {token}"}
    )


def live(**fields: Any) -> dict[str, Any]:
    return {
        "active": True,
        "username": "someone",
        "scope": "read",
        "exp": int(timezone.now().timestamp()) + 60,
        **fields,
    }


def test_a_live_token_lets_in_and_is_asked_about_once(server: AuthorizationServer, get: Any) -> None:
    server.answer = live()
    answers = [get() for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"owner": "someone"}] * 2
    assert [asked["token"] for asked in server.asked] == ["remote"]
    assert not AccessToken.objects.exists()


def test_the_resource_server_authenticates_form_encoded(server: AuthorizationServer, get: Any) -> None:
    """RFC 7662 section 2.1; RFC 6749 section 2.3.1."""
    get()
    assert server.asked[0]["authorization"] == "Basic cnM6YSUyQnNlY3JldA=="  # rs:a%2Bsecret


def test_a_bearer_token_authenticates_as_well(server: AuthorizationServer, get: Any, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {
        "RESOURCE_SERVER_INTROSPECTION_URL": server.url,
        "RESOURCE_SERVER_AUTH_TOKEN": "own",
    }
    get()
    assert server.asked[0]["authorization"] == "Bearer own"


@pytest.mark.parametrize(
    "fields",
    [
        {"active": False},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"token_type": "refresh_token"},
        {"aud": "https://elsewhere.example/"},
    ],
    ids=str,
)
def test_what_is_not_live_or_not_for_here_is_refused_and_remembered(
    server: AuthorizationServer, get: Any, fields: dict[str, Any]
) -> None:
    """RFC 7662 section 4: the protected resource MUST check what the response says."""
    server.answer = live(**fields)
    assert [get().status_code for _ in range(2)] == [401, 401]
    if "aud" in fields or fields == {"active": False} or "token_type" in fields:
        assert len(server.asked) == 1


def test_too_little_scope_is_insufficient(server: AuthorizationServer, get: Any) -> None:
    server.answer = live()
    assert get("/resource/write/").status_code == 403


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}),
        (401, {}),
        (302, live(exp=4102444800)),
        (200, b"no json"),
        (200, ["list"]),
        (200, {}),
        (200, {"active": "true"}),
        (200, b"\xff"),
    ],
    ids=str,
)
def test_a_server_that_cannot_be_asked_vouches_for_nothing(
    server: AuthorizationServer, get: Any, caplog: pytest.LogCaptureFixture, status: int, answer: Any
) -> None:
    server.status, server.answer = status, answer
    assert get().status_code == 401
    assert [record.levelname for record in caplog.records if record.name == "oauth2_provider"] == ["ERROR"]
    assert "remote" not in caplog.text.replace("remote_introspection", "")
    server.status, server.answer = 200, live()
    assert get().status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"aud": 5},
        {"aud": [5]},
        {"aud": {"https://api.example/": 1}},
        {"scope": 5},
        {"scope": ["read"]},
        {"username": 5},
        {"username": ["someone"]},
        {"username": "some\x00one"},
        {"client_id": 5},
        {"token_type": 5},
    ],
    ids=str,
)
def test_a_response_of_other_types_vouches_for_nothing(
    server: AuthorizationServer, get: Any, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    """RFC 7662 section 2.2: the JSON type of each member; no text of it has a NUL character."""
    server.answer = live(**fields)
    assert get().status_code == 401
    assert [record.action for record in caplog.records if record.name == "oauth2_provider"] == [
        "introspection_malformed"
    ]


def test_an_answer_is_not_remembered_beyond_the_end_of_the_token(
    server: AuthorizationServer, get: Any
) -> None:
    """RFC 7662 section 4: MUST NOT be cached beyond the time indicated therein by `exp`."""
    end = int(timezone.now().timestamp()) + 2
    server.answer = live(exp=end)
    assert get().status_code == 200
    server.answer = {"active": False}
    while get().status_code == 200:
        assert timezone.now().timestamp() < end + 1
    assert timezone.now().timestamp() >= end
    while len(server.asked) == 1:  # the cache counts from when it was asked
        get()
        assert timezone.now().timestamp() < end + 5
    assert get().status_code == 401


def test_an_audience_that_is_no_uri_is_not_here(server: AuthorizationServer, get: Any) -> None:
    server.answer = live(aud=["https://[", "name"])
    assert get().status_code == 401
    server.answer = live(aud=["https://[", "http://testserver/"])
    assert get(token="another").status_code == 200


def test_a_token_without_a_user_name_has_no_user(server: AuthorizationServer, get: Any) -> None:
    server.answer = live(username=None)
    assert get().json() == {"owner": None}


@on_servers
def test_a_user_whose_name_is_too_long_for_the_column_is_refused(
    engine: EngineDatabase, server: AuthorizationServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = live(username="x" * 200)
    answer = client.get("/resource/", headers={"authorization": "Bearer remote"})
    assert answer.status_code == 401
    assert [record.action for record in caplog.records if record.name == "oauth2_provider"] == [
        "introspection_user_impossible"
    ]


def test_a_server_that_is_not_there_vouches_for_nothing(get: Any, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"RESOURCE_SERVER_INTROSPECTION_URL": "http://127.0.0.1:9/"}
    assert get().status_code == 401


def test_a_token_of_our_own_is_not_asked_about(
    server: AuthorizationServer, get: Any, django_user_model: Any
) -> None:
    AccessToken.objects.create(
        token="own",
        scope="read",
        expires=timezone.now() + timedelta(minutes=1),
        user=django_user_model.objects.create_user("own"),
    )
    assert get(token="own").json() == {"owner": "own"}
    assert server.asked == []


def test_the_token_of_a_user_who_is_deactivated_here_is_refused(
    server: AuthorizationServer, get: Any, django_user_model: Any
) -> None:
    server.answer = live()
    django_user_model.objects.create_user("someone", is_active=False)
    assert get().status_code == 401


def test_a_view_finds_what_the_other_server_said(server: AuthorizationServer, db: None, rf: Any) -> None:
    server.answer = live(client_id="web", tenant="main")
    request = rf.get("/", headers={"authorization": "Bearer remote"})
    _, found = get_oauthlib_core().verify_request(request, scopes=[])
    assert (found.access_token.introspected["client_id"], found.access_token.introspected["tenant"]) == (
        "web",
        "main",
    )


KEY = jwk.JWK.generate(kty="EC", crv="P-256", kid="one")


@pytest.fixture
def with_jwt(server: AuthorizationServer, settings: Any) -> dict[str, Any]:
    settings.OAUTH2_PROVIDER = {
        "RESOURCE_SERVER_INTROSPECTION_URL": server.url,
        "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": ("rs", "secret"),
        "RESOURCE_SERVER_INTROSPECTION_JWT_CLIENT_ID": "resource-server",
        "RESOURCE_SERVER_INTROSPECTION_JWT_PRIVATE_KEY": KEY.export_to_pem(
            private_key=True, password=None
        ).decode(),
        "RESOURCE_SERVER_INTROSPECTION_JWT_ALG": "ES256",
        "RESOURCE_SERVER_INTROSPECTION_JWT_KID": "one",
        "RESOURCE_SERVER_INTROSPECTION_JWT_LIFETIME": 30,
    }
    return settings.OAUTH2_PROVIDER


@pytest.mark.parametrize("audience", [None, "https://as.example"])
def test_the_resource_server_authenticates_by_a_jwt(
    server: AuthorizationServer, get: Any, with_jwt: dict[str, Any], settings: Any, audience: str | None
) -> None:
    """RFC 7523 sections 2.2 and 3: iss, sub, aud, exp."""
    settings.OAUTH2_PROVIDER = {**with_jwt, "RESOURCE_SERVER_INTROSPECTION_JWT_AUDIENCE": audience}
    server.answer = live()
    assert get().status_code == 200
    asked = server.asked[0]
    assert asked["authorization"] is None
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    token = jwt.JWT(jwt=asked["client_assertion"], key=KEY)
    claims = json.loads(token.claims)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        "resource-server",
        "resource-server",
        audience or server.url,
    )
    assert claims["exp"] - claims["iat"] == 30
    assert json.loads(token.header)["kid"] == "one"


@pytest.mark.parametrize("key", [None, "no key"])
def test_a_key_that_cannot_be_used_vouches_for_nothing(
    server: AuthorizationServer,
    get: Any,
    with_jwt: dict[str, Any],
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    key: str | None,
) -> None:
    settings.OAUTH2_PROVIDER = {**with_jwt, "RESOURCE_SERVER_INTROSPECTION_JWT_PRIVATE_KEY": key}
    assert get().status_code == 401
    assert server.asked == []
    assert [record.levelname for record in caplog.records if record.name == "oauth2_provider"] == ["ERROR"]
