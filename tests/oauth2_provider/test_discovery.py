"""The provider's configuration: each thing that it says is tried (OpenID Connect Discovery 1.0 section 3)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.test import Client

from oauth2_provider.flows.authentication import ACR, AUTH_TIME
from oauth2_provider.models import Application
from oauth2_provider.oauth2_validators import OAuth2Validator

from .conftest import REDIRECT_URI, VERIFIER, RegisteredClient
from .openid import allow, ask, redirected, verified

Register = Callable[..., RegisteredClient]
HERE = "tests.oauth2_provider.test_discovery"


class ClaimingValidator(OAuth2Validator):
    def get_additional_claims(self):  # type: ignore[no-untyped-def]
        return {"email": lambda request: "someone@example.org"}


@pytest.fixture
def document(client: Client, oidc: Any, settings: Any, user: Any) -> dict[str, Any]:
    """The document of a site that offers all there is; the user is logged in."""
    settings.OAUTH2_PROVIDER = {
        **oidc,
        "OAUTH2_VALIDATOR_CLASS": f"{HERE}.ClaimingValidator",
        "OIDC_SUBJECT_TYPES_SUPPORTED": ["public", "pairwise"],
        "OIDC_PAIRWISE_SUBJECT_SALT": "a salt",
        "OIDC_ACR_VALUES_SUPPORTED": ["urn:mfa"],
        "OIDC_RP_INITIATED_REGISTRATION_ENABLED": True,
        "OIDC_RP_INITIATED_REGISTRATION_URL": "/join/",
    }
    for algorithm in ("ES256", "EdDSA"):
        call_command("createsigningkey", algorithm)
    client.force_login(user)
    answer = client.get("/o/.well-known/openid-configuration")
    assert answer["Access-Control-Allow-Origin"] == "*"
    return answer.json()


def tokens_of(client: Client, registered: RegisteredClient, code: str) -> dict[str, Any]:
    answer = client.post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        },
        headers={"authorization": registered.basic},
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def grant_type_for(response_type: str) -> str:
    parts = set(response_type.split())
    if parts == {"code"}:
        return Application.GRANT_AUTHORIZATION_CODE
    return Application.GRANT_OPENID_HYBRID if "code" in parts else Application.GRANT_IMPLICIT


def test_what_is_required_is_there(document: dict[str, Any]) -> None:
    """OpenID Connect Discovery 1.0 section 3: REQUIRED; RS256 MUST be included."""
    required = {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    }
    assert required <= document.keys()
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "HS256", "ES256", "EdDSA"]
    assert "openid" in document["scopes_supported"]  # MUST
    assert all(value is not None and value != [] for value in document.values())


def test_every_response_type_is_answered(
    client: Client, document: dict[str, Any], register: Register
) -> None:
    for response_type in document["response_types_supported"]:
        registered = register(algorithm="RS256", authorization_grant_type=grant_type_for(response_type))
        page = ask(client, registered, response_type=response_type, nonce="n")
        expected = {
            {"code": "code", "token": "access_token"}.get(part, part) for part in response_type.split()
        }
        assert expected <= redirected(allow(client, page)).keys(), response_type


def test_every_response_mode_is_answered(
    client: Client, document: dict[str, Any], register: Register
) -> None:
    registered = register(algorithm="RS256")
    places = {}
    for mode in document["response_modes_supported"]:
        answer = allow(client, ask(client, registered, response_mode=mode))
        if answer.status_code == 302:
            location = urlsplit(answer["Location"])
            places[mode] = "query" if "code" in parse_qs(location.query) else "fragment"
        else:
            places[mode] = "form_post" if "code" in dict(answer.context["parameters"]) else "nowhere"
    assert places == {"query": "query", "fragment": "fragment", "form_post": "form_post"}


def test_every_algorithm_signs(
    client: Client, document: dict[str, Any], register: Register, exchange: Any
) -> None:
    for algorithm in document["id_token_signing_alg_values_supported"]:
        registered = register(algorithm=algorithm, hash_client_secret=algorithm != "HS256")
        token = exchange(registered, scope="openid")["id_token"]
        if algorithm == "HS256":
            assert "code" in redirected(ask(client, registered, prompt="none", id_token_hint=token))
        else:
            assert verified(client, token, algorithm=algorithm)["iss"] == document["issuer"]


def test_every_subject_type_is_issued(
    client: Client, document: dict[str, Any], register: Register, exchange: Any
) -> None:
    subjects = {
        verified(client, exchange(register(algorithm="RS256", subject_type=one), scope="openid")["id_token"])[
            "sub"
        ]
        for one in document["subject_types_supported"]
    }
    assert len(subjects) == len(document["subject_types_supported"]) == 2


def test_pairwise_subjects_are_not_promised_without_a_salt(
    client: Client, oidc: Any, settings: Any, db: None
) -> None:
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_SUBJECT_TYPES_SUPPORTED": ["public", "pairwise"]}
    answer = client.get("/o/.well-known/openid-configuration").json()
    assert answer["subject_types_supported"] == ["public"]


def test_every_prompt_is_understood(client: Client, document: dict[str, Any], register: Register) -> None:
    registered = register(algorithm="RS256")
    session = client.session
    session[AUTH_TIME] = time.time() - 60
    session.save()
    seen = {}
    for prompt in document["prompt_values_supported"]:
        answer = ask(client, registered, prompt=prompt)
        if answer.status_code == 200:
            seen[prompt] = "account" if b"Choose an account" in answer.content else "consent"
        else:
            location = urlsplit(answer["Location"])
            seen[prompt] = redirected(answer)["error"] if location.netloc else location.path
    assert seen == {
        "none": "consent_required",
        "login": "/accounts/login/",
        "consent": "consent",
        "select_account": "account",
        "create": "/join/",
    }


def test_claims_and_acr_are_as_promised(client: Client, document: dict[str, Any], register: Register) -> None:
    assert document["claims_supported"] == ["sub", "email"]
    assert document["claims_parameter_supported"] is True
    session = client.session
    session[ACR] = document["acr_values_supported"][0]
    session.save()
    registered = register(algorithm="RS256")
    asked = json.dumps({"id_token": {"email": None, "acr": {"essential": True, "values": ["urn:mfa"]}}})
    code = redirected(allow(client, ask(client, registered, claims=asked)))["code"]
    claims = verified(client, tokens_of(client, registered, code)["id_token"])
    assert (claims["email"], claims["acr"]) == ("someone@example.org", "urn:mfa")


def test_what_is_not_supported_is_refused(
    client: Client, document: dict[str, Any], register: Register
) -> None:
    registered = register(algorithm="RS256")
    for parameter in ("request", "request_uri"):
        assert document[f"{parameter}_parameter_supported"] is False
        answer = redirected(ask(client, registered, **{parameter: "https://client.example/"}))
        assert answer["error"] == f"{parameter}_not_supported"


def test_every_challenge_method_and_scope_is_taken(
    client: Client, document: dict[str, Any], register: Register
) -> None:
    registered = register(algorithm="RS256")
    for method in document["code_challenge_methods_supported"]:
        for scope in document["scopes_supported"]:
            assert ask(client, registered, code_challenge_method=method, scope=scope).status_code == 200


def test_every_secret_of_a_client_is_taken_as_promised(
    client: Client, document: dict[str, Any], register: Register, authorize: Any
) -> None:
    tried = {"client_secret_basic", "client_secret_post", "none"}
    assert tried <= set(document["token_endpoint_auth_methods_supported"])
    for method in tried:
        kind = Application.CLIENT_PUBLIC if method == "none" else Application.CLIENT_CONFIDENTIAL
        registered = register(algorithm="RS256", client_type=kind)
        data = {
            "grant_type": "authorization_code",
            "code": authorize(registered, scope="openid")["code"],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        headers = {"authorization": registered.basic} if method == "client_secret_basic" else {}
        if method != "client_secret_basic":
            data["client_id"] = registered.application.client_id
        if method == "client_secret_post":
            data["client_secret"] = registered.secret
        assert client.post("/o/token/", data, headers=headers).status_code == 200, method


def test_every_endpoint_is_there(client: Client, document: dict[str, Any]) -> None:
    endpoints = [name for name in document if name.endswith(("_endpoint", "_uri"))]
    assert {"end_session_endpoint", "userinfo_endpoint", "jwks_uri"} <= set(endpoints)
    for name in endpoints:
        if isinstance(document[name], str):
            assert client.get(document[name]).status_code != 404, name


@pytest.mark.parametrize("endpoint", ["revocation", "introspection"])
def test_every_way_to_authenticate_is_taken_where_tokens_are_asked_about_or_ended(
    client: Client, db: None, register: Register, exchange: Any, endpoint: str
) -> None:
    """RFC 8414 section 2: what the metadata lists for these endpoints."""
    document = client.get("/o/.well-known/oauth-authorization-server").json()
    methods = document[f"{endpoint}_endpoint_auth_methods_supported"]
    assert {"client_secret_basic", "client_secret_post"} <= set(methods)
    for method in methods:
        kind = Application.CLIENT_PUBLIC if method == "none" else Application.CLIENT_CONFIDENTIAL
        registered = register(client_type=kind)
        data = {"token": exchange(registered)["access_token"]}
        headers = {"authorization": registered.basic} if method == "client_secret_basic" else {}
        if method != "client_secret_basic":
            data["client_id"] = registered.application.client_id
        if method == "client_secret_post":
            data["client_secret"] = registered.secret
        answer = client.post(urlsplit(document[f"{endpoint}_endpoint"]).path, data, headers=headers)
        assert answer.status_code == 200, method


def test_every_grant_type_is_one_that_the_token_endpoint_knows(
    client: Client, db: None, register: Register
) -> None:
    """RFC 8414 section 2: grant_types_supported; RFC 6749 section 5.2: unsupported_grant_type for any other."""
    document = client.get("/o/.well-known/oauth-authorization-server").json()
    registered = register()
    headers = {"authorization": registered.basic}
    kinds = [kind for kind in document["grant_types_supported"] if kind != "implicit"]  # has no token request
    for kind in (*kinds, "urn:nobody:knows"):
        answer = client.post("/o/token/", {"grant_type": kind}, headers=headers)
        is_unknown = answer.status_code == 400 and answer.json()["error"] == "unsupported_grant_type"
        assert is_unknown == (kind == "urn:nobody:knows"), (kind, answer.content)
