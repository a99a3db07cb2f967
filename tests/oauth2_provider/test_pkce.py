"""PKCE (RFC 7636), and what RFC 9700 adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

Register = Callable[..., RegisteredClient]
NOT_ALLOWED = ["short", "x" * 129, "é" * 43, "\x00" * 43, "a b" * 20, "=" * 43, "☃" * 43]


def redeem(client: Client, registered: RegisteredClient, code: str, **parameters: Any) -> Any:
    request = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        **parameters,
    }
    request = {name: value for name, value in request.items() if value is not None}
    return client.post("/o/token/", request, headers={"authorization": registered.basic})


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "Code challenge required."),
        ({"code_challenge_method": "S512"}, "Transform algorithm not supported."),
        ({"code_challenge": None}, "code_challenge_method without code_challenge."),
        *[({"code_challenge": value}, None) for value in NOT_ALLOWED],
    ],
    ids=repr,
)
def test_a_challenge_that_is_none_is_an_invalid_request(
    client: Client, user: Any, register: Register, changes: dict[str, Any], description: str | None
) -> None:
    """RFC 7636 sections 4.2, 4.3 and 4.4.1: MUST return the error invalid_request."""
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": register().application.client_id,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    answer = client.get("/o/authorize/", {name: value for name, value in query.items() if value is not None})
    error = parse_qs(urlsplit(answer["Location"]).query)
    assert error["error"] == ["invalid_request"]
    if description is not None:
        assert error["error_description"] == [description]


@pytest.mark.parametrize("verifier", [*NOT_ALLOWED, None], ids=repr)
def test_a_verifier_that_is_none_is_an_invalid_request(
    client: Client, register: Register, authorize: Any, verifier: str | None
) -> None:
    """RFC 7636 section 4.1 (ABNF of code_verifier) and section 4.6."""
    registered = register()
    answer = redeem(client, registered, authorize(registered)["code"], code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert not AccessToken.objects.exists()


def test_a_verifier_of_another_challenge_is_an_invalid_grant(
    client: Client, register: Register, authorize: Any
) -> None:
    """RFC 7636 section 4.6: if they are not equal, an error response indicating invalid_grant MUST be returned."""
    registered = register()
    answer = redeem(client, registered, authorize(registered)["code"], code_verifier="x" * 43)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize("method", [None, "plain"], ids=str)
def test_plain_is_the_default_method(
    client: Client, register: Register, authorize: Any, method: str | None
) -> None:
    """RFC 7636 section 4.3: defaults to "plain" if not present."""
    registered = register()
    code = authorize(registered, code_challenge=VERIFIER, code_challenge_method=method)["code"]
    assert redeem(client, registered, code).status_code == 200


def test_the_gate_closes_plain(client: Client, user: Any, register: Register, settings: Any) -> None:
    """RFC 9700 section 2.1.1."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_PKCE_METHOD": True}
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": register().application.client_id,
        "code_challenge": VERIFIER,
    }
    answer = client.get("/o/authorize/", query)
    assert parse_qs(urlsplit(answer["Location"]).query)["error"] == ["invalid_request"]


def test_a_verifier_for_a_code_without_challenge_is_refused(
    client: Client, register: Register, authorize: Any, settings: Any
) -> None:
    """RFC 9700 section 4.8.2: MUST reject a token request with a code_verifier where there was no challenge."""
    settings.OAUTH2_PROVIDER = {"PKCE_REQUIRED": False}
    registered = register()
    without = {"code_challenge": None, "code_challenge_method": None}
    code = authorize(registered, **without)["code"]
    assert redeem(client, registered, code).json() == {"error": "invalid_grant"}
    assert redeem(client, registered, code, code_verifier=None).status_code == 200


def test_pkce_is_required_of_whom_the_site_says(
    client: Client, register: Register, authorize: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"PKCE_REQUIRED": lambda client_id: client_id == "app"}
    without = {"code_challenge": None, "code_challenge_method": None}
    web = register(client_id="web")
    assert redeem(client, web, authorize(web, **without)["code"], code_verifier=None).status_code == 200
    app = register(client_id="app", client_type=Application.CLIENT_PUBLIC)
    query = {"response_type": "code", "client_id": app.application.client_id}
    assert "invalid_request" in client.get("/o/authorize/", query)["Location"]
