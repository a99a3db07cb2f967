"""Keys that sign ID tokens: made, rotated, published (OpenID Connect Core 1.0 section 10.1)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows import signing_keys
from oauth2_provider.models import Application, SigningKey

from .conftest import RegisteredClient
from .openid import ask, redirected, verified

Register = Callable[..., RegisteredClient]
ALGORITHMS = ["RS256", "ES256", "EdDSA"]
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@pytest.fixture
def keyless(oidc: dict[str, Any], settings: Any, db: None) -> dict[str, Any]:
    """A provider without a key in its settings."""
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_RSA_PRIVATE_KEY": "", "OIDC_RSA_PRIVATE_KEYS_INACTIVE": []}
    return settings.OAUTH2_PROVIDER


def published(client: Client) -> list[dict[str, Any]]:
    return client.get("/o/.well-known/jwks.json").json()["keys"]


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def make_older(key: SigningKey, **age: int) -> None:
    SigningKey.objects.filter(pk=key.pk).update(created=timezone.now() - timedelta(**age))


@every_algorithm
def test_a_key_signs_with_the_hashes_of_its_algorithm(
    client: Client, keyless: Any, register: Register, authorize: Any, algorithm: str
) -> None:
    """OpenID Connect Core 1.0 sections 3.3.2.11 (at_hash, c_hash REQUIRED) and 10.1 (kid MUST be there)."""
    call_command("createsigningkey", algorithm)
    registered = register(algorithm=algorithm, authorization_grant_type=Application.GRANT_OPENID_HYBRID)
    answer = authorize(registered, scope="openid", response_type="code id_token token", nonce="n")
    claims = verified(client, answer["id_token"], algorithm=algorithm)
    digest = hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256
    for name, value in (("at_hash", answer["access_token"]), ("c_hash", answer["code"])):
        whole = digest(value.encode()).digest()
        half = base64.urlsafe_b64encode(whole[: len(whole) // 2]).decode().rstrip("=")
        assert claims[name] == half
    assert header_of(answer["id_token"])["kid"] == SigningKey.objects.get().kid


@every_algorithm
def test_a_rotation_breaks_nothing(
    client: Client, keyless: Any, register: Register, exchange: Any, algorithm: str
) -> None:
    """OpenID Connect Core 1.0 section 10.1.1: the next key is published before it signs, the old one after."""
    call_command("createsigningkey", algorithm)
    call_command("createsigningkey", algorithm)
    active, following = SigningKey.objects.order_by("pk")
    assert (active.state, following.state) == ("active", "next")
    registered = register(algorithm=algorithm)
    before = exchange(registered, scope="openid")["id_token"]
    assert header_of(before)["kid"] == active.kid
    assert [key["kid"] for key in published(client)] == [active.kid, following.kid]

    make_older(following, seconds=3601)
    call_command("rotatesigningkeys", algorithm)

    after = exchange(registered, scope="openid")["id_token"]
    assert header_of(after)["kid"] == following.kid
    assert {key["kid"] for key in published(client)} >= {active.kid, following.kid}
    assert len(published(client)) == 3  # the one after is published already
    for token in (before, after):
        assert verified(client, token, algorithm=algorithm)["aud"] == registered.application.client_id
        assert "code" in redirected(ask(client, registered, prompt="none", id_token_hint=token))


def test_no_private_part_is_published(client: Client, keyless: Any) -> None:
    for algorithm in ALGORITHMS:
        call_command("createsigningkey", algorithm)
    keys = published(client)
    assert [key["alg"] for key in keys] == ALGORITHMS
    private = {"d", "p", "q", "dp", "dq", "qi", "k"}
    assert all(not private & key.keys() and key["use"] == "sig" and key["kid"] for key in keys)


def test_a_key_is_stored_encrypted_and_outlives_a_new_secret_key(keyless: Any, settings: Any) -> None:
    call_command("createsigningkey", "ES256")
    key = SigningKey.objects.get()
    assert key.jwk.export_private(as_dict=True)["d"] not in key.encrypted
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert key.jwk.thumbprint() == key.kid
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        key.jwk  # noqa: B018


def test_a_key_that_clients_may_not_know_yet_does_not_sign(keyless: Any) -> None:
    call_command("createsigningkey", "ES256")
    with pytest.raises(CommandError, match="createsigningkey ES256"):
        call_command("rotatesigningkeys", "ES256")
    call_command("createsigningkey", "ES256")
    with pytest.raises(CommandError, match="Clients may keep a key set without the next key until"):
        call_command("rotatesigningkeys", "ES256")
    call_command("rotatesigningkeys", "ES256", force=True)
    assert [key.state for key in SigningKey.objects.order_by("pk")] == ["retired", "active", "next"]


def test_a_retired_key_goes_when_nothing_it_signed_is_left(keyless: Any) -> None:
    call_command("createsigningkey", "ES256")
    first = SigningKey.objects.get()
    call_command("createsigningkey", "ES256")
    call_command("rotatesigningkeys", "ES256", force=True)
    call_command("rotatesigningkeys", "ES256", force=True, keep_days=0)
    assert SigningKey.objects.filter(pk=first.pk).exists()  # ID tokens live ten hours
    SigningKey.objects.filter(pk=first.pk).update(retired=timezone.now() - timedelta(days=2))
    call_command("rotatesigningkeys", "ES256", force=True, keep_days=1)
    assert not SigningKey.objects.filter(pk=first.pk).exists()


def test_the_key_of_the_settings_signs_before_those_of_the_table(client: Client, oidc: Any, db: None) -> None:
    key = signing_keys.create_key("RS256")
    assert key.state == "next"
    assert [one["kid"] for one in published(client)][-1] == key.kid
    assert len(published(client)) == 3


def test_the_key_set_may_be_cached_for_as_long_as_the_site_says(
    client: Client, keyless: dict[str, Any], settings: Any
) -> None:
    """OpenID Connect Core 1.0 section 10.1.1: Cache-Control with a max-age."""
    settings.OAUTH2_PROVIDER = {**keyless, "OIDC_JWKS_MAX_AGE_SECONDS": 120}
    assert "max-age=120" in client.get("/o/.well-known/jwks.json")["Cache-Control"]
    call_command("createsigningkey", "ES256")
    call_command("createsigningkey", "ES256")
    make_older(SigningKey.objects.order_by("pk")[1], seconds=121)
    call_command("rotatesigningkeys", "ES256")


def test_an_application_takes_only_an_algorithm_that_has_a_key(keyless: Any, register: Register) -> None:
    application = register().application
    application.algorithm = "EdDSA"
    with pytest.raises(ValidationError, match="createsigningkey EdDSA"):
        application.clean()
    call_command("createsigningkey", "EdDSA")
    application.clean()


def test_a_client_whose_key_is_gone_hears_of_it(
    client: Client, keyless: Any, register: Register, authorize: Any, exchange: Any
) -> None:
    """RFC 6749 section 4.1.2.1: an error that the client understands, and none of the server."""
    call_command("createsigningkey", "ES256")
    registered = register(algorithm="ES256")
    tokens = exchange(registered, scope="openid")
    code = authorize(registered, scope="openid")["code"]
    SigningKey.objects.all().delete()
    assert redirected(ask(client, registered))["error"] == "invalid_scope"
    answer = client.post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://client.example/callback",
            "code_verifier": "a-code-verifier-of-more-than-forty-three-characters",
        },
        headers={"authorization": registered.basic},
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "server_error")
    refreshed = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": registered.basic},
    )
    assert refreshed.status_code == 200
    assert "id_token" not in refreshed.json()


def test_a_client_whose_secret_is_too_short_to_sign_hears_of_it(
    client: Client, oidc: Any, register: Register, authorize: Any
) -> None:
    """OpenID Connect Core 1.0 sections 10.1, 16.19: an HS256 secret MUST have 256 bits; nothing is signed with less."""
    registered = register(algorithm="HS256", hash_client_secret=False)
    code = authorize(registered, scope="openid")["code"]
    Application.objects.update(client_secret="x" * 31)
    with pytest.raises(ImproperlyConfigured, match="at least 32 bytes"):
        Application.objects.get().jwk_key  # noqa: B018
    assert redirected(ask(client, registered))["error"] == "invalid_scope"
    answer = client.post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://client.example/callback",
            "code_verifier": "a-code-verifier-of-more-than-forty-three-characters",
            "client_id": registered.application.client_id,
            "client_secret": "x" * 31,
        },
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "server_error")
    assert "x" * 31 not in answer.content.decode()


# -- subjects


def test_pairwise_subjects_are_of_one_sector(
    client: Client, oidc: Any, settings: Any, register: Register, exchange: Any, user: Any
) -> None:
    """OpenID Connect Core 1.0 section 8.1: different for each sector, MUST NOT be reversible."""
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_PAIRWISE_SUBJECT_SALT": "a salt"}
    pairwise = {"algorithm": "RS256", "subject_type": "pairwise"}
    clients = {
        "public": register(algorithm="RS256"),
        "one": register(**pairwise),
        "same host": register(**pairwise),
        "another sector": register(**pairwise, sector_identifier_uri="https://sector.example/uris.json"),
    }
    subjects = {}
    for name, registered in clients.items():
        tokens = exchange(registered, scope="openid")
        subjects[name] = verified(client, tokens["id_token"])["sub"]
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        # section 5.3.2: the sub of the UserInfo response MUST be that of the ID token
        assert client.get("/o/userinfo/", headers=bearer).json()["sub"] == subjects[name]
        assert "code" in redirected(ask(client, registered, prompt="none", id_token_hint=tokens["id_token"]))
        asked = json.dumps({"id_token": {"sub": {"value": subjects[name]}}})
        assert "code" in redirected(ask(client, registered, prompt="none", claims=asked))
    assert subjects["public"] == str(user.pk)
    assert subjects["one"] == subjects["same host"]
    assert len(set(subjects.values())) == 3
    assert str(user.pk) not in (subjects["one"], subjects["another sector"])


def test_a_pairwise_subject_takes_a_salt_and_a_sector(oidc: Any, settings: Any, register: Register) -> None:
    """OpenID Connect Core 1.0 section 8.1: several hosts MUST have a sector_identifier_uri."""
    application = register(algorithm="RS256").application
    application.subject_type = "pairwise"
    with pytest.raises(ValidationError, match="OIDC_PAIRWISE_SUBJECT_SALT"):
        application.clean()
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_PAIRWISE_SUBJECT_SALT": "a salt"}
    application.clean()
    application.redirect_uris += " https://elsewhere.example/"
    with pytest.raises(ValidationError, match="sector_identifier_uri"):
        application.clean()


def test_a_pairwise_client_without_a_salt_is_refused(
    client: Client, oidc: Any, register: Register, user: Any
) -> None:
    client.force_login(user)
    registered = register(algorithm="RS256", subject_type="pairwise")
    assert redirected(ask(client, registered))["error"] == "invalid_scope"
