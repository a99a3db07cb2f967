"""Small helpers with a public name."""

from __future__ import annotations

import functools
import secrets
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from jwcrypto import jwk

from .settings import oauth2_settings

USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants only: no look-alikes, no words (RFC 8628 section 6.1)."""


@functools.lru_cache
def jwk_from_pem(pem_string: str) -> jwk.JWK:
    """Return the key in `pem_string`. Cached: parsing a key costs more than signing with it."""
    return jwk.JWK.from_pem(pem_string.encode("utf-8"))


def get_timezone(time_zone: str) -> tzinfo:
    """Return the zone named `time_zone`: from zoneinfo, or from pytz under USE_DEPRECATED_PYTZ."""
    if getattr(settings, "USE_DEPRECATED_PYTZ", False):
        import pytz

        return pytz.timezone(time_zone)
    return ZoneInfo(time_zone)


def parse_bearer_token(auth_header: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer` header, or None (RFC 6750 section 2.1)."""
    scheme, _, token = (auth_header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return token.strip()


def user_code_generator(user_code_length: int = 8) -> str:
    """Return a random user code of `user_code_length` characters (RFC 8628 section 6.1).

    Raises ValueError for a length that is not positive.
    """
    if user_code_length < 1:
        raise ValueError("user_code_length must be at least 1")
    return "".join(secrets.choice(USER_CODE_ALPHABET) for _ in range(user_code_length))


def set_oauthlib_user_to_device_request_user(request: Any) -> None:
    """Set the oauthlib request's user to the one who authorized the device code, if any did."""
    device_grant_model = apps.get_model(oauth2_settings.DEVICE_GRANT_MODEL)
    device_code = request._params.get("device_code")
    device_grant = device_grant_model.objects.filter(device_code=device_code).first()
    if device_grant is not None:
        request.user = device_grant.user
