"""Clients that others wrote go through the code flow with PKCE, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from django.contrib.auth import get_user_model
from pytest_django.live_server_helper import LiveServer
from requests_oauthlib import OAuth2Session as OAuthlibSession

from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import REDIRECT_URI

HIDDEN_FIELD = re.compile(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?')


@pytest.fixture
def insecure_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def application(transactional_db: None) -> Application:
    get_user_model().objects.create_user("someone", password="a password")
    application = Application(
        name="The client",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=REDIRECT_URI,
    )
    application.generated_secret = application.client_secret
    application.save()
    return application


def fields_of(page: requests.Response) -> dict[str, str]:
    return {name: value or "" for name, value in HIDDEN_FIELD.findall(page.text.replace("&amp;", "&"))}


@pytest.fixture
def consent(live_server: LiveServer) -> Callable[[str], str]:
    """Return a function that does as a user with a browser: logs in, allows, and returns the redirect."""

    def go(url: str) -> str:
        browser = requests.Session()
        login = browser.get(url)
        assert urlsplit(login.url).path == "/accounts/login/"
        credentials = {"username": "someone", "password": "a password"}
        page = browser.post(login.url, {**fields_of(login), **credentials}, headers={"Referer": login.url})
        assert "The client" in page.text
        answer = browser.post(
            page.url,
            {**fields_of(page), "allow": "1"},
            headers={"Referer": page.url},
            allow_redirects=False,
        )
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    return go


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(
    live_server: LiveServer,
    application: Application,
    consent: Callable[[str], str],
    insecure_transport: None,
    method: str,
) -> None:
    session = AuthlibSession(
        application.client_id,
        application.generated_secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=REDIRECT_URI,
        scope="read write",
        code_challenge_method="S256",
    )
    verifier = "a-verifier-of-the-client-that-is-long-enough-for-it"
    url, state = session.create_authorization_url(f"{live_server}/o/authorize/", code_verifier=verifier)
    token = session.fetch_token(
        f"{live_server}/o/token/",
        authorization_response=consent(url),
        state=state,
        code_verifier=verifier,
    )
    assert token["scope"] == "read write"
    refreshed = session.refresh_token(f"{live_server}/o/token/", refresh_token=token["refresh_token"])
    assert refreshed["access_token"] != token["access_token"]
    told = session.introspect_token(f"{live_server}/o/introspect/", token=refreshed["access_token"])
    assert told.json()["active"] is True
    revoked = session.revoke_token(f"{live_server}/o/revoke_token/", token=refreshed["refresh_token"])
    assert revoked.status_code == 200
    assert not AccessToken.objects.exists()


def test_requests_oauthlib(
    live_server: LiveServer,
    application: Application,
    consent: Callable[[str], str],
    insecure_transport: None,
) -> None:
    session = OAuthlibSession(application.client_id, redirect_uri=REDIRECT_URI, scope=["read"], pkce="S256")
    url, _state = session.authorization_url(f"{live_server}/o/authorize/")
    credentials: dict[str, Any] = {"client_secret": application.generated_secret}
    token = session.fetch_token(f"{live_server}/o/token/", authorization_response=consent(url), **credentials)
    assert token["scope"] == ["read"]
    refreshed = session.refresh_token(
        f"{live_server}/o/token/", client_id=application.client_id, **credentials
    )
    assert refreshed["refresh_token"] != token["refresh_token"]
    assert RefreshToken.objects.filter(revoked=None).count() == 1
