"""Client assertions: every algorithm that the metadata says is taken, and no other (RFC 8414 section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from jwcrypto import jwk

from oauth2_provider.models import Application

from .conftest import RegisteredClient
from .test_client_assertions import REFUSED, ask, assertion_of, key_set, outcome

RSA = {"kty": "RSA", "size": 2048}
PRIVATE: dict[str, dict[str, Any]] = {
    "RS256": RSA,
    "RS384": RSA,
    "RS512": RSA,
    "PS256": RSA,
    "PS384": RSA,
    "PS512": RSA,
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    "ES512": {"kty": "EC", "crv": "P-521"},
    "ES256K": {"kty": "EC", "crv": "secp256k1"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "Ed25519": {"kty": "OKP", "crv": "Ed25519"},
    "Ed448": {"kty": "OKP", "crv": "Ed448"},
}
"""Algorithm -> a key that signs with it (RFC 7518 section 3.1, RFC 8037, RFC 8812, RFC 9864)."""
SHARED = ("HS256", "HS384", "HS512")
SAID = "token_endpoint_auth_signing_alg_values_supported"
METHODS = ["client_secret_basic", "private_key_jwt", "client_secret_jwt"]


@pytest.fixture(autouse=True)
def _site(settings: Any, db: None) -> None:
    cache.clear()
    settings.OAUTH2_PROVIDER = {
        "OIDC_ENABLED": True,
        "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": METHODS,
        "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": METHODS,
    }


@pytest.fixture
def said() -> list[str]:
    return Client().get("/o/.well-known/openid-configuration").json()[SAID]


@pytest.mark.parametrize("algorithm", [*PRIVATE, *SHARED])
def test_an_algorithm_works_if_and_only_if_the_metadata_says_so(
    register: Callable[..., RegisteredClient], said: list[str], algorithm: str
) -> None:
    """RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3: the algorithms that the token endpoint supports."""
    is_shared = algorithm in SHARED
    key = None if is_shared else jwk.JWK.generate(**PRIVATE[algorithm])
    registered = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="client_secret_jwt" if is_shared else "private_key_jwt",
        hash_client_secret=not is_shared,
        client_jwks=key_set(key) if key else "",
    )
    answer = ask(assertion_of(registered.application, key or registered.secret, algorithm))
    if algorithm in said:
        assert answer.status_code == 200, answer.content
    else:
        assert outcome(answer) == REFUSED


def test_the_metadata_says_only_what_is_tried_here_and_never_none(said: list[str]) -> None:
    """OpenID Connect Discovery 1.0 section 3: RS256 SHOULD be supported, the value none MUST NOT be used."""
    assert "RS256" in said
    assert {*said} <= {*PRIVATE, *SHARED}
    assert Client().get("/o/.well-known/oauth-authorization-server").json()[SAID] == said


def test_methods_without_assertions_come_without_the_algorithms_of_other_methods(settings: Any) -> None:
    """OpenID Connect Discovery 1.0 section 3: the list is of the methods that this document names."""
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic"],
    }
    document = Client().get("/o/.well-known/openid-configuration").json()
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "none"]
    assert SAID not in document
    assert "RS256" in document["revocation_endpoint_auth_signing_alg_values_supported"]
    assert SAID in Client().get("/o/.well-known/oauth-authorization-server").json()
