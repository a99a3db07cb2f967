"""REST framework: who is let in by which permission, and what a refusal says (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from oauth2_provider.contrib.throttle_keys import client_key
from oauth2_provider.models import AccessToken

from ..conftest import RegisteredClient

pytestmark = pytest.mark.urls("tests.oauth2_provider.contrib.drf_site")
BEARER = {"authorization": "Bearer token"}
Store = Callable[..., AccessToken]


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    cache.clear()


def test_a_token_authenticates_with_one_statement(
    client: Client, store_token: Store, django_assert_num_queries: Any
) -> None:
    store_token()
    with django_assert_num_queries(1):
        answer = client.get("/resource/", headers=BEARER)
    assert answer.json() == {"user": "someone", "data": {}}


def test_a_request_without_a_token_is_challenged(client: Client, db: None) -> None:
    """RFC 6750 section 3: MUST include WWW-Authenticate; section 3.1: no error code."""
    answer = client.get("/resource/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_a_bad_token_is_an_invalid_token(client: Client, db: None) -> None:
    """RFC 6750 section 3.1."""
    answer = client.get("/resource/", headers=BEARER)
    assert answer.status_code == 401
    assert 'realm="api", error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_bad_token_does_not_close_an_open_view(client: Client, db: None) -> None:
    assert client.get("/open/", headers=BEARER).json()["user"] == ""


@pytest.mark.parametrize("path", ["/resource/?access_token=token", "/open/?access_token=token"])
def test_a_token_sent_twice_is_an_invalid_request(client: Client, store_token: Store, path: str) -> None:
    """RFC 6750 section 3.1: invalid_request SHOULD be answered with 400."""
    store_token()
    answer = client.get(path, headers=BEARER)
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer["WWW-Authenticate"]


def test_a_clients_own_token_has_no_user(client: Client, store_token: Store) -> None:
    store_token(user=None, scope="write")
    assert client.get("/resource/", headers=BEARER).status_code == 403
    assert client.get("/scoped/", headers=BEARER).json()["user"] is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/json", '{"a": "b"}'),
        ("application/x-www-form-urlencoded", "a=b"),
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
        ),
    ],
)
def test_the_body_is_there_for_the_view(client: Client, store_token: Store, kind: str, data: str) -> None:
    store_token()
    answer = client.post("/resource/", data, content_type=kind, headers=BEARER)
    assert answer.json()["data"] in ({"a": "b"}, {"a": ["b"]})


@pytest.mark.parametrize(
    ("path", "method", "scope", "needed"),
    [
        ("/scoped/", "get", "write", "write"),
        ("/described/", "get", "write", "write"),
        ("/read-write/", "get", "read", "read"),
        ("/read-write/", "post", "write", "write"),
        ("/music/", "get", "music:read", "music:read"),
        ("/music/", "post", "music:write", "music:write"),
        ("/openapi/", "get", "read music", "read music"),
        ("/openapi/", "get", "write", "read music"),
        ("/session-or-token/", "get", "write", "write"),
        ("/neither/", "get", "write", "write"),
    ],
)
def test_scopes_let_in_and_a_refusal_names_them(
    client: Client, store_token: Store, path: str, method: str, scope: str, needed: str
) -> None:
    """RFC 6750 section 3.1: insufficient_scope, 403, MAY include the scope attribute."""
    token = store_token(scope="other")
    refused = getattr(client, method)(path, headers=BEARER)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused["WWW-Authenticate"]
    assert f'scope="{needed}"' in refused["WWW-Authenticate"]
    token.scope = scope
    token.save()
    answer = getattr(client, method)(path, headers=BEARER)
    assert (answer.status_code, answer.json()["user"]) == (200, "someone")
    assert "WWW-Authenticate" not in answer


@pytest.mark.parametrize("headers", [{}, BEARER], ids=["without", "insufficient"])
def test_the_challenge_says_where_the_metadata_is(
    client: Client, store_token: Store, headers: dict[str, str]
) -> None:
    """RFC 9728 section 5.1."""
    store_token()
    challenge = client.get("/described/", headers=headers)["WWW-Authenticate"]
    assert 'resource_metadata="http://testserver/o/.well-known/oauth-protected-resource"' in challenge


def test_the_body_names_the_scopes_where_the_site_wants_it(
    client: Client, store_token: Store, settings: Any
) -> None:
    store_token()
    assert "required_scopes" not in client.get("/scoped/", headers=BEARER).json()
    settings.OAUTH2_PROVIDER = {"ERROR_RESPONSE_WITH_SCOPES": True}
    assert client.get("/scoped/", headers=BEARER).json()["required_scopes"] == ["write"]


def test_the_names_of_the_read_and_write_scopes_are_the_sites(
    client: Client, store_token: Store, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"READ_SCOPE": "see", "WRITE_SCOPE": "change"}
    store_token(scope="see music:see")
    assert client.get("/read-write/", headers=BEARER).status_code == 200
    assert client.get("/music/", headers=BEARER).status_code == 200
    assert 'scope="change"' in client.post("/read-write/", headers=BEARER)["WWW-Authenticate"]


def test_permissions_can_be_joined(client: Client, store_token: Store) -> None:
    store_token()
    assert client.get("/either/", headers=BEARER).status_code == 200


def test_a_session_needs_no_scope_but_a_token_does(client: Client, store_token: Store, user: Any) -> None:
    store_token()
    client.force_login(user)
    assert client.get("/session-or-token/").status_code == 200
    assert client.get("/session-or-token/", headers=BEARER).status_code == 403
    client.logout()
    assert client.get("/session-or-token/").status_code == 401


def test_a_method_that_is_not_listed_is_refused(
    client: Client, store_token: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store_token(scope="read write music")
    assert client.post("/openapi/", headers=BEARER).status_code == 403
    assert [record.action for record in caplog.records if hasattr(record, "action")] == ["scopes_not_listed"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/unfinished/", "Unfinished needs required_scopes"),
        ("/unfinished-openapi/", "UnfinishedOpenAPI needs required_alternate_scopes"),
        ("/without-oauth2/", "need OAuth2Authentication in authentication_classes"),
    ],
)
def test_a_view_that_was_set_up_wrongly_is_told(
    client: Client, store_token: Store, path: str, message: str
) -> None:
    store_token()
    with pytest.raises(ImproperlyConfigured, match=message):
        client.get(path, headers=BEARER)


def status_codes(client: Client, path: str, *tokens: str) -> list[int]:
    return [client.get(path, headers={"authorization": f"Bearer {token}"}).status_code for token in tokens]


def test_a_client_is_counted_for_all_its_users(
    client: Client, store_token: Store, register: Callable[..., RegisteredClient]
) -> None:
    web, other = register().application, register().application
    store_token(token="one", application=web)
    store_token(token="two", application=web, user=get_user_model().objects.create_user("else"))
    store_token(token="three", application=other)
    assert status_codes(client, "/client-throttled/", "one", "two", "three", "none", "none") == [
        200, 429, 200, 200, 200,
    ]  # fmt: skip


def test_a_user_is_counted_with_all_clients_and_a_client_for_itself(
    client: Client, store_token: Store, register: Callable[..., RegisteredClient]
) -> None:
    web, other = register().application, register().application
    store_token(token="one", application=web)
    store_token(token="two", application=other)
    store_token(token="own", application=web, user=None)
    store_token(token="own2", application=web, user=None)
    assert status_codes(client, "/user-throttled/", "one", "two", "own", "own2", "none", "none") == [
        200, 429, 200, 429, 200, 200,
    ]  # fmt: skip


def test_the_client_of_another_servers_token_is_counted_too() -> None:
    """RFC 7662 section 2.2: `client_id` of the response."""
    remote = AccessToken()
    assert client_key(remote) is None
    remote.introspected = {"client_id": "web"}  # type: ignore[attr-defined]
    assert client_key(remote) == "web"
