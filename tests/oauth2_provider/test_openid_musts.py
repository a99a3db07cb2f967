"""What a provider must and must not do, rule by rule, as far as no other file has it (OpenID Connect Core 1.0).

The whole table is docs/conformance-openid.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey

from oauth2_provider.models import AccessToken, Application, RefreshToken

from .conftest import REDIRECT_URI, VERIFIER, RegisteredClient
from .openid import SITE, allow, ask, redirected, verified

Register = Callable[..., RegisteredClient]
HINTED = "/o/logout/"


@pytest.fixture
def hybrid(oidc: Any, register: Register) -> RegisteredClient:
    return register(algorithm="RS256", authorization_grant_type=Application.GRANT_OPENID_HYBRID)


@pytest.fixture
def implicit(oidc: Any, register: Register) -> RegisteredClient:
    return register(algorithm="RS256", authorization_grant_type=Application.GRANT_IMPLICIT)


def exchanged(client: Client, registered: RegisteredClient, code: str) -> dict[str, Any]:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    return client.post("/o/token/", body, headers={"authorization": registered.basic}).json()


# -- section 2: the ID token


def test_an_id_token_keeps_the_limits_of_its_claims(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """Core section 2: iss without query and fragment, sub of 255 ASCII characters, aud the client, exp after iat."""
    nonce = "a & b = ü ~ %20 +"
    claims = verified(client, exchange(relying_party, scope="openid", nonce=nonce)["id_token"])
    issuer = urlsplit(claims["iss"])
    assert (issuer.query, issuer.fragment) == ("", "")
    assert isinstance(claims["sub"], str) and claims["sub"].isascii() and 0 < len(claims["sub"]) <= 255
    assert claims["aud"] == relying_party.application.client_id
    assert claims["iat"] <= time.time() < claims["exp"]
    assert claims["nonce"] == nonce
    assert claims.get("azp", claims["aud"]) == claims["aud"]


def test_no_id_token_is_unsigned(client: Client, oidc: Any, register: Register) -> None:
    """Core section 2: MUST be signed; MUST NOT use none from the authorization endpoint."""
    document = client.get("/o/.well-known/openid-configuration").json()
    assert "none" not in document["id_token_signing_alg_values_supported"]
    application = register(algorithm="none").application
    with pytest.raises(ValidationError):
        application.full_clean()


# -- section 3.1.2: the request


def test_a_request_with_max_age_gets_the_time_of_the_login(
    logged_in: Client, relying_party: RegisteredClient
) -> None:
    """Core sections 3.1.2.1 and 15.1: when max_age is used, the ID Token MUST include auth_time."""
    code = redirected(allow(logged_in, ask(logged_in, relying_party, max_age="600")))["code"]
    claims = verified(logged_in, exchanged(logged_in, relying_party, code)["id_token"])
    assert time.time() - 600 < claims["auth_time"] <= time.time()


def test_a_hint_of_another_issuer_is_none(client: Client, oidc: Any, register: Register, user: Any) -> None:
    """Core section 3.1.2.2 item 5, RP-Initiated Logout 1.0 section 2: MUST validate that it was the issuer."""
    registered = register(algorithm="HS256", hash_client_secret=False, skip_authorization=True)
    application = registered.application
    client.force_login(user)
    claims = {"sub": str(user.pk), "aud": application.client_id, "exp": int(time.time()) + 60}
    for issuer, status in (("http://testserver/o", 200), ("https://other.example", 400)):
        hint = jwt.encode({"alg": "HS256"}, {**claims, "iss": issuer}, OctKey.import_key(registered.secret))
        assert client.get(HINTED, {"id_token_hint": hint}).status_code == status
        told = redirected(ask(client, registered, id_token_hint=hint, prompt="none"))
        assert told.get("error", "code") == ("code" if status == 200 else "login_required")


def test_no_redirect_repeats_what_the_user_posted(logged_in: Client, relying_party: RegisteredClient) -> None:
    """Core section 16.21: HTTP 307 redirects MUST NOT be used when credentials may be in what was posted."""
    page = ask(logged_in, relying_party)
    assert allow(logged_in, page).status_code == 302
    assert Client().post("/o/authorize/", {"client_id": "x", "response_type": "code"}).status_code == 303


# -- sections 3.2 and 3.3: implicit and hybrid


def test_an_id_token_alone_comes_without_an_access_token(
    client: Client, implicit: RegisteredClient, authorize: Any
) -> None:
    """Core section 3.2.2.5: no Access Token is returned for id_token; no code, no refresh token."""
    answer = authorize(implicit, scope="openid", response_type="id_token", nonce="n")
    assert set(answer) == {"id_token", "state"}
    assert "at_hash" not in verified(client, answer["id_token"])
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize(
    ("uri", "is_taken"),
    [
        ("http://client.example/callback", False),
        ("http://127.0.0.1.client.example/callback", False),
        ("http://localhost/callback", True),
        ("http://127.0.0.1/callback", True),
        ("https://client.example/callback", True),
    ],
)
@pytest.mark.parametrize("response_type", ["id_token", "id_token token"])
def test_no_id_token_goes_to_an_unprotected_uri(
    logged_in: Client, oidc: Any, register: Register, uri: str, is_taken: bool, response_type: str
) -> None:
    """Core section 3.2.2.1: MUST NOT use the http scheme unless the Client is native and it is the loopback."""
    registered = register(
        algorithm="RS256", authorization_grant_type=Application.GRANT_IMPLICIT, redirect_uris=uri
    )
    answer = ask(logged_in, registered, response_type=response_type, nonce="n")
    assert answer.status_code == (200 if is_taken else 400)


@pytest.mark.parametrize(
    "response_type", ["code id_token", "id_token code", "code token", "token id_token code"]
)
def test_both_endpoints_of_a_hybrid_request_say_the_same(
    client: Client, hybrid: RegisteredClient, authorize: Any, response_type: str
) -> None:
    """Core section 3.3.3.6: iss and sub MUST be identical; 3.3.2.11: the nonce.

    RFC 6749 section 3.1.1, Multiple Response Types section 3: the order of the values does not matter.
    """
    answer = authorize(hybrid, scope="openid", response_type=response_type, nonce="n")
    parts = set(response_type.split())
    assert ("id_token" in answer, "access_token" in answer) == ("id_token" in parts, "token" in parts)
    late = verified(client, exchanged(client, hybrid, answer["code"])["id_token"])
    assert late["nonce"] == "n"
    if "id_token" in parts:
        early = verified(client, answer["id_token"])
        assert early["nonce"] == "n" and "c_hash" in early
        assert ("at_hash" in early) == ("token" in parts)
        assert [early[name] for name in ("iss", "sub", "aud")] == [
            late[name] for name in ("iss", "sub", "aud")
        ]


# -- section 5: claims


def test_claims_that_are_not_there_are_no_error(logged_in: Client, relying_party: RegisteredClient) -> None:
    """Core section 5.5.1: MUST NOT generate an error when Claims are not returned; 5.5: unknown members ignored."""
    asked = {
        "id_token": {"phone_number": {"essential": True}, "nobody_knows": {"value": 1, "odd": [1]}},
        "userinfo": {"birthdate": {"essential": True}},
        "unknown": {"x": 1},
    }
    page = ask(logged_in, relying_party, claims=json.dumps(asked))
    tokens = exchanged(logged_in, relying_party, redirected(allow(logged_in, page))["code"])
    claims = verified(logged_in, tokens["id_token"])
    assert not {"phone_number", "nobody_knows"} & set(claims)
    told = logged_in.get("/o/userinfo/", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert told.json() == {"sub": claims["sub"]}  # section 5.3.2: MUST be that of the ID Token
    assert told["Content-Type"] == "application/json"


# -- section 10: keys


def test_a_public_client_has_no_symmetric_signature(oidc: Any, register: Register) -> None:
    """Core section 10.1: symmetric signatures MUST NOT be used by public (non-confidential) Clients."""
    application = register(algorithm="HS256", client_type=Application.CLIENT_PUBLIC).application
    with pytest.raises(ValidationError):
        application.full_clean()


# -- section 11: offline access


@pytest.fixture
def offline(settings: Any, oidc: Any) -> None:
    scopes = {**SITE["SCOPES"], "offline_access": "Stay connected while you are away"}  # type: ignore[dict-item]
    settings.OAUTH2_PROVIDER = {**oidc, "SCOPES": scopes}


def test_offline_access_is_ignored_where_no_code_comes_of_the_request(
    client: Client, user: Any, offline: None, implicit: RegisteredClient
) -> None:
    """Core section 11: MUST ignore the offline_access request unless an Authorization Code would be returned."""
    client.force_login(user)
    asked = {"response_type": "id_token token", "nonce": "n", "scope": "openid offline_access"}
    page = ask(client, implicit, **asked)
    assert page.context["scopes"] == ["openid"]
    redirected(allow(client, page))
    assert AccessToken.objects.get().scope == "openid"
    assert not RefreshToken.objects.exists()


def test_offline_access_is_consented_to(
    client: Client, user: Any, offline: None, relying_party: RegisteredClient, exchange: Any
) -> None:
    """Core section 11: MUST explicitly receive or have consent for offline access."""
    exchange(relying_party, scope="openid")
    wider = {"scope": "openid offline_access", "approval_prompt": "auto"}
    assert redirected(ask(client, relying_party, prompt="none", **wider))["error"] == "consent_required"
    page = ask(client, relying_party, **wider)
    assert b"Stay connected while you are away" in page.content
    tokens = exchanged(client, relying_party, redirected(allow(client, page))["code"])
    assert tokens["scope"] == "openid offline_access"
    assert tokens["refresh_token"]
    page = ask(client, relying_party, prompt="consent", **wider)
    assert b"Stay connected while you are away" in page.content


# -- section 12: refreshed ID tokens


def test_a_refreshed_id_token_is_about_the_same_and_of_now(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """Core section 12.2: iss, sub, aud, auth_time MUST be the same; iat MUST be of now; no nonce that was not there."""
    tokens = exchange(relying_party, scope="openid", nonce="n")
    before = verified(client, tokens["id_token"])
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = client.post("/o/token/", body, headers={"authorization": relying_party.basic})
    after = verified(client, answer.json()["id_token"])
    same = ("iss", "sub", "aud", "auth_time", "azp")
    assert [after.get(name) for name in same] == [before.get(name) for name in same]
    assert before["iat"] <= after["iat"] <= time.time()
    assert after.get("nonce", "n") == "n"


# -- Discovery


def test_the_configuration_is_that_of_the_issuer_of_tokens(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """Discovery 1.0 sections 3, 4.2 and 4.3: JSON, 200, issuer identical to iss; no member with nothing in it."""
    claims = verified(client, exchange(relying_party, scope="openid")["id_token"])
    path = urlsplit(claims["iss"]).path
    answer = client.get(f"{path}/.well-known/openid-configuration")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document = answer.json()
    assert document["issuer"] == claims["iss"]
    assert [] not in document.values()
    assert urlsplit(document["issuer"]).query == urlsplit(document["issuer"]).fragment == ""
