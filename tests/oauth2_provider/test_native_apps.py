"""Native apps (RFC 8252): loopback and private-use redirect URIs at the endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from oauth2_provider.models import Application

from .conftest import CHALLENGE, VERIFIER, RegisteredClient

Register = Callable[..., RegisteredClient]


def redirect_to(
    client: Client, user: Any, register: Register, *, registered_uri: str, asked_uri: str
) -> tuple[Any, RegisteredClient]:
    registered = register(
        client_type=Application.CLIENT_PUBLIC, redirect_uris=registered_uri, skip_authorization=True
    )
    client.force_login(user)
    query = {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "redirect_uri": asked_uri,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return client.get("/o/authorize/", query), registered


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_any_port_of_a_loopback_address_is_allowed(
    client: Client, user: Any, register: Register, host: str
) -> None:
    """RFC 8252 section 7.3: MUST allow any port to be specified at the time of the request."""
    asked = f"http://{host}:51004/callback"
    answer, registered = redirect_to(
        client, user, register, registered_uri=f"http://{host}/callback", asked_uri=asked
    )
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{asked}?code=")
    code = answer["Location"].partition("code=")[2].partition("&")[0]
    request = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": asked,
        "client_id": registered.application.client_id,
    }
    assert client.post("/o/token/", {**request, "code_verifier": VERIFIER}).status_code == 200


@pytest.mark.parametrize(
    ("registered_uri", "asked_uri"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:51004/other"),
        ("http://127.0.0.1/callback", "http://127.0.0.2:51004/callback"),
        ("http://localhost/callback", "http://localhost:51004/callback"),
        ("https://client.example/callback", "https://client.example:51004/callback"),
    ],
)
def test_everything_else_is_compared_exactly(
    client: Client, user: Any, register: Register, registered_uri: str, asked_uri: str
) -> None:
    """RFC 8252 section 8.4: MUST register their complete redirect URI; RFC 9700 section 2.1."""
    answer, _ = redirect_to(client, user, register, registered_uri=registered_uri, asked_uri=asked_uri)
    assert answer.status_code == 400


@pytest.mark.parametrize("uri", ["com.example.app:/oauth2redirect", "com.example.app://callback"])
def test_a_private_use_scheme_is_redirected_to_where_the_site_allows_it(
    client: Client, user: Any, register: Register, settings: Any, uri: str
) -> None:
    """RFC 8252 section 7.1."""
    settings.OAUTH2_PROVIDER = {"ALLOWED_REDIRECT_URI_SCHEMES": ["https", "com.example.app"]}
    answer, _ = redirect_to(client, user, register, registered_uri=uri, asked_uri=uri)
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{uri}?code=")


def test_a_public_client_without_pkce_is_refused(client: Client, user: Any, register: Register) -> None:
    """RFC 8252 section 8.1: public native app clients MUST implement PKCE, and servers MUST support it."""
    registered = register(client_type=Application.CLIENT_PUBLIC, redirect_uris="http://127.0.0.1/callback")
    client.force_login(user)
    query = {"response_type": "code", "client_id": registered.application.client_id}
    assert "error=invalid_request" in client.get("/o/authorize/", query)["Location"]
