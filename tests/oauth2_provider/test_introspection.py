"""The introspection endpoint (RFC 7662)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oauth2_provider.client import CLIENT_ASSERTION_TYPE
from oauth2_provider.flows.subjects import subject_of
from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import RegisteredClient

Register = Callable[..., RegisteredClient]


def introspect(client: Client, registered: RegisteredClient, token: str) -> Any:
    return client.post("/o/introspect/", {"token": token}, headers={"authorization": registered.basic})


def test_a_refresh_token_is_told_to_its_client_only(
    client: Client, register: Register, exchange: Any, user: Any, settings: Any
) -> None:
    """RFC 7662 section 2.2: active is false where the resource is not allowed to introspect the token."""
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_EXPIRE_SECONDS": 60}
    registered = register()
    token = exchange(registered, resource="https://api.example/")["refresh_token"]
    row = RefreshToken.objects.get()
    answer = introspect(client, registered, token)
    assert answer.json() == {
        "active": True,
        "scope": "read write",
        "client_id": registered.application.client_id,
        "username": "someone",
        "sub": str(user.pk),
        "aud": "https://api.example/",
        "iat": int(row.created.timestamp()),
        "exp": int((row.access_token.expires + timedelta(seconds=60)).timestamp()),
        "token_type": "refresh_token",
        "iss": "http://testserver/o",
    }
    assert answer["Cache-Control"] == "no-store"
    assert introspect(client, register(client_id="another"), token).json() == {"active": False}


def test_a_token_of_a_pairwise_client_is_told_with_the_subject_of_its_sector(
    client: Client, register: Register, exchange: Any, user: Any, settings: Any
) -> None:
    """OpenID Connect Core 1.0 section 8: a pairwise client's tokens do not give the account away."""
    settings.OAUTH2_PROVIDER = {"OIDC_PAIRWISE_SUBJECT_SALT": "a salt"}
    registered = register(subject_type="pairwise")
    token = exchange(registered)["access_token"]
    told = introspect(client, registered, token).json()
    assert told["sub"] == subject_of(user, registered.application) != str(user.pk)
    settings.OAUTH2_PROVIDER = {}
    told = introspect(client, registered, token).json()
    assert told["active"] is True
    assert "sub" not in told


@pytest.mark.parametrize("state", ["expired", "revoked", "inactive user", "unknown"])
def test_a_token_that_is_not_live_is_inactive_and_no_more(
    client: Client, register: Register, exchange: Any, user: Any, settings: Any, state: str
) -> None:
    """RFC 7662 section 2.2: MUST return active false, and SHOULD NOT include any additional information."""
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_EXPIRE_SECONDS": 60}
    registered = register()
    tokens = exchange(registered)
    if state == "expired":
        AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=61))
    elif state == "revoked":
        RefreshToken.objects.get().revoke()
    elif state == "inactive user":
        user.is_active = False
        user.save()
    else:
        tokens = {"access_token": "unknown", "refresh_token": "\x00"}
    for kind in ("access_token", "refresh_token"):
        assert introspect(client, registered, tokens[kind]).json() == {"active": False}


def test_the_endpoint_is_not_open(client: Client, register: Register, exchange: Any) -> None:
    """RFC 7662 section 2.1: MUST require some form of authorization; section 2.3: responds with 401."""
    registered = register()
    token = exchange(registered)["access_token"]
    public = register(client_id="public", client_type=Application.CLIENT_PUBLIC)
    wrong = RegisteredClient(application=registered.application, secret="wrong")
    answers = [
        client.post("/o/introspect/", {"token": token}),
        client.post("/o/introspect/", {"token": token, "client_id": public.application.client_id}),
        introspect(client, public, token),
        introspect(client, wrong, token),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401]
    assert all("WWW-Authenticate" in answer for answer in answers)
    assert answers[-1]["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("method", ["basic", "post", "unknown", "assertion", "public"])
def test_a_client_that_fails_to_authenticate_is_told_as_at_the_token_endpoint(
    client: Client, register: Register, method: str
) -> None:
    """RFC 7662 section 2.3: "as described in Section 5.2 of OAuth 2.0"; the challenge is of the scheme used."""
    registered = register()
    public = register(client_id="public", client_type=Application.CLIENT_PUBLIC).application.client_id
    wrong = RegisteredClient(application=registered.application, secret="wrong")
    name = {"client_id": registered.application.client_id}
    body: dict[str, str] = {
        "post": {**name, "client_secret": "wrong"},
        "unknown": {"client_id": "nobody", "client_secret": "wrong"},
        "public": {"client_id": public, "client_secret": "invented"},
        "assertion": {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": "a.b.c"},
    }.get(method, {})
    headers = {"authorization": wrong.basic} if method == "basic" else {}
    answers = [
        client.post("/o/introspect/", {"token": "x", **body}, headers=headers),
        client.post("/o/token/", {"grant_type": "client_credentials", **body}, headers=headers),
        client.post("/o/revoke_token/", {"token": "x", **body}, headers=headers),
    ]
    told = {
        (answer.status_code, answer.content, answer["WWW-Authenticate"], answer["Cache-Control"])
        for answer in answers
    }
    [(status, content, challenge, caching)] = told
    assert (status, json.loads(content), caching) == (401, {"error": "invalid_client"}, "no-store")
    assert challenge.startswith("Basic " if method == "basic" else "Bearer ")


def test_who_presents_nothing_or_a_bad_token_gets_the_challenge_of_a_resource(
    client: Client, db: None
) -> None:
    """RFC 7662 section 2.3, RFC 6750 section 3.1: no error without credentials; invalid_token for bad ones."""
    nothing = client.post("/o/introspect/", {"token": "x"})
    bad = client.post("/o/introspect/", {"token": "x"}, headers={"authorization": "Bearer bad"})
    assert (nothing.status_code, nothing.content, bad.status_code, bad.content) == (401, b"", 401, b"")
    assert "error" not in nothing["WWW-Authenticate"]
    assert 'error="invalid_token"' in bad["WWW-Authenticate"]


def test_a_bearer_token_needs_the_scope_introspection(
    client: Client, register: Register, exchange: Any, settings: Any
) -> None:
    """RFC 7662 section 2.1."""
    settings.OAUTH2_PROVIDER = {"SCOPES": {"read": "Read", "introspection": "Introspect"}}
    registered = register()
    for scope, status in (("read", 403), ("introspection", 200)):
        token = exchange(registered, scope=scope)["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        assert client.post("/o/introspect/", {"token": token}, headers=headers).status_code == status


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_request_without_a_token_is_an_invalid_request(
    client: Client, register: Register, method: str
) -> None:
    """RFC 7662 section 2.1: token is REQUIRED."""
    answer = getattr(client, method)("/o/introspect/", headers={"authorization": register().basic})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_introspection_takes_two_statements(
    client: Client, register: Register, exchange: Any, django_assert_num_queries: Any
) -> None:
    registered = register()
    token = exchange(registered)["access_token"]
    with django_assert_num_queries(2):
        introspect(client, registered, token)


def test_a_clients_own_token_is_introspected_without_a_subject(client: Client, register: Register) -> None:
    """RFC 9700 section 4.15.1: MUST provide means to distinguish a client's own tokens from those of users."""
    machine = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS, client_id="1")
    tokens = client.post(
        "/o/token/", {"grant_type": "client_credentials"}, headers={"authorization": machine.basic}
    ).json()
    told = introspect(client, machine, tokens["access_token"]).json()
    assert (told["active"], told["client_id"]) == (True, "1")
    assert not {"sub", "username"} & told.keys()
