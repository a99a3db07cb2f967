"""How client secrets are stored and compared.

A generated secret (see `generators`) has hundreds of bits; stretching adds nothing to it. It is stored as one
salted SHA-256 and verified in microseconds. A secret that a person chose goes through PASSWORD_HASHERS. A
failed check costs one password hash whoever the client is, known or not, so its duration tells nothing.
"""

from __future__ import annotations

import base64
import hashlib

from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.utils.crypto import constant_time_compare, get_random_string

from .generators import is_generated_secret
from .settings import oauth2_settings

FAST_ALGORITHM = "generated_sha256"
"""First part of `generated_sha256$<salt>$<base64 of SHA-256(salt + secret)>`."""


def hash_client_secret(secret: str, *, is_generated: bool | None = None) -> str:
    """Return `secret` as it is stored.

    `is_generated` says that this server made the secret at random; None finds out by the secret's own tag.
    A CLIENT_SECRET_HASHER other than "default" is used for every secret.
    """
    hasher = oauth2_settings.CLIENT_SECRET_HASHER
    if is_generated is None:
        is_generated = is_generated_secret(secret)
    if is_generated and hasher == "default":
        return fast_hash(secret)
    return make_password(secret, hasher=hasher)


def is_hashed_secret(stored: str) -> bool:
    """Tell whether `stored` is a hash: ours, or one of PASSWORD_HASHERS."""
    if stored.startswith(f"{FAST_ALGORITHM}$"):
        return True
    try:
        identify_hasher(stored)
    except ValueError:
        return False
    return True


def check_client_secret(secret: str, stored: str) -> bool:
    """Compare a presented secret with a stored one, hashed or plain, in constant time.

    Costs nothing extra when it fails: the caller ends a failed authentication with `waste_time`, once.
    """
    if stored.startswith(f"{FAST_ALGORITHM}$"):
        salt = stored.split("$")[1]
        return constant_time_compare(_fast_hash(secret, salt), stored)
    if is_hashed_secret(stored):
        return check_password(secret, stored)
    return constant_time_compare(secret, stored)


def costs_password_hash(stored: str) -> bool:
    """Tell whether comparing with `stored` already takes as long as a password hash."""
    return not stored.startswith(f"{FAST_ALGORITHM}$") and is_hashed_secret(stored)


def needs_upgrade(secret: str, stored: str) -> bool:
    """Tell whether a verified `secret` should be stored anew: a generated one under a slow hash."""
    if oauth2_settings.CLIENT_SECRET_HASHER != "default" or not costs_password_hash(stored):
        return False
    return is_generated_secret(secret)


def waste_time(secret: str) -> None:
    """Spend what one password hash takes."""
    make_password(secret, hasher=oauth2_settings.CLIENT_SECRET_HASHER)


def fast_hash(secret: str) -> str:
    """Return one salted SHA-256 of `secret`, which must be at random and of 128 bits or more."""
    return _fast_hash(secret, get_random_string(16))


def _fast_hash(secret: str, salt: str) -> str:
    digest = hashlib.sha256(f"{salt}{secret}".encode()).digest()
    return f"{FAST_ALGORITHM}${salt}${base64.b64encode(digest).decode()}"
