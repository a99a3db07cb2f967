"""Pushed authorization requests (RFC 9126)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows.pushed_requests import take_up
from oauth2_provider.models import (
    Application,
    Grant,
    PushedAuthorizationRequest,
    create_pushed_authorization_request,
)
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

REQUEST = {
    "response_type": "code",
    "redirect_uri": REDIRECT_URI,
    "scope": "read",
    "state": "a state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def registered(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    return register()


def push(registered: RegisteredClient, **parameters: Any) -> Any:
    body = {name: value for name, value in {**REQUEST, **parameters}.items() if value is not None}
    return Client().post("/o/par/", body, headers={"authorization": registered.basic})


def pushed_uri(registered: RegisteredClient, **parameters: Any) -> str:
    answer = push(registered, **parameters)
    assert answer.status_code == 201, answer.content
    return answer.json()["request_uri"]


def visit(client: Client, registered: RegisteredClient, request_uri: str) -> Any:
    query = {"client_id": registered.application.client_id, "request_uri": request_uri}
    return client.get("/o/authorize/", query)


def consent(client: Client, page: Any, **more: str) -> dict[str, str]:
    """Return the parameters of the redirect that a user's yes ends in."""
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    answer = client.post(
        page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {**initial, "allow": "1"}
    )
    assert answer.status_code == 302, answer.content
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


def test_a_pushed_request_is_stored_under_a_new_uri(registered: RegisteredClient) -> None:
    """RFC 9126 section 2.2: 201, request_uri, expires_in; the URI MUST contain a cryptographically strong part."""
    answer = push(registered)
    stored = PushedAuthorizationRequest.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"request_uri": stored.request_uri, "expires_in": 60}
    assert answer["Cache-Control"] == "no-store"
    assert stored.request_uri.startswith("urn:ietf:params:oauth:request_uri:")
    assert len(stored.request_uri.rpartition(":")[2]) == 43
    assert stored.parameters == REQUEST
    assert stored.client_id == registered.application.client_id


def test_the_lifetime_is_a_setting(registered: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"PAR_REQUEST_URI_LIFETIME_SECONDS": 90}
    assert push(registered).json()["expires_in"] == 90
    left = PushedAuthorizationRequest.objects.get().expires - timezone.now()
    assert timedelta(seconds=80) < left <= timedelta(seconds=90)


def test_credentials_are_not_kept(registered: RegisteredClient) -> None:
    body = {
        **REQUEST,
        "client_id": registered.application.client_id,
        "client_secret": registered.secret,
    }
    assert Client().post("/o/par/", body).status_code == 201
    assert PushedAuthorizationRequest.objects.get().parameters == REQUEST


