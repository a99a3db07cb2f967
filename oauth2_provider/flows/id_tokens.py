"""ID tokens: signed, remembered by their `jti`, read again (OpenID Connect Core 1.0 section 2, RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from jwcrypto import jwk, jwt
from jwcrypto.common import JWException

from ..models import get_application_model, get_id_token_model


def store_id_token(*, jti: UUID, user: Any, application: Any, scope: str, expires: datetime) -> Any:
    """Store what is kept of an ID token; returns the row."""
    return get_id_token_model().objects.create(
        user=user, scope=scope, expires=expires, jti=jti, application=application
    )


def signed(claims: dict[str, Any], application: Any) -> str:
    """Return `claims` as a JWT signed with the application's key, whose thumbprint is the `kid` if it is public.

    Raises ImproperlyConfigured where the application has no key.
    """
    key = application.jwk_key
    header = {"typ": "JWT", "alg": application.algorithm}
    if not key.is_symmetric:
        header["kid"] = key.thumbprint()
    token = jwt.JWT(header=json.dumps(header), claims=json.dumps(claims))
    token.make_signed_token(key)
    return str(token.serialize())


def find_application(audience: str | Sequence[str]) -> Any:
    """Return the client that `audience`, the `aud` of an ID token, names; None where there is none."""
    names = [audience] if isinstance(audience, str) else list(audience)
    return get_application_model()._default_manager.filter(client_id__in=names).first()


def find_key(token: str, application: Any) -> jwk.JWK | None:
    """Return the application's key, if it is the one that `token` says it was signed with."""
    try:
        key = application.jwk_key
    except ImproperlyConfigured:
        return None
    header = _part(token, 0)
    return key if header is not None and header.get("alg") == application.algorithm else None


def audience_of(token: str) -> Any:
    """Return the `aud` of `token`, not verified; None where it is no JWT."""
    claims = _part(token, 1)
    return claims.get("aud") if claims is not None else None


def find_id_token(token: str, key: jwk.JWK) -> Any:
    """Return the row of `token`, with user and application, if `key` signed it and it has not expired."""
    try:
        verified = jwt.JWT(key=key, jwt=token, expected_type="JWS")
        jti = UUID(json.loads(verified.claims)["jti"])
    except (JWException, ValueError, KeyError, TypeError, AttributeError):
        return None
    rows = get_id_token_model()._base_manager.select_related("user", "application")
    return rows.filter(jti=jti).first()


def _part(token: str, number: int) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        decoded = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return decoded if isinstance(decoded, dict) else None
