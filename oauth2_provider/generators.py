"""Client identifiers and client secrets (RFC 6749 sections 2.2 and 2.3.1).

A generated secret proves its origin: its last 16 characters are a keyed tag over the rest, so that
`is_generated_secret` can tell it from one that a person chose, wherever it comes back from. See
docs/decisions for why that matters to how the secret is stored.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.utils.crypto import RANDOM_STRING_CHARS, constant_time_compare, get_random_string, salted_hmac

from .settings import oauth2_settings

CLIENT_ID_LENGTH = 40
TAG_LENGTH = 16
TAGGED_MINIMUM_LENGTH = 22 + TAG_LENGTH
"""Below this a tag would leave the secret less than 128 bits of its own (22 characters of 62)."""
TOKEN_LENGTH = 30
"""178 bits; RFC 6749 section 10.10 wants 128 at the least, and 160."""
_TAG_SALT = "oauth2_provider.generators.generated_secret"


class BaseHashGenerator:
    """What a CLIENT_ID_GENERATOR_CLASS or CLIENT_SECRET_GENERATOR_CLASS implements."""

    def hash(self) -> str:
        """Return a new value."""
        raise NotImplementedError


class ClientIdGenerator(BaseHashGenerator):
    def hash(self) -> str:
        """Return 40 letters and digits: no colon, which separates the parts of HTTP Basic (RFC 7617)."""
        return get_random_string(CLIENT_ID_LENGTH)


class ClientSecretGenerator(BaseHashGenerator):
    def hash(self) -> str:
        """Return CLIENT_SECRET_GENERATOR_LENGTH letters and digits, the last of them the tag of origin."""
        length = oauth2_settings.CLIENT_SECRET_GENERATOR_LENGTH
        if length < TAGGED_MINIMUM_LENGTH:
            return get_random_string(length)
        body = get_random_string(length - TAG_LENGTH)
        return body + _tag(body, settings.SECRET_KEY)


def generate_client_id() -> str:
    """Return a new client identifier from CLIENT_ID_GENERATOR_CLASS."""
    return oauth2_settings.CLIENT_ID_GENERATOR_CLASS().hash()


def generate_client_secret() -> str:
    """Return a new client secret from CLIENT_SECRET_GENERATOR_CLASS."""
    return oauth2_settings.CLIENT_SECRET_GENERATOR_CLASS().hash()


def generate_strong_client_secret() -> str:
    """Return a secret that a fast hash may keep: the site's generator's, or ours where that makes shorter ones."""
    secret = generate_client_secret()
    if len(secret) >= TAGGED_MINIMUM_LENGTH:
        return secret
    body = get_random_string(TAGGED_MINIMUM_LENGTH)
    return body + _tag(body, settings.SECRET_KEY)


def generate_token(request: Any = None, refresh_token: bool = False) -> str:
    """Return a new access or refresh token, where ACCESS_TOKEN_GENERATOR is None: 30 letters and digits.

    What oauthlib makes, by one read of randomness in place of thirty. Of 256 bits, so that no digit is more likely
    than another by more than 2 to the -77th.
    """
    return _in_letters(os.urandom(32), TOKEN_LENGTH)


def is_generated_secret(secret: str) -> bool:
    """Tell whether `secret` came from ClientSecretGenerator under SECRET_KEY or one of its fallbacks."""
    if len(secret) < TAGGED_MINIMUM_LENGTH or not secret.isascii():
        return False
    body, tag = secret[:-TAG_LENGTH], secret[-TAG_LENGTH:]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any([constant_time_compare(_tag(body, key), tag) for key in keys])  # noqa: C419 - every key, always


def _tag(body: str, key: str | bytes) -> str:
    return _in_letters(salted_hmac(_TAG_SALT, body, secret=key, algorithm="sha256").digest(), TAG_LENGTH)


def _in_letters(digest: bytes, length: int) -> str:
    """Return the lowest `length` digits of a number in base 62, as letters and digits."""
    number = int.from_bytes(digest, "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(RANDOM_STRING_CHARS))
        characters.append(RANDOM_STRING_CHARS[index])
    return "".join(characters)