def test_a_code_comes_of_it(client: Client, user: Any, registered: RegisteredClient) -> None:
    """RFC 9126 section 4."""
    request_uri = pushed_uri(registered, resource=["https://a.example/", "https://b.example/"])
    client.force_login(user)
    page = visit(client, registered, request_uri)
    assert page.context["scopes"] == ["read"]
    answered = consent(client, page)
    assert answered["state"] == "a state"
    grant = Grant.objects.get(code=answered["code"])
    assert (grant.redirect_uri, grant.code_challenge) == (REDIRECT_URI, CHALLENGE)
    assert grant.resource == ["https://a.example/", "https://b.example/"]
    body = {
        "grant_type": "authorization_code",
        "code": answered["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    headers = {"authorization": registered.basic}
    assert client.post("/o/token/", body, headers=headers).status_code == 200


def test_what_stands_beside_the_request_uri_counts_for_nothing(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    client.force_login(user)
    query = {
        "client_id": registered.application.client_id,
        "request_uri": pushed_uri(registered),
        "scope": "read write",
        "redirect_uri": "https://evil.example/",
        "state": "another",
    }
    page = client.get("/o/authorize/", query)
    assert page.context["scopes"] == ["read"]
    assert consent(client, page)["state"] == "a state"


def test_a_request_uri_is_used_once(client: Client, user: Any, registered: RegisteredClient) -> None:
    """RFC 9126 section 7.3: the authorization server SHOULD only accept a request_uri once."""
    request_uri = pushed_uri(registered)
    client.force_login(user)
    page = visit(client, registered, request_uri)
    assert (
        visit(client, registered, request_uri).status_code == 200
    )  # loaded again: section 7.3 allows for it
    consent(client, page)
    again = visit(client, registered, request_uri)
    assert again.status_code == 400
    assert again.context["error"].error == "invalid_request_uri"
    assert again.content.decode().count("invalid_request_uri") == 1


def test_another_user_agent_cannot_take_it_up_as_well(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    request_uri = pushed_uri(registered)
    client.force_login(user)
    visit(client, registered, request_uri)
    other = Client()
    other.force_login(get_user_model().objects.create_user("another"))
    assert visit(other, registered, request_uri).status_code == 400


def test_one_that_the_user_refuses_is_used_up_too(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    request_uri = pushed_uri(registered)
    client.force_login(user)
    page = visit(client, registered, request_uri)
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    refused = client.post("/o/authorize/?" + page.request["QUERY_STRING"], initial)
    assert "error=access_denied" in refused["Location"]
    assert visit(client, registered, request_uri).status_code == 400


@pytest.mark.parametrize("fault", ["unknown", "expired", "of another client", "no client_id"])
def test_an_invalid_request_uri_is_said_to_the_user_and_to_nobody_else(
    client: Client,
    user: Any,
    register: Callable[..., RegisteredClient],
    registered: RegisteredClient,
    fault: str,
) -> None:
    """RFC 9126 section 4: an expired request_uri MUST be rejected as invalid; section 2.2: bound to the client."""
    request_uri = pushed_uri(registered)
    query = {"client_id": registered.application.client_id, "request_uri": request_uri}
    if fault == "unknown":
        query["request_uri"] += "x"
    elif fault == "expired":
        PushedAuthorizationRequest.objects.update(expires=timezone.now())
    elif fault == "of another client":
        query["client_id"] = register().application.client_id
    else:
        del query["client_id"]
    client.force_login(user)
    page = client.get("/o/authorize/", query)
    assert (page.status_code, page.context["error"].error) == (400, "invalid_request_uri")


def test_a_login_may_take_longer_than_the_request_uri_lives(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    request_uri = pushed_uri(registered)
    redirect = visit(client, registered, request_uri)
    assert redirect["Location"].startswith("/accounts/login/")
    back = parse_qs(urlsplit(redirect["Location"]).query)["next"][0]
    assert "redirect_uri" not in back
    PushedAuthorizationRequest.objects.update(expires=timezone.now())
    client.post("/accounts/login/", {"username": "someone", "password": "a password"})
    page = client.get(back)
    assert page.context["scopes"] == ["read"]
    assert "code" in consent(client, page)


def test_a_user_who_does_not_come_back_in_time_starts_again(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    request_uri = pushed_uri(registered)
    client.force_login(user)
    visit(client, registered, request_uri)
    session = client.session
    session["oauth2_provider.pushed_requests"][request_uri]["until"] = 0
    session.save()
    assert visit(client, registered, request_uri).status_code == 400


def test_a_session_keeps_no_more_than_a_few_requests(
    client: Client, user: Any, registered: RegisteredClient
) -> None:
    client.force_login(user)
    uris = [pushed_uri(registered) for _ in range(6)]
    for request_uri in uris:
        visit(client, registered, request_uri)
    assert list(client.session["oauth2_provider.pushed_requests"]) == uris[1:]


def test_prompt_is_asked_of_the_user_not_of_the_client(
    client: Client, user: Any, register: Callable[..., RegisteredClient], settings: Any
) -> None:
    registered = register(algorithm=Application.HS256_ALGORITHM, hash_client_secret=False)
    settings.OAUTH2_PROVIDER = {"OIDC_ENABLED": True, "SCOPES": {"openid": "Who you are", "read": "Read"}}
    request_uri = pushed_uri(registered, scope="openid", prompt="none")
    answer = visit(client, registered, request_uri)
    assert "error=login_required" in answer["Location"]
    login_asked = visit(client, registered, pushed_uri(registered, scope="openid", prompt="login"))
    assert login_asked["Location"].startswith("/accounts/login/")


# -- what is refused


def test_the_client_authenticates_as_at_the_token_endpoint(
    registered: RegisteredClient, register: Callable[..., RegisteredClient]
) -> None:
    """RFC 9126 section 2: the rules for client authentication of the token endpoint apply."""
    body = {**REQUEST, "client_id": registered.application.client_id}
    refused = Client().post("/o/par/", body)
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    public = register(client_type=Application.CLIENT_PUBLIC)
    body["client_id"] = public.application.client_id
    assert Client().post("/o/par/", body).status_code == 201
    unknown = Client().post("/o/par/", {**REQUEST, "client_id": "unknown"})
    assert (unknown.status_code, unknown.json()) == (401, {"error": "invalid_client"})


def test_a_request_uri_cannot_be_pushed(registered: RegisteredClient) -> None:
    """RFC 9126 section 2.1: the request MUST NOT be made with the request_uri parameter."""
    refused = push(registered, request_uri="urn:ietf:params:oauth:request_uri:x")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_a_request_object_is_not_supported(registered: RegisteredClient) -> None:
    refused = push(registered, request="a.b.c")
    assert (refused.status_code, refused.json()["error"]) == (400, "request_not_supported")


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "no uri"}, "invalid_target"),
        ({"scope": ["read", "write"]}, "invalid_request"),
        ({"state": "\x00"}, "invalid_request"),
    ],
)
def test_a_request_is_checked_when_it_is_pushed(
    registered: RegisteredClient, parameters: dict[str, Any], error: str
) -> None:
    """RFC 9126 section 2.1 item 3: validated as one at the authorization endpoint; section 2.3: errors as JSON."""
    refused = push(registered, **parameters)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert refused["Content-Type"] == "application/json"
    assert not PushedAuthorizationRequest.objects.exists()


def test_the_endpoint_takes_posts_only_may_be_throttled_and_may_be_off(
    registered: RegisteredClient, settings: Any
) -> None:
    """RFC 9126 section 2.3: 405 and 429."""
    assert Client().get("/o/par/").status_code == 405
    assert Client().post("/o/par/?scope=read", REQUEST).status_code == 400
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"par": "1/hour"}}
    assert [push(registered).status_code for _ in range(2)] == [201, 429]
    settings.OAUTH2_PROVIDER = {"PAR_ENABLED": False}
    assert push(registered).status_code == 404


@pytest.mark.parametrize(
    ("site", "own", "is_refused"),
    [(True, None, True), (True, False, False), (False, True, True), (False, None, False)],
)
def test_who_must_push_can_do_nothing_else(
    client: Client,
    user: Any,
    register: Callable[..., RegisteredClient],
    settings: Any,
    site: bool,
    own: bool | None,
    is_refused: bool,
) -> None:
    """RFC 9126 sections 5 and 6: require_pushed_authorization_requests, of the server and of the client."""
    settings.OAUTH2_PROVIDER = {"REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": site}
    registered = register(require_pushed_authorization_requests=own)
    client.force_login(user)
    direct = client.get("/o/authorize/", {**REQUEST, "client_id": registered.application.client_id})
    if is_refused:
        assert "error=invalid_request" in direct["Location"]
        assert "must+push" in direct["Location"]
    else:
        assert direct.status_code == 200
    page = visit(client, registered, pushed_uri(registered))
    assert "code" in consent(client, page)


def test_a_client_whose_id_is_long_can_push(
    client: Client, user: Any, register: Callable[..., RegisteredClient]
) -> None:
    registered = register(client_id="https://client.example/" + "x" * 230)
    credentials = {"client_id": registered.application.client_id, "client_secret": registered.secret}
    client.force_login(user)
    pushed = Client().post("/o/par/", {**REQUEST, **credentials})
    assert visit(client, registered, pushed.json()["request_uri"]).status_code == 200


def test_a_signed_consent_of_a_client_that_must_push_does_without_its_request_uri_nothing(
    client: Client, user: Any, register: Callable[..., RegisteredClient]
) -> None:
    registered = register(require_pushed_authorization_requests=True)
    client.force_login(user)
    page = visit(client, registered, pushed_uri(registered))
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    del initial["consent"]
    answer = client.post("/o/authorize/", {**initial, "allow": "1"})
    assert "code=" not in answer["Location"]
    assert "error=invalid_request" in answer["Location"]


@on_every_engine
def test_a_request_uri_is_taken_up_once_whoever_races(engine: EngineDatabase) -> None:
    """RFC 9126 section 7.3."""
    pushed = create_pushed_authorization_request("a client", {"scope": "read"})
    barrier = threading.Barrier(4)

    def take() -> dict[str, Any] | None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return take_up(pushed.request_uri, "a client")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = [future.result(timeout=60) for future in [pool.submit(take) for _ in range(4)]]
    assert [parameters for parameters in taken if parameters is not None] == [{"scope": "read"}]
