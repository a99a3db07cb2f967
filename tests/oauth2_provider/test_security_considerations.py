"""What servers must hold to so that nobody guesses, forges or injects (RFC 6749 section 10 and what goes with it)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient

Register = Callable[..., RegisteredClient]
DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
"""RFC 6749 appendices A.7 and A.8; the same in RFC 6750 section 3."""
HOSTILE = ['"quoted"', "back\\slash", "ünïcode", "line\r\nbreak", "tab\t", "<b>tag</b>", "\x7f"]


def authorization_request(registered: RegisteredClient, **parameters: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "a state",
        **parameters,
    }


def redeem(client: Client, registered: RegisteredClient, code: str, **parameters: str) -> Any:
    data = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        **parameters,
    }
    return client.post("/o/token/", data, headers={"authorization": registered.basic})


def test_credentials_cannot_be_guessed(client: Client, register: Register, authorize: Any) -> None:
    """RFC 6749 section 10.10: the probability of guessing MUST be less than or equal to 2^(-128)."""
    registered = register()
    codes = [authorize(registered)["code"] for _ in range(3)]
    issued = [redeem(client, registered, code).json() for code in codes]
    values = [*codes, *(tokens[kind] for tokens in issued for kind in ("access_token", "refresh_token"))]
    assert len(set(values)) == 9
    for value in values:
        assert re.fullmatch(r"[0-9A-Za-z]+", value)
        assert len(value) * math.log2(62) >= 128


def test_a_code_expires(client: Client, register: Register, authorize: Any, settings: Any) -> None:
    """RFC 6749 sections 4.1.2 and 10.5: MUST expire shortly after it is issued; invalid_grant (section 5.2)."""
    settings.OAUTH2_PROVIDER = {"AUTHORIZATION_CODE_EXPIRE_SECONDS": 30}
    registered = register()
    code = authorize(registered)["code"]
    grant = Grant.objects.get()
    assert grant.expires - grant.created <= timedelta(seconds=31)
    Grant.objects.update(expires=timezone.now())
    answer = redeem(client, registered, code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not AccessToken.objects.exists()


def test_a_public_client_is_not_identified_by_a_secret(
    client: Client, register: Register, exchange: Any
) -> None:
    """RFC 6749 section 2.3: MUST NOT rely on public client authentication to identify the client."""
    public = register(client_type=Application.CLIENT_PUBLIC)
    token = exchange(public)["access_token"]
    for secret in (public.secret, "wrong"):
        credentials = {"client_id": public.application.client_id, "client_secret": secret}
        answer = client.post("/o/introspect/", {"token": token, **credentials})
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_consent_cannot_be_forged_by_another_site(user: Any, register: Register) -> None:
    """RFC 6749 section 10.12: MUST implement CSRF protection for the authorization endpoint."""
    registered = register()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    page = strict.get("/o/authorize/", authorization_request(registered))
    initial = {key: value for key, value in page.context["form"].initial.items() if value is not None}
    forged = strict.post("/o/authorize/", {**initial, "allow": "1"})
    assert forged.status_code == 403
    assert not Grant.objects.exists()
    token = strict.cookies["csrftoken"].value
    own = strict.post("/o/authorize/", {**initial, "allow": "1", "csrfmiddlewaretoken": token})
    assert own.status_code == 302


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_client_sends_is_no_part_of_the_consent_page(
    client: Client, user: Any, register: Register, hostile: str
) -> None:
    """RFC 6749 section 10.14: MUST sanitize any value received, in particular state and redirect_uri."""
    registered = register(name=f'<script>alert(1)</script>{hostile[:5]}"')
    client.force_login(user)
    page = client.get("/o/authorize/", authorization_request(registered, state=f"<script>{hostile}"))
    text = page.content.decode()
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("parameter", ["scope", "response_type", "code_challenge_method", "resource"])
def test_an_error_that_is_redirected_has_no_characters_that_it_must_not(
    client: Client, user: Any, register: Register, parameter: str, hostile: str
) -> None:
    """RFC 6749 section 4.1.2.1: error and error_description MUST NOT include characters outside the set."""
    client.force_login(user)
    answer = client.get("/o/authorize/", authorization_request(register(), **{parameter: hostile}))
    assert answer.status_code == 302
    assert answer["Location"].startswith(REDIRECT_URI)
    said = parse_qs(urlsplit(answer["Location"]).query)
    assert said["state"] == ["a state"]
    for name in ("error", "error_description"):
        assert DESCRIPTION.fullmatch(said.get(name, [""])[0]), said


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "parameter", ["grant_type", "scope", "code", "code_verifier", "redirect_uri", "resource"]
)
def test_an_error_of_the_token_endpoint_has_no_characters_that_it_must_not(
    client: Client, register: Register, authorize: Any, parameter: str, hostile: str
) -> None:
    """RFC 6749 section 5.2: error and error_description MUST NOT include characters outside the set."""
    registered = register()
    code = authorize(registered)["code"]
    answer = redeem(client, registered, **{"code": code, parameter: hostile})
    said = answer.json()
    assert answer.status_code in (200, 400)
    for name in ("error", "error_description"):
        assert DESCRIPTION.fullmatch(said.get(name, "")), said


@pytest.mark.urls("tests.oauth2_provider.urls")
@pytest.mark.parametrize("hostile", [value for value in HOSTILE if "\n" not in value])
def test_a_challenge_names_each_attribute_once_and_in_characters_that_it_may(
    client: Client, db: None, hostile: str
) -> None:
    """RFC 6750 section 3: error_description MUST NOT include characters outside the set, nor appear more than once."""
    for headers, query in (({"authorization": f"Bearer {hostile}"}, {}), ({}, {"access_token": hostile})):
        challenge = client.get("/resource/", query, headers=headers)["WWW-Authenticate"]
        attributes = re.findall(r'(\w+)="([^"]*)"', challenge)
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        assert challenge.startswith("Bearer")
        assert all(DESCRIPTION.fullmatch(value) for _, value in attributes)


def test_the_challenge_is_no_part_of_a_response(client: Client, register: Register, authorize: Any) -> None:
    """RFC 7636 section 4.4: MUST NOT include the code_challenge in a form that other entities can extract."""
    registered = register()
    response = authorize(registered)
    assert "code_challenge" not in response
    assert CHALLENGE not in response.values()
    tokens = redeem(client, registered, response["code"])
    assert CHALLENGE not in tokens.content.decode()


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard_of", ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_is_introspected_whatever_the_hint(
    client: Client, register: Register, exchange: Any, hint: str, kind: str
) -> None:
    """RFC 7662 section 2.1: MUST extend its search across all of its supported token types."""
    registered = register()
    data = {"token": exchange(registered)[kind], "token_type_hint": hint}
    answer = client.post("/o/introspect/", data, headers={"authorization": registered.basic})
    assert answer.json()["active"] is True


def test_parameters_sent_twice_are_refused_by_every_endpoint(
    client: Client, register: Register, exchange: Any
) -> None:
    """RFC 6749 sections 3.1 and 3.2, RFC 7009 section 2, RFC 7662 section 2.1: MUST NOT be included more than once."""
    registered = register()
    token = exchange(registered)["access_token"]
    headers = {"authorization": registered.basic}
    for path in ("token", "revoke_token", "introspect"):
        body = {
            "grant_type": "refresh_token",
            "refresh_token": "x",
            "token": [token, token],
            "scope": ["read", "read"],
        }
        answer = client.post(f"/o/{path}/", body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert AccessToken.objects.exists()


def test_a_rotated_refresh_token_is_another_and_as_long(
    client: Client, register: Register, exchange: Any
) -> None:
    """RFC 6749 section 10.4: cannot be generated, modified, or guessed to produce valid refresh tokens."""
    registered = register()
    first = exchange(registered)["refresh_token"]
    headers = {"authorization": registered.basic}
    for guess in (first[:-1], first + "x", first.swapcase(), first[::-1]):
        data = {"grant_type": "refresh_token", "refresh_token": guess}
        answer = client.post("/o/token/", data, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    second = client.post(
        "/o/token/", {"grant_type": "refresh_token", "refresh_token": first}, headers=headers
    )
    assert second.json()["refresh_token"] != first
    assert RefreshToken.objects.filter(revoked__isnull=True).count() == 1


# -- client secrets, from the outside


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        ("generated", "generated_sha256$"),
        ("chosen", "pbkdf2_sha256$"),
        ("generated elsewhere", "pbkdf2_sha256$"),
    ],
)
def test_a_stored_pbkdf2_hash_keeps_working_and_becomes_fast_only_for_a_secret_of_ours(
    client: Client, register: Register, settings: Any, kind: str, becomes: str
) -> None:
    """docs/decisions/client_secrets.md; the secrets of django-oauth-toolkit bear no tag."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
    secret = {"generated": generate_client_secret(), "chosen": "a password"}.get(kind, "x8" * 64)
    stored = make_password(secret, hasher="pbkdf2_sha256", salt="salt")
    registered = register(client_secret=stored, authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    assert Application.objects.get().client_secret == stored
    wrong = RegisteredClient(application=registered.application, secret=secret[:-1])
    right = RegisteredClient(application=registered.application, secret=secret)
    for presented, status in ((wrong, 401), (right, 200), (right, 200), (wrong, 401)):
        headers = {"authorization": presented.basic}
        answer = client.post("/o/token/", {"grant_type": "client_credentials"}, headers=headers)
        assert answer.status_code == status
    after = Application.objects.get().client_secret
    assert after.startswith(becomes)
    assert (after == stored) == (kind != "generated")
