"""Resource indicators from the request to the token (RFC 8707)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

Register = Callable[..., RegisteredClient]
ONE, TWO = "https://one.example/", "https://two.example/api"


def token_request(client: Client, registered: RegisteredClient, **parameters: Any) -> Any:
    return client.post("/o/token/", parameters, headers={"authorization": registered.basic})


def redeem(client: Client, registered: RegisteredClient, code: str, **parameters: Any) -> Any:
    return token_request(
        client,
        registered,
        grant_type="authorization_code",
        code=code,
        redirect_uri=REDIRECT_URI,
        code_verifier=VERIFIER,
        **parameters,
    )


@pytest.mark.parametrize(
    "resource", ["relative", "https://one.example/#f", "", "https://one\x00.example", "//x"]
)
def test_a_resource_that_is_no_absolute_uri_is_an_invalid_target(
    client: Client, user: Any, register: Register, resource: str
) -> None:
    """RFC 8707 section 2: MUST be an absolute URI, MUST NOT include a fragment component."""
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": register().application.client_id,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": resource,
    }
    answer = client.get("/o/authorize/", query)
    if not resource:
        assert answer.status_code == 200  # as if it were left out (RFC 6749 section 3.1)
        return
    error = parse_qs(urlsplit(answer["Location"]).query)["error"]
    assert error == ["invalid_request" if "\x00" in resource else "invalid_target"]


def test_resources_go_with_the_token(client: Client, register: Register, authorize: Any) -> None:
    """RFC 8707 section 2: multiple resource parameters MAY be used."""
    registered = register()
    redeem(client, registered, authorize(registered, resource=[ONE, TWO])["code"])
    assert AccessToken.objects.get().resource == [ONE, TWO]
    headers = {"authorization": registered.basic}
    token = AccessToken.objects.get().token
    answer = client.post("/o/introspect/", {"token": token}, headers=headers).json()
    assert answer["aud"] == [ONE, TWO]


def test_an_access_token_may_be_for_fewer_and_the_refresh_token_still_for_all(
    client: Client, register: Register, authorize: Any
) -> None:
    """RFC 8707 section 2.2: the refresh token can be used for the other resources that were granted."""
    registered = register()
    code = authorize(registered, resource=[ONE, TWO])["code"]
    refresh_token = redeem(client, registered, code, resource=ONE).json()["refresh_token"]
    assert AccessToken.objects.get().resource == [ONE]
    answer = token_request(
        client, registered, grant_type="refresh_token", refresh_token=refresh_token, resource=TWO
    )
    assert answer.status_code == 200
    assert AccessToken.objects.get().resource == [TWO]
    assert RefreshToken.objects.get(revoked=None).resource == [ONE, TWO]


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token"])
def test_a_resource_that_was_not_granted_is_an_invalid_target(
    client: Client, register: Register, authorize: Any, grant_type: str
) -> None:
    """RFC 8707 section 2.2."""
    registered = register()
    code = authorize(registered, resource=ONE)["code"]
    if grant_type == "authorization_code":
        answer = redeem(client, registered, code, resource=TWO)
    else:
        refresh_token = redeem(client, registered, code).json()["refresh_token"]
        answer = token_request(
            client, registered, grant_type="refresh_token", refresh_token=refresh_token, resource=TWO
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_a_client_asks_for_itself(client: Client, register: Register) -> None:
    """RFC 8707 section 2.2."""
    registered = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    answer = token_request(client, registered, grant_type="client_credentials", resource=[ONE, TWO])
    assert answer.status_code == 200
    assert AccessToken.objects.get().resource == [ONE, TWO]
