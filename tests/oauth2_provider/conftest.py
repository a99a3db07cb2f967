"""Clients, users, and the way through the authorization endpoint."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application

REDIRECT_URI = "https://client.example/callback"
VERIFIER = "a-code-verifier-of-more-than-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True)
class RegisteredClient:
    """An application with its secret in the clear."""

    application: Application
    secret: str

    @property
    def basic(self) -> str:
        """The Authorization header (RFC 6749 section 2.3.1)."""
        credentials = f"{self.application.client_id}:{self.secret}".encode()
        return f"Basic {base64.b64encode(credentials).decode()}"


@pytest.fixture
def user(db: None) -> Any:
    return get_user_model().objects.create_user("someone", password="a password")


@pytest.fixture
def logged_in(client: Client, user: Any) -> Client:
    """The test client, with `user` logged in."""
    client.force_login(user)
    return client


@pytest.fixture
def register(db: None) -> Callable[..., RegisteredClient]:
    """Return a function that registers a client; a confidential one of the code grant by default."""

    def register_client(**fields: Any) -> RegisteredClient:
        values = {
            "name": "The client",
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "redirect_uris": REDIRECT_URI,
            **fields,
        }
        application = Application(**values)
        secret = application.client_secret
        application.save()
        return RegisteredClient(application=application, secret=secret)

    return register_client


@pytest.fixture
def authorize(client: Client, user: Any) -> Callable[..., dict[str, str]]:
    """Return a function that takes the user through consent and returns the parameters of the redirect."""

    def go(registered: RegisteredClient, *, allow: bool = True, **parameters: Any) -> dict[str, str]:
        client.force_login(user)
        query = {
            "response_type": "code",
            "client_id": registered.application.client_id,
            "state": "a state",
            "scope": "read write",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **parameters,
        }
        page = client.get("/o/authorize/", {key: value for key, value in query.items() if value is not None})
        assert page.status_code == 200, page.content
        initial = {key: value for key, value in page.context["form"].initial.items() if value is not None}
        answer = client.post("/o/authorize/", {**initial, **({"allow": "1"} if allow else {})})
        assert answer.status_code == 302, answer.content
        location = urlsplit(answer["Location"])
        return {key: values[0] for key, values in parse_qs(location.query or location.fragment).items()}

    return go


@pytest.fixture
def exchange(client: Client, authorize: Callable[..., dict[str, str]]) -> Callable[..., dict[str, Any]]:
    """Return a function that gets tokens by the code grant; a public client authenticates by its id alone."""

    def go(registered: RegisteredClient, **parameters: Any) -> dict[str, Any]:
        code = authorize(registered, **parameters)["code"]
        is_public = registered.application.client_type == Application.CLIENT_PUBLIC
        answer = client.post(
            "/o/token/",
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": parameters.get("redirect_uri", REDIRECT_URI),
                "code_verifier": VERIFIER,
                **({"client_id": registered.application.client_id} if is_public else {}),
            },
            headers={} if is_public else {"authorization": registered.basic},
        )
        assert answer.status_code == 200, answer.content
        return answer.json()

    return go


@pytest.fixture
def store_token(user: Any) -> Callable[..., AccessToken]:
    """Return a function that stores an access token called "token", of `user` and no application, for one minute."""

    def store(**fields: Any) -> AccessToken:
        values = {
            "user": user,
            "token": "token",
            "scope": "read",
            "expires": timezone.now() + timedelta(minutes=1),
            **fields,
        }
        return AccessToken.objects.create(**values)

    return store


@pytest.fixture
def oidc(settings: Any) -> dict[str, Any]:
    """Make the site an OpenID provider; returns its settings."""
    from .openid import SITE

    settings.OAUTH2_PROVIDER = dict(SITE)
    return settings.OAUTH2_PROVIDER


@pytest.fixture
def relying_party(oidc: Any, register: Callable[..., RegisteredClient]) -> RegisteredClient:
    return register(
        algorithm=Application.RS256_ALGORITHM, post_logout_redirect_uris="https://client.example/bye"
    )
