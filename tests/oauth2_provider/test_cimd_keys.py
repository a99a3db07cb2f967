"""A client that nobody registered authenticates by its keys, over HTTP: document and keys are on its own server.

draft-ietf-oauth-client-id-metadata-document-01 section 6.2, RFC 7523.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from jwcrypto.jwk import JWK
from pytest_django.live_server_helper import LiveServer

from oauth2_provider.client import CLIENT_ASSERTION_TYPE, make_client_assertion
from oauth2_provider.models import AccessToken, Application

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER
from .outside import OutsideFetcher, OutsideMetadataFetcher, OutsideServer, outside_server
from .test_real_clients import consent  # noqa: F401 - a fixture

NAME = "The client of elsewhere"


@pytest.fixture(scope="module")
def server() -> Iterator[OutsideServer]:
    with outside_server() as outside:
        yield outside


@pytest.fixture
def outside(server: OutsideServer, monkeypatch: pytest.MonkeyPatch, settings: Any) -> OutsideServer:
    """The server of the client, to a site that takes such clients in."""
    cache.clear()
    server.answers.clear()
    server.asked.clear()
    monkeypatch.setattr(OutsideFetcher, "outside", server, raising=False)
    monkeypatch.setattr(OutsideMetadataFetcher, "outside", server, raising=False)
    settings.OAUTH2_PROVIDER = {
        "CIMD_ENABLED": True,
        "CIMD_METADATA_FETCHER": "tests.oauth2_provider.outside.OutsideMetadataFetcher",
        "CLIENT_ASSERTION_JWKS_FETCHER": "tests.oauth2_provider.outside.OutsideFetcher",
        "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic", "private_key_jwt"],
    }
    return server


@pytest.fixture
def key() -> JWK:
    return JWK.generate(kty="EC", crv="P-256", kid="one")


@pytest.fixture(params=["jwks", "jwks_uri"])
def client_id(request: pytest.FixtureRequest, outside: OutsideServer, key: JWK) -> str:
    """The URL of the client's document, which has its keys in it, or says where they are."""
    keys = {"keys": [key.export_public(as_dict=True)]}
    location = outside.serve("/keys.json", keys)
    document = {
        "client_id": outside.url("/client.json"),
        "client_name": NAME,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        request.param: keys if request.param == "jwks" else location,
    }
    return outside.serve("/client.json", document)


@pytest.fixture
def code(
    live_server: LiveServer,
    client_id: str,
    consent: Callable[[str], str],  # noqa: F811
) -> str:
    """An authorization code of the client, from a user who was shown its name."""
    get_user_model().objects.create_user("someone", password="a password")
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    url = requests.Request("GET", f"{live_server}/o/authorize/", params=query).prepare().url
    return parse_qs(urlsplit(consent(str(url))).query)["code"][0]


def redeem(live_server: LiveServer, code: str, **credentials: str) -> requests.Response:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        **credentials,
    }
    return requests.post(f"{live_server}/o/token/", body, timeout=30)


def signed(live_server: LiveServer, client_id: str, key: JWK) -> dict[str, str]:
    assertion = make_client_assertion(client_id, f"{live_server}/o/token/", key, "ES256")
    return {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion}


def test_it_gets_tokens_by_its_key_and_refreshes_and_revokes_them(
    live_server: LiveServer, outside: OutsideServer, client_id: str, key: JWK, code: str
) -> None:
    """Section 6.2: private_key_jwt in the document, the keys beside it or at jwks_uri."""
    tokens = redeem(live_server, code, **signed(live_server, client_id, key))
    assert tokens.status_code == 200, tokens.text
    application = Application.objects.get()
    assert AccessToken.objects.get().application == application
    assert application.client_type == Application.CLIENT_CONFIDENTIAL
    refresh_token = tokens.json()["refresh_token"]
    refreshed = requests.post(
        f"{live_server}/o/token/",
        {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            **signed(live_server, client_id, key),
        },
        timeout=30,
    )
    assert refreshed.status_code == 200, refreshed.text
    revoked = requests.post(
        f"{live_server}/o/revoke_token/",
        {"token": refreshed.json()["refresh_token"], **signed(live_server, client_id, key)},
        timeout=30,
    )
    assert revoked.status_code == 200
    assert not AccessToken.objects.exists()
    assert outside.asked.count("/client.json") == 1
    assert outside.asked.count("/keys.json") <= 1


