"""How client secrets are stored and compared."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import identify_hasher, make_password
from django.test import override_settings

from oauth2_provider.generators import generate_client_secret
from oauth2_provider.hashers import (
    check_client_secret,
    costs_password_hash,
    hash_client_secret,
    is_hashed_secret,
    needs_upgrade,
)

CHOSEN = "chosen by a person"


def test_a_generated_secret_gets_the_fast_salted_hash() -> None:
    secret = generate_client_secret()
    stored = hash_client_secret(secret)

    assert stored.startswith("generated_sha256$")
    assert secret not in stored
    assert stored != hash_client_secret(secret), "the salt"
    assert check_client_secret(secret, stored)
    assert not check_client_secret(secret[:-1], stored)


def test_a_chosen_secret_goes_through_password_hashers() -> None:
    stored = hash_client_secret(CHOSEN)

    assert identify_hasher(stored).algorithm == "md5"
    assert check_client_secret(CHOSEN, stored)
    assert not check_client_secret("another", stored)


def test_the_caller_may_say_where_a_secret_comes_from() -> None:
    assert hash_client_secret(CHOSEN, is_generated=True).startswith("generated_sha256$")
    assert hash_client_secret(generate_client_secret(), is_generated=False).startswith("md5$")


def test_a_configured_hasher_takes_every_secret() -> None:
    with override_settings(OAUTH2_PROVIDER={"CLIENT_SECRET_HASHER": "md5"}):
        assert hash_client_secret(generate_client_secret()).startswith("md5$")


def test_a_hash_that_was_there_before_goes_on_working() -> None:
    stored = make_password(CHOSEN, hasher="pbkdf2_sha256", salt="salt")

    assert check_client_secret(CHOSEN, stored)
    assert not check_client_secret(CHOSEN + " ", stored)


@pytest.mark.parametrize("secret", [CHOSEN, "ünïcode", "with$dollar$signs"])
def test_a_plain_secret_is_compared_as_it_is(secret: str) -> None:
    assert check_client_secret(secret, secret)
    assert not check_client_secret(secret + "x", secret)
    assert not check_client_secret("", secret)


@pytest.mark.parametrize(
    ("stored", "is_hashed", "is_slow"),
    [
        ("generated_sha256$salt$digest", True, False),
        ("pbkdf2_sha256$1$salt$digest", True, True),
        ("md5$salt$digest", True, True),
        ("plain", False, False),
        ("not_a_hasher$salt$digest", False, False),
        ("", False, False),
    ],
)
def test_hashes_are_known_by_their_first_part(stored: str, is_hashed: bool, is_slow: bool) -> None:
    assert is_hashed_secret(stored) is is_hashed
    assert costs_password_hash(stored) is is_slow


@pytest.mark.parametrize("stored", ["generated_sha256$", "generated_sha256$salt", "generated_sha256$$"])
def test_a_damaged_hash_matches_nothing(stored: str) -> None:
    assert not check_client_secret("", stored)
    assert not check_client_secret(stored, stored)


def test_only_a_generated_secret_under_a_slow_hash_is_stored_anew() -> None:
    generated = generate_client_secret()

    assert needs_upgrade(generated, make_password(generated))
    assert not needs_upgrade(CHOSEN, make_password(CHOSEN))
    assert not needs_upgrade(generated, hash_client_secret(generated))
    assert not needs_upgrade(generated, generated)
    with override_settings(OAUTH2_PROVIDER={"CLIENT_SECRET_HASHER": "md5"}):
        assert not needs_upgrade(generated, make_password(generated))
