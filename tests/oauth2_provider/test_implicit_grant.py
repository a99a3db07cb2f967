"""The implicit grant, and the gate that closes it (RFC 6749 section 4.2, RFC 9700 section 2.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import RegisteredClient

Register = Callable[..., RegisteredClient]


@pytest.fixture
def implicit(register: Register) -> RegisteredClient:
    return register(
        authorization_grant_type=Application.GRANT_IMPLICIT, client_type=Application.CLIENT_PUBLIC
    )


def fragment_of(answer: Any) -> dict[str, str]:
    location = urlsplit(answer["Location"])
    assert location.query == ""
    return {name: values[0] for name, values in parse_qs(location.fragment).items()}


def ask(client: Client, registered: RegisteredClient, **changes: Any) -> Any:
    query = {
        "response_type": "token",
        "client_id": registered.application.client_id,
        "state": "a state",
        "scope": "read",
        **changes,
    }
    return client.get("/o/authorize/", query)


def test_the_token_is_in_the_fragment_without_a_refresh_token(
    client: Client, user: Any, implicit: RegisteredClient
) -> None:
    """RFC 6749 section 4.2.2: MUST NOT issue a refresh token; the parameters are in the fragment."""
    client.force_login(user)
    page = ask(client, implicit)
    form = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    answer = fragment_of(client.post("/o/authorize/", {**form, "allow": "1"}))
    assert answer == {
        "access_token": AccessToken.objects.get().token,
        "token_type": "Bearer",
        "expires_in": "36000",
        "scope": "read",
        "state": "a state",
    }
    assert not RefreshToken.objects.exists()


def test_a_refusal_is_in_the_fragment(client: Client, user: Any, implicit: RegisteredClient) -> None:
    """RFC 6749 section 4.2.2.1."""
    client.force_login(user)
    page = ask(client, implicit)
    form = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    answer = fragment_of(client.post("/o/authorize/", form))
    assert answer == {"error": "access_denied", "state": "a state"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"scope": "unknown"}, "invalid_scope"), ({"response_mode": "query"}, "invalid_request")],
    ids=str,
)
def test_an_error_is_in_the_fragment(
    client: Client, user: Any, implicit: RegisteredClient, changes: dict[str, str], error: str
) -> None:
    """RFC 6749 section 4.2.2.1; Multiple Response Types section 3: never a token in the query."""
    client.force_login(user)
    answer = fragment_of(ask(client, implicit, **changes))
    assert (answer["error"], answer["state"]) == (error, "a state")


def test_a_client_of_the_code_grant_gets_no_token_here(client: Client, user: Any, register: Register) -> None:
    client.force_login(user)
    assert fragment_of(ask(client, register()))["error"] == "unauthorized_client"


def test_the_gate_closes_the_grant(
    client: Client, user: Any, implicit: RegisteredClient, settings: Any
) -> None:
    """RFC 9700 section 2.1.2."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True}
    client.force_login(user)
    assert fragment_of(ask(client, implicit))["error"] == "unauthorized_client"
