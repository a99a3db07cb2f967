"""OpenID Connect: ID tokens, UserInfo, discovery, keys, silent requests (OpenID Connect Core 1.0, Discovery 1.0)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import OctKey
from jwcrypto import jwk

from oauth2_provider.flows.authentication import AUTH_TIME
from oauth2_provider.models import AccessToken, Application, IDToken
from oauth2_provider.oauth2_validators import OAuth2Validator

from .conftest import REDIRECT_URI, VERIFIER, RegisteredClient
from .openid import KEY, RETIRED, ask, redirected, verified

Register = Callable[..., RegisteredClient]
HERE = "tests.oauth2_provider.test_openid"


class ClaimingValidator(OAuth2Validator):
    def get_additional_claims(self):  # type: ignore[no-untyped-def]
        return {"email": lambda request: request.user.email, "given_name": lambda request: "Some"}


def test_an_id_token_says_who_logged_in(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any
) -> None:
    """OpenID Connect Core 1.0 sections 2 and 3.1.3.6."""
    tokens = exchange(relying_party, scope="openid", nonce="a nonce")
    claims = verified(client, tokens["id_token"])
    row = IDToken.objects.get()
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims == {
        "iss": "http://testserver/o",
        "sub": str(user.pk),
        "aud": relying_party.application.client_id,
        "exp": int(row.expires.timestamp()),
        "iat": claims["iat"],
        "auth_time": int(client.session[AUTH_TIME]),
        "nonce": "a nonce",
        "at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "jti": str(row.jti),
    }
    assert AccessToken.objects.get().id_token == row


def test_a_symmetric_key_signs_as_well(oidc: Any, register: Register, exchange: Any) -> None:
    """OpenID Connect Core 1.0 section 10.1: the client secret is the key."""
    registered = register(algorithm=Application.HS256_ALGORITHM, hash_client_secret=False)
    token = exchange(registered, scope="openid")["id_token"]
    claims = jwt.decode(token, OctKey.import_key(registered.secret), algorithms=["HS256"]).claims
    assert claims["aud"] == registered.application.client_id


def test_without_the_scope_openid_there_is_no_id_token(
    relying_party: RegisteredClient, exchange: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: the behaviour is unspecified; nothing is issued."""
    assert "id_token" not in exchange(relying_party, scope="read")
    assert not IDToken.objects.exists()


