"""The authorization code grant with PKCE, end to end, with its SQL budgets (RFC 6749 section 4.1, RFC 7636)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken, token_checksum

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

Register = Callable[..., RegisteredClient]
Answer = Callable[..., dict[str, Any]]
PKCE = {"response_type": "code", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def code_request(code: str, **parameters: Any) -> dict[str, Any]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        **parameters,
    }


def test_a_code_is_exchanged_for_tokens(register: Register, exchange: Answer, user: Any) -> None:
    registered = register()
    tokens = exchange(registered)
    assert tokens == {
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "expires_in": 36000,
        "token_type": "Bearer",
        "scope": "read write",
    }
    access_token = AccessToken.objects.get(token_checksum=token_checksum(tokens["access_token"]))
    assert (access_token.user, access_token.application) == (user, registered.application)
    assert access_token.refresh_token.token_family is not None
    registered.application.refresh_from_db()
    assert registered.application.last_used is not None


def test_the_state_comes_back(register: Register, authorize: Answer) -> None:
    """RFC 6749 section 4.1.2: state is REQUIRED in the response if it was in the request."""
    assert authorize(register())["state"] == "a state"


def test_a_user_who_refuses_sends_access_denied(register: Register, authorize: Answer) -> None:
    """RFC 6749 section 4.1.2.1."""
    answer = authorize(register(), allow=False)
    assert answer == {"error": "access_denied", "state": "a state"}


def test_a_code_presented_twice_revokes_what_came_of_it(
    register: Register, authorize: Answer, client: Client
) -> None:
    """RFC 6749 section 4.1.2: MUST deny the request and SHOULD revoke all tokens issued from the code."""
    registered = register()
    request = code_request(authorize(registered)["code"])
    headers = {"authorization": registered.basic}
    first = client.post("/o/token/", request, headers=headers)
    refreshed = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]},
        headers=headers,
    )
    assert refreshed.status_code == 200
    second = client.post("/o/token/", request, headers=headers)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked__isnull=True).exists()


def test_a_code_is_bound_to_its_client(register: Register, authorize: Answer, client: Client) -> None:
    """RFC 6749 section 4.1.3: MUST ensure that the code was issued to the authenticated client."""
    code = authorize(register())["code"]
    thief = register(client_id="thief")
    answer = client.post("/o/token/", code_request(code), headers={"authorization": thief.basic})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    "parameters",
    [{"code_verifier": "x" * 43}, {"redirect_uri": "https://client.example/other"}],
    ids=["verifier", "redirect_uri"],
)
def test_a_code_is_bound_to_verifier_and_redirect_uri(
    register: Register, authorize: Answer, client: Client, parameters: dict[str, str]
) -> None:
    """RFC 7636 section 4.6; RFC 6749 section 4.1.3."""
    registered = register()
    code = authorize(registered)["code"]
    answer = client.post(
        "/o/token/", code_request(code, **parameters), headers={"authorization": registered.basic}
    )
    assert answer.status_code == 400
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("grant_type", ["authorization_code", "password", "client_credentials"])
def test_a_confidential_client_authenticates_for_every_grant(
    register: Register, authorize: Answer, client: Client, grant_type: str
) -> None:
    """RFC 6749 sections 3.2.1, 4.1.3, 4.3.2 and 4.4.2: MUST require client authentication for confidential clients."""
    code = authorize(register())["code"]
    kinds = {
        "authorization_code": Application.GRANT_AUTHORIZATION_CODE,
        "password": Application.GRANT_PASSWORD,
        "client_credentials": Application.GRANT_CLIENT_CREDENTIALS,
    }
    registered = register(client_id="confidential", authorization_grant_type=kinds[grant_type])
    request = code_request(
        code, grant_type=grant_type, client_id="confidential", username="someone", password="a password"
    )
    answer = client.post("/o/token/", request)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    wrong = client.post("/o/token/", {**request, "client_secret": f"{registered.secret}x"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert not AccessToken.objects.exists()


def exchanged_without_redirect_uri(client: Client, registered: RegisteredClient, code: str) -> Any:
    request = code_request(code)
    del request["redirect_uri"]
    return client.post("/o/token/", request, headers={"authorization": registered.basic})


def test_a_redirect_uri_that_was_named_is_named_again(
    register: Register, authorize: Answer, client: Client
) -> None:
    """RFC 6749 section 4.1.3: MUST ensure that it is present if it was included in the authorization request."""
    registered = register()
    code = authorize(registered, redirect_uri=REDIRECT_URI)["code"]
    refused = exchanged_without_redirect_uri(client, registered, code)
    assert (refused.status_code, refused.json()) == (
        400,
        {
            "error": "invalid_grant",
            "error_description": "The redirect_uri of the authorization request is missing.",
        },
    )
    taken = client.post("/o/token/", code_request(code), headers={"authorization": registered.basic})
    assert taken.status_code == 200


@pytest.mark.parametrize("skip_authorization", [False, True], ids=["asked", "trusted"])
def test_a_redirect_uri_that_was_not_named_need_not_be(
    register: Register, client: Client, authorize: Answer, user: Any, skip_authorization: bool
) -> None:
    """RFC 6749 section 4.1.3: REQUIRED if it was included in the authorization request; else it may be left out."""
    registered = register(skip_authorization=skip_authorization)
    if skip_authorization:
        client.force_login(user)
        answer = client.get("/o/authorize/", {**PKCE, "client_id": registered.application.client_id})
        code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    else:
        code = authorize(registered)["code"]
    assert exchanged_without_redirect_uri(client, registered, code).status_code == 200


def test_a_redirect_uri_that_comes_late_is_the_one_the_code_went_to(
    register: Register, client: Client, authorize: Answer
) -> None:
    registered = register()
    headers = {"authorization": registered.basic}
    late = code_request(authorize(registered)["code"])
    other = client.post(
        "/o/token/", {**late, "redirect_uri": "https://client.example/other"}, headers=headers
    )
    assert (other.status_code, other.json()["error"]) == (400, "invalid_grant")
    assert client.post("/o/token/", late, headers=headers).status_code == 200


def test_what_is_posted_beside_the_signed_consent_does_not_count(
    register: Register, client: Client, user: Any
) -> None:
    registered = register()
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "scope": "read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    page = client.get("/o/authorize/", query)
    consent = page.context["form"].initial["consent"]
    forged = {**query, "scope": "read write", "redirect_uri": "https://evil.example", "allow": "1"}
    answer = client.post("/o/authorize/", {**forged, "consent": consent})
    assert answer["Location"].startswith(REDIRECT_URI)
    assert Grant.objects.get().scope == "read"
    tampered = client.post("/o/authorize/", {**forged, "consent": consent[:-1] + "x"})
    assert tampered.status_code == 400


def test_a_request_for_an_unregistered_redirect_uri_is_not_redirected(
    register: Register, client: Client, user: Any
) -> None:
    """RFC 6749 section 4.1.2.1: MUST NOT automatically redirect to the invalid redirection URI."""
    client.force_login(user)
    registered = register()
    answer = client.get(
        "/o/authorize/",
        {
            "response_type": "code",
            "client_id": registered.application.client_id,
            "redirect_uri": "https://evil.example/",
        },
    )
    assert answer.status_code == 400
    assert b"mismatch" in answer.content.lower()


def test_sql_budgets(
    register: Register, client: Client, user: Any, authorize: Answer, django_assert_max_num_queries: Any
) -> None:
    registered = register()
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    with django_assert_max_num_queries(5):
        assert client.get("/o/authorize/", query).status_code == 200
    code = authorize(registered)["code"]
    headers = {"authorization": registered.basic}
    registered.application.mark_used(timezone.now())
    with django_assert_max_num_queries(7):  # savepoint and its release among them: a test is in a transaction
        tokens = client.post("/o/token/", code_request(code), headers=headers).json()
    with django_assert_max_num_queries(10):
        refreshed = client.post(
            "/o/token/",
            {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
            headers=headers,
        )
    assert refreshed.status_code == 200


def test_client_credentials_grant_gives_an_access_token_and_no_refresh_token(
    register: Register, client: Client, django_assert_max_num_queries: Any
) -> None:
    """RFC 6749 section 4.4.3: a refresh token SHOULD NOT be included."""
    registered = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    with django_assert_max_num_queries(5):
        answer = client.post(
            "/o/token/", {"grant_type": "client_credentials"}, headers={"authorization": registered.basic}
        )
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "token_type", "scope"}
    assert AccessToken.objects.get().user is None


def test_a_rotated_refresh_token_works_once(register: Register, exchange: Answer, client: Client) -> None:
    """RFC 9700 section 4.14.2."""
    registered = register()
    tokens = exchange(registered)
    request = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    headers = {"authorization": registered.basic}
    first, second = (client.post("/o/token/", request, headers=headers) for _ in range(2))
    assert first.status_code == 200
    assert first.json()["refresh_token"] != tokens["refresh_token"]
    assert (second.status_code, second.json()) == (400, {"error": "invalid_grant"})
    assert not AccessToken.objects.filter(token=tokens["access_token"]).exists()


def test_introspection_tells_a_confidential_client_about_live_tokens(
    register: Register, exchange: Answer, client: Client, user: Any
) -> None:
    """RFC 7662 section 2.2."""
    registered = register()
    tokens = exchange(registered)
    headers = {"authorization": registered.basic}
    answer = client.post("/o/introspect/", {"token": tokens["access_token"]}, headers=headers).json()
    access_token = AccessToken.objects.get()
    assert answer == {
        "active": True,
        "scope": "read write",
        "client_id": registered.application.client_id,
        "username": "someone",
        "sub": str(user.pk),
        "iat": int(access_token.created.timestamp()),
        "exp": int(access_token.expires.timestamp()),
        "token_type": "Bearer",
        "iss": "http://testserver/o",
    }
    refresh = client.post("/o/introspect/", {"token": tokens["refresh_token"]}, headers=headers).json()
    assert (refresh["active"], refresh["sub"]) == (True, str(user.pk))
    assert client.post("/o/introspect/", {"token": "unknown"}, headers=headers).json() == {"active": False}
    anonymous = client.post("/o/introspect/", {"token": tokens["access_token"]})
    assert anonymous.status_code == 401


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(
    register: Register, exchange: Answer, client: Client, kind: str
) -> None:
    """RFC 7009 section 2.1."""
    registered = register()
    tokens = exchange(registered)
    headers = {"authorization": registered.basic}
    answer = client.post("/o/revoke_token/", {"token": tokens[kind]}, headers=headers)
    assert answer.status_code == 200
    assert not AccessToken.objects.exists()
    assert RefreshToken.objects.get().revoked is not None
    unknown = client.post("/o/revoke_token/", {"token": "unknown"}, headers=headers)
    assert unknown.status_code == 200


def test_another_clients_token_is_not_revoked(register: Register, exchange: Answer, client: Client) -> None:
    """RFC 7009 section 2.1: verifies whether the token was issued to the client making the request."""
    tokens = exchange(register())
    stranger = register(client_id="stranger")
    client.post(
        "/o/revoke_token/", {"token": tokens["access_token"]}, headers={"authorization": stranger.basic}
    )
    assert AccessToken.objects.exists()
