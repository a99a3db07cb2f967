"""An OpenID Connect site for tests, and what its clients see of it."""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet
from jwcrypto import jwk

from .conftest import CHALLENGE, RegisteredClient

KEY = jwk.JWK.generate(kty="RSA", size=2048).export_to_pem(private_key=True, password=None).decode()
RETIRED = jwk.JWK.generate(kty="RSA", size=2048).export_to_pem(private_key=True, password=None).decode()
SITE = {
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": KEY,
    "OIDC_RSA_PRIVATE_KEYS_INACTIVE": [RETIRED],
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "SCOPES": {"openid": "Know who you are", "email": "Your mail address", "read": "Read"},
}


def verified(client: Client, token: str, *, algorithm: str = "RS256") -> dict[str, Any]:
    """Return the claims of an ID token as another library verifies it, with the keys that are published."""
    keys = KeySet.import_key_set(client.get("/o/.well-known/jwks.json").json())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="EdDSA is deprecated")  # the name, which clients still use
        claims = jwt.decode(token, keys, algorithms=[algorithm]).claims
    jwt.JWTClaimsRegistry().validate(claims)
    return claims


def ask(client: Client, registered: RegisteredClient, **parameters: Any) -> Any:
    """Return the answer of the authorization endpoint."""
    query = {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "scope": "openid",
        "state": "a state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **parameters,
    }
    return client.get("/o/authorize/", {name: value for name, value in query.items() if value is not None})


def redirected(answer: Any) -> dict[str, str]:
    """Return the parameters that the client is sent."""
    assert answer.status_code == 302, answer.content
    location = urlsplit(answer["Location"])
    assert location.netloc, answer["Location"]
    return {name: values[0] for name, values in parse_qs(location.query or location.fragment).items()}


def allow(client: Client, page: Any) -> Any:
    """Return the answer to the user's consent."""
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    return client.post("/o/authorize/", {**initial, "allow": "1"})


def next_of(answer: Any) -> str:
    """Return where the login page sends the user on to."""
    assert answer.status_code == 302, answer.content
    location = urlsplit(answer["Location"])
    assert location.path == "/accounts/login/", answer["Location"]
    return parse_qs(location.query)["next"][0]
