"""The way of an MCP client that knows nothing but the URL of a resource, over HTTP to the end.

The challenge leads to the resource's metadata (RFC 9728), that to the server's (RFC 8414); the client registers
(RFC 7591) or has a metadata document, gets consent with PKCE (RFC 7636) for that resource (RFC 8707), uses its token
and refreshes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from oauth2_provider.models import AccessToken, Application

from .conftest import CHALLENGE, VERIFIER
from .outside import OutsideMetadataFetcher, OutsideServer, outside_server
from .test_real_clients import fields_of

pytestmark = pytest.mark.urls("tests.oauth2_provider.mcp_site")
CALLBACK = "http://127.0.0.1:43210/callback"
METADATA = {
    "client_name": "An assistant",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
SITE = {
    "DCR_ENABLED": True,
    "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
    "CIMD_ENABLED": True,
    "CIMD_METADATA_FETCHER": "tests.oauth2_provider.outside.OutsideMetadataFetcher",
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
}
Document = dict[str, Any]


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[OutsideServer]:
    with outside_server() as server:
        monkeypatch.setattr(OutsideMetadataFetcher, "outside", server, raising=False)
        yield server


@pytest.fixture
def site(live_server: LiveServer, outside: OutsideServer, transactional_db: None) -> Iterator[str]:
    """Return the URL of the site, which has one user."""
    cache.clear()
    get_user_model().objects.create_user("someone", password="a password")
    with override_settings(OAUTH2_PROVIDER=SITE):
        yield live_server.url


def discover(resource: str) -> Document:
    """Return the metadata of the authorization server of `resource`, found as a client finds it."""
    challenge = requests.post(resource, timeout=30)
    assert challenge.status_code == 401
    found = re.search(r'resource_metadata="([^"]+)"', challenge.headers["WWW-Authenticate"])
    assert found is not None
    about_resource = requests.get(found[1], timeout=30).json()
    assert resource.startswith(about_resource["resource"])
    issuer = urlsplit(about_resource["authorization_servers"][0])
    url = issuer._replace(path=f"/.well-known/oauth-authorization-server{issuer.path}").geturl()
    about_server = requests.get(url, timeout=30).json()
    assert about_server["issuer"] == issuer.geturl()  # RFC 8414 section 3.3
    assert "S256" in about_server["code_challenge_methods_supported"]
    assert "none" in about_server["token_endpoint_auth_methods_supported"]
    return about_server


def register(server: Document, outside: OutsideServer) -> str:
    answer = requests.post(server["registration_endpoint"], json=METADATA, timeout=30)
    assert answer.status_code == 201
    told = answer.json()
    assert {name: told[name] for name in METADATA} == METADATA
    return told["client_id"]


def publish(server: Document, outside: OutsideServer) -> str:
    assert server["client_id_metadata_document_supported"] is True
    client_id = outside.url("/assistant.json")
    return outside.serve("/assistant.json", {"client_id": client_id, **METADATA})


def consent(server: Document, client_id: str, resource: str) -> dict[str, str]:
    """Do as a user with a browser: log in, read, allow; returns the parameters of the redirect."""
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "scope": "read",
            "state": "a state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": resource,
        }
    )
    browser = requests.Session()
    login = browser.get(f"{server['authorization_endpoint']}?{query}")
    credentials = {"username": "someone", "password": "a password"}
    page = browser.post(login.url, {**fields_of(login), **credentials}, headers={"Referer": login.url})
    for shown in ("An assistant", "registered itself", client_id, resource):
        assert shown in page.text
    answer = browser.post(
        page.url,
        {**fields_of(page), "allow": "1"},
        headers={"Referer": page.url},
        allow_redirects=False,
    )
    assert answer.headers["Location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def call(resource: str, token: str) -> requests.Response:
    return requests.post(resource, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.mark.parametrize("introduce", [register, publish], ids=["registered", "published"])
def test_a_client_that_knows_only_the_resource_gets_to_use_it(
    site: str, outside: OutsideServer, introduce: Callable[[Document, OutsideServer], str]
) -> None:
    resource = f"{site}/mcp"
    server = discover(resource)
    client_id = introduce(server, outside)

    redirected = consent(server, client_id, resource)
    assert (redirected["state"], redirected["iss"]) == ("a state", server["issuer"])
    common = {"client_id": client_id, "resource": resource}
    answer = requests.post(
        server["token_endpoint"],
        {
            "grant_type": "authorization_code",
            "code": redirected["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **common,
        },
        timeout=30,
    )
    tokens = answer.json()
    assert (answer.status_code, tokens["token_type"], tokens["scope"]) == (200, "Bearer", "read")

    assert AccessToken.objects.get(application__client_id=client_id, scope="read").resource == [resource]
    assert call(resource, tokens["access_token"]).json() == {"called_by": "someone"}
    misused = call(f"{site}/elsewhere", tokens["access_token"])
    assert (misused.status_code, 'error="invalid_token"' in misused.headers["WWW-Authenticate"]) == (
        401,
        True,
    )

    refreshed = requests.post(
        server["token_endpoint"],
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **common},
        timeout=30,
    ).json()
    assert call(resource, tokens["access_token"]).status_code == 401
    assert call(resource, refreshed["access_token"]).status_code == 200
    assert Application.objects.get().last_used is not None


def test_a_resource_server_elsewhere_is_told_the_audience(site: str, outside: OutsideServer) -> None:
    """RFC 7662 section 2.2: aud, by which a resource tells tokens that are meant for it (RFC 8707 section 2)."""
    resource = f"{site}/mcp"
    server = discover(resource)
    client_id = register(server, outside)
    code = consent(server, client_id, resource)["code"]
    token = requests.post(
        server["token_endpoint"],
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            "client_id": client_id,
        },
        timeout=30,
    ).json()["access_token"]
    asking = Application(client_type="confidential", authorization_grant_type="client-credentials")
    secret = asking.client_secret
    asking.save()
    about = requests.post(
        server["introspection_endpoint"], {"token": token}, auth=(asking.client_id, secret), timeout=30
    ).json()
    assert (about["active"], about["aud"], about["client_id"]) == (True, resource, client_id)