def test_userinfo_lets_out_what_the_scopes_cover(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any, settings: Any, oidc: Any
) -> None:
    """OpenID Connect Core 1.0 sections 5.3.2 (sub MUST always be returned) and 5.4."""
    settings.OAUTH2_PROVIDER = {**oidc, "OAUTH2_VALIDATOR_CLASS": f"{HERE}.ClaimingValidator"}
    user.email = "someone@example.org"
    user.save()
    token = exchange(relying_party, scope="openid email")["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    for answer in (client.get("/o/userinfo/", headers=headers), client.post("/o/userinfo/", headers=headers)):
        assert answer.json() == {"sub": str(user.pk), "email": "someone@example.org"}
        assert answer["Access-Control-Allow-Origin"] == "*"
    discovered = client.get("/o/.well-known/openid-configuration").json()
    assert discovered["claims_supported"] == ["sub", "email", "given_name"]


def test_userinfo_refuses_other_tokens(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """OpenID Connect Core 1.0 section 5.3.3; RFC 6750 section 3."""
    answer = client.get("/o/userinfo/", headers={"authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert 'Bearer realm="api", error="invalid_token"' in answer["WWW-Authenticate"]
    token = exchange(relying_party, scope="openid")["access_token"]
    AccessToken.objects.update(expires=timezone.now())
    answer = client.get("/o/userinfo/", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert client.options("/o/userinfo/")["Access-Control-Allow-Headers"] == "Authorization"


def test_userinfo_says_which_scope_a_token_lacks(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """RFC 6750 section 3.1: insufficient_scope, 403, MAY include the scope; OpenID Connect Core 1.0 section 5.3.3."""
    token = exchange(relying_party, scope="read")["access_token"]
    for send in (client.get, client.post):
        answer = send("/o/userinfo/", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
        assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
        assert 'scope="openid"' in answer["WWW-Authenticate"]
        assert (answer["Cache-Control"], answer["Access-Control-Allow-Origin"]) == ("no-store", "*")


def test_userinfo_without_a_token_says_only_how_to_come(client: Client, oidc: Any, db: None) -> None:
    """RFC 6750 section 3: the challenge MUST be there; SHOULD NOT have an error where nothing was presented."""
    answer = client.get("/o/userinfo/")
    assert (answer.status_code, answer.json()) == (401, {})
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", scope="openid"'


def test_a_token_sent_twice_is_a_bad_request_for_userinfo(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any
) -> None:
    """RFC 6750 section 2: MUST NOT use more than one method; in the body alone it counts (Core section 5.3.1)."""
    token = exchange(relying_party, scope="openid")["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    answer = client.post("/o/userinfo/", {"access_token": token}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = client.post("/o/userinfo/", {"access_token": token})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"sub": str(user.pk)}


def test_discovery_names_endpoints_that_answer(client: Client, oidc: Any, db: None) -> None:
    """OpenID Connect Discovery 1.0 sections 3 and 4."""
    for path in ("/o/.well-known/openid-configuration", "/o/.well-known/openid-configuration/"):
        document = client.get(path).json()
    assert document["issuer"] == "http://testserver/o"
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "HS256"]
    for name in [name for name in document if name.endswith("_endpoint") or name == "jwks_uri"]:
        assert client.get(document[name]).status_code != 404


def test_retired_keys_stay_published(client: Client, oidc: Any, db: None) -> None:
    """OpenID Connect Core 1.0 section 10.1.1."""
    answer = client.get("/o/.well-known/jwks.json")
    expected = [jwk.JWK.from_pem(pem.encode()).thumbprint() for pem in (KEY, RETIRED)]
    assert [key["kid"] for key in answer.json()["keys"]] == expected
    assert all("d" not in key for key in answer.json()["keys"])
    assert "max-age=3600" in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["openid-configuration", "jwks.json"])
def test_nothing_is_there_unless_enabled(client: Client, path: str) -> None:
    assert client.get(f"/o/.well-known/{path}").status_code == 404
    assert client.get("/o/userinfo/").status_code == 404


def silent(client: Client, registered: RegisteredClient, **parameters: str) -> dict[str, str]:
    return redirected(ask(client, registered, **{"prompt": "none", **parameters}))


def test_a_silent_request_is_answered_without_a_page(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: prompt=none MUST NOT display any user interface pages."""
    assert silent(client, relying_party)["error"] == "login_required"
    client.force_login(user)
    assert silent(client, relying_party)["error"] == "consent_required"
    assert silent(client, relying_party, scope="read")["error"] == "consent_required"
    tokens = exchange(relying_party, scope="openid")
    assert "code" in silent(client, relying_party)
    assert "code" in silent(client, relying_party, id_token_hint=tokens["id_token"])
    assert silent(client, relying_party, prompt="none login")["error"] == "invalid_request"


def test_a_hint_at_another_user_needs_a_login(
    client: Client, relying_party: RegisteredClient, exchange: Any, django_user_model: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, id_token_hint."""
    token = exchange(relying_party, scope="openid")["id_token"]
    client.force_login(django_user_model.objects.create_user("another"))
    for hint in (token, token[:-4] + "AAAA", "no.jwt.token", "x"):
        assert silent(client, relying_party, id_token_hint=hint)["error"] in (
            "login_required",
            "consent_required",
        )


def test_an_implicit_request_may_ask_for_both_tokens(
    client: Client, oidc: Any, register: Register, authorize: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.2.2.5."""
    registered = register(
        authorization_grant_type=Application.GRANT_IMPLICIT, algorithm=Application.RS256_ALGORITHM
    )
    answer = authorize(registered, scope="openid", response_type="id_token token", nonce="n")
    assert verified(client, answer["id_token"])["nonce"] == "n"
    assert AccessToken.objects.get().token == answer["access_token"]


def test_a_hybrid_request_gets_a_code_and_an_id_token_of_it(
    client: Client, oidc: Any, register: Register, authorize: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.3.2.11: c_hash."""
    registered = register(
        authorization_grant_type=Application.GRANT_OPENID_HYBRID, algorithm=Application.RS256_ALGORITHM
    )
    answer = authorize(registered, scope="openid", response_type="code id_token", nonce="n")
    digest = hashlib.sha256(answer["code"].encode()).digest()[:16]
    c_hash = verified(client, answer["id_token"])["c_hash"]
    assert c_hash == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_consent_that_is_asked_for_is_asked_for(
    client: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, prompt=consent."""
    exchange(relying_party, scope="openid")
    assert exchange(relying_party, scope="openid", prompt="consent", approval_prompt="auto")["id_token"]


def test_auth_time_is_of_this_session_and_not_of_the_last_login(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any
) -> None:
    """OpenID Connect Core 1.0 sections 2 (auth_time: when the End-User authentication occurred) and 12.2."""
    exchange(relying_party, scope="openid")
    session = client.session
    session[AUTH_TIME] = 1_700_000_000.5
    session.save()
    Client().force_login(user)  # on another device
    code = redirected(ask(client, relying_party, prompt="none"))["code"]
    presented = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    told = []
    for _ in range(3):
        headers = {"authorization": relying_party.basic}
        tokens = client.post("/o/token/", presented, headers=headers).json()
        told.append(verified(client, tokens["id_token"]))
        presented = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert [claims["auth_time"] for claims in told] == [1_700_000_000] * 3
    assert len({claims["sub"] for claims in told}) == 1
    assert all("nonce" not in claims for claims in told)


def test_userinfo_of_a_token_of_nobody_is_refused(client: Client, oidc: Any, register: Register) -> None:
    """OpenID Connect Core 1.0 section 5.3: the UserInfo Endpoint is about an End-User."""
    machine = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    token = client.post(
        "/o/token/",
        {"grant_type": "client_credentials", "scope": "openid"},
        headers={"authorization": machine.basic},
    ).json()["access_token"]
    answer = client.get("/o/userinfo/", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_a_site_says_where_userinfo_is_and_who_may_read_it(
    client: Client, oidc: Any, settings: Any, db: None
) -> None:
    settings.OAUTH2_PROVIDER = {
        **oidc,
        "OIDC_USERINFO_ENDPOINT": "https://me.example/",
        "OIDC_USERINFO_CORS_ENABLED": False,
        "OIDC_ISS_ENDPOINT": "https://id.example",
        "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
        "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic"],
    }
    document = client.get("/o/.well-known/openid-configuration").json()
    assert document["userinfo_endpoint"] == "https://me.example/"
    assert document["issuer"] == "https://id.example"
    assert document["response_types_supported"] == ["code"]
    assert "client_secret_post" not in document["token_endpoint_auth_methods_supported"]
    assert "Access-Control-Allow-Origin" not in client.options("/o/userinfo/")
    assert "Access-Control-Allow-Origin" not in client.get("/o/userinfo/")


def test_a_request_without_a_nonce_gets_no_id_token_from_the_front(
    client: Client, oidc: Any, register: Register, user: Any
) -> None:
    """OpenID Connect Core 1.0 sections 3.2.2.1 and 3.3.2.11: nonce is REQUIRED in the implicit and hybrid flow."""
    client.force_login(user)
    for grant_type, response_type in (("implicit", "id_token"), ("openid-hybrid", "code id_token")):
        registered = register(authorization_grant_type=grant_type, algorithm="RS256")
        answer = redirected(ask(client, registered, response_type=response_type))
        assert answer["error"] == "invalid_request"