def test_a_wrong_key_and_no_key_and_a_replay_are_refused(
    live_server: LiveServer, client_id: str, key: JWK, code: str
) -> None:
    """Section 6.2: MUST include client authentication of the registered type; RFC 7523 section 3 items 7 and 9."""
    stranger = JWK.generate(kty="EC", crv="P-256", kid="one")
    attempts = [
        redeem(live_server, code, **signed(live_server, client_id, stranger)),
        redeem(live_server, code, client_id=client_id),
        redeem(live_server, code, client_id=client_id, client_secret="invented"),
        redeem(live_server, code, **signed(live_server, f"{client_id}x", key)),
    ]
    assert [(answer.status_code, answer.json()) for answer in attempts] == [
        (401, {"error": "invalid_client"})
    ] * len(attempts)
    assert not AccessToken.objects.exists()
    credentials = signed(live_server, client_id, key)
    tokens = redeem(live_server, code, **credentials)
    assert tokens.status_code == 200, tokens.text
    replayed = requests.post(
        f"{live_server}/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens.json()["refresh_token"], **credentials},
        timeout=30,
    )
    assert (replayed.status_code, replayed.json()) == (401, {"error": "invalid_client"})


def test_no_endpoint_takes_it_for_a_public_client(live_server: LiveServer, client_id: str, code: str) -> None:
    """Section 6.2: "any communication with the authorization server MUST include client authentication"."""
    for path in ("token", "revoke_token", "par", "introspect", "device-authorization"):
        body = {"client_id": client_id, "token": "x", "grant_type": "refresh_token", "refresh_token": "x"}
        answer = requests.post(f"{live_server}/o/{path}/", body, timeout=30)
        assert answer.status_code == 401, path


@pytest.mark.parametrize("client_id", ["jwks_uri"], indirect=True)
def test_a_key_that_the_client_withdrew_opens_nothing(
    live_server: LiveServer, outside: OutsideServer, client_id: str, key: JWK, code: str, settings: Any
) -> None:
    """Section 6.3: what the client publishes now is what counts, once what was kept is over."""
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "CLIENT_ASSERTION_JWKS_CACHE_TIMEOUT": 0,
        "CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS": 0,
    }
    successor = JWK.generate(kty="EC", crv="P-256", kid="two")
    outside.serve("/keys.json", {"keys": [successor.export_public(as_dict=True)]})
    assert redeem(live_server, code, **signed(live_server, client_id, key)).status_code == 401
    assert redeem(live_server, code, **signed(live_server, client_id, successor)).status_code == 200


def test_a_redirect_uri_must_be_one_of_the_document_exactly(
    client: Client, transactional_db: None, client_id: str
) -> None:
    """Section 4.5: MUST ensure that the redirect URI is an exact match of a registered one."""
    client.force_login(get_user_model().objects.create_user("someone"))
    query = {
        "response_type": "code",
        "client_id": client_id,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    others = [f"{REDIRECT_URI}/", f"{REDIRECT_URI}?x=1", REDIRECT_URI.upper(), f"{REDIRECT_URI}/../x"]
    for uri in [*others, REDIRECT_URI.replace("https", "http"), f"{REDIRECT_URI}#x"]:
        answer = client.get("/o/authorize/", {**query, "redirect_uri": uri})
        assert (answer.status_code, answer.get("Location")) == (400, None), uri
    assert client.get("/o/authorize/", {**query, "redirect_uri": REDIRECT_URI}).status_code == 200
