"""Client identifiers and secrets."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from django.test import override_settings
from django.utils.crypto import RANDOM_STRING_CHARS

from oauth2_provider.generators import (
    BaseHashGenerator,
    generate_client_id,
    generate_client_secret,
    generate_token,
    is_generated_secret,
)


def test_the_base_generator_leaves_hash_to_its_subclasses() -> None:
    with pytest.raises(NotImplementedError):
        BaseHashGenerator().hash()


def test_client_ids_are_forty_letters_and_digits_without_a_colon() -> None:
    """RFC 7617 section 2: a colon ends the user-id."""
    first, second = generate_client_id(), generate_client_id()

    assert re.fullmatch(r"[A-Za-z0-9]{40}", first)
    assert first != second


@pytest.mark.parametrize("length", [8, 37, 38, 128, 200])
def test_client_secrets_have_the_length_of_the_setting(length: int) -> None:
    with override_settings(OAUTH2_PROVIDER={"CLIENT_SECRET_GENERATOR_LENGTH": length}):
        assert re.fullmatch(rf"[A-Za-z0-9]{{{length}}}", generate_client_secret())


def test_tokens_are_thirty_letters_and_digits_each_as_likely_as_the_other() -> None:
    """RFC 6749 section 10.10: the probability of guessing one must be at most 2 to the -128th."""
    tokens = [generate_token() for _ in range(2000)]

    assert all(re.fullmatch(r"[A-Za-z0-9]{30}", token) for token in tokens)
    assert len(set(tokens)) == len(tokens)
    counts = Counter("".join(tokens))
    expected = 2000 * 30 / 62
    # chi-squared with 61 degrees of freedom: above 150 once in 500 million runs
    assert sum((counts[letter] - expected) ** 2 / expected for letter in RANDOM_STRING_CHARS) < 150


def test_another_generator_can_be_named_in_settings() -> None:
    named = "tests.oauth2_provider.dotted.OtherGenerator"
    with override_settings(
        OAUTH2_PROVIDER={"CLIENT_ID_GENERATOR_CLASS": named, "CLIENT_SECRET_GENERATOR_CLASS": named}
    ):
        assert (generate_client_id(), generate_client_secret()) == ("another", "another")


def test_a_generated_secret_is_told_from_one_that_a_person_chose() -> None:
    secret = generate_client_secret()

    assert is_generated_secret(secret)
    assert not is_generated_secret(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    assert not is_generated_secret(secret[1:])
    assert not is_generated_secret("correct horse battery staple, forty characters")
    assert not is_generated_secret("ü" * 128)
    assert not is_generated_secret("")


def test_a_secret_too_short_for_a_tag_counts_as_chosen() -> None:
    with override_settings(OAUTH2_PROVIDER={"CLIENT_SECRET_GENERATOR_LENGTH": 37}):
        assert not is_generated_secret(generate_client_secret())


def test_a_generated_secret_is_known_while_its_key_is_a_fallback_and_no_longer() -> None:
    with override_settings(SECRET_KEY="old"):
        secret = generate_client_secret()

    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["other", "old"]):
        assert is_generated_secret(secret)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
        assert not is_generated_secret(secret)
