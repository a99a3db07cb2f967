"""ID tokens: signed, remembered by their `jti`, read again (OpenID Connect Core 1.0 section 2, RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from jwcrypto import jwk, jws, jwt
from jwcrypto.common import JWException

from ..models import AbstractApplication, get_application_model, get_id_token_model
from . import signing_keys
from .subjects import sector_of, subject_of


@dataclass(frozen=True, kw_only=True)
class Hint:
    """An ID token that comes back: its claims, whom it was for, and its row as far as that is left."""

    claims: dict[str, Any]
    application: Any
    row: Any

    def names(self, user: Any) -> bool:
        """Tell whether the ID token is about `user`."""
        if self.row is not None:
            return bool(self.row.user_id == user.pk)
        return bool(self.claims.get("sub") == subject_of(user, self.application))

    def is_expired(self) -> bool:
        """Tell whether its time has passed."""
        return is_expired(self.claims)


def check_issuable(application: Any) -> None:
    """Raise ImproperlyConfigured where `application` can be issued no ID token: it lacks a key, or a sector."""
    application.jwk_key  # noqa: B018 - raises
    sector_of(application)


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


def half_hash(value: str, algorithm: str) -> str:
    """Return the `at_hash` or `c_hash` of `value`: half of the hash that `algorithm` signs (section 3.1.3.6).

    Ed25519 hashes with SHA-512, the other algorithms of this server with SHA-256.
    """
    name = "sha512" if algorithm == AbstractApplication.EDDSA_ALGORITHM else "sha256"
    digest = hashlib.new(name, value.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


def find_application(audience: Any) -> Any:
    """Return the client that `audience`, the unverified `aud` of an ID token, names; None where there is none."""
    listed = audience if isinstance(audience, list) else [audience]
    names = [name for name in listed if isinstance(name, str) and name.isprintable()]
    return get_application_model()._default_manager.filter(client_id__in=names).first()


def find_key(token: str, application: Any) -> jwk.JWK | None:
    """Return the key of this server, or the application's secret, that `token` says it was signed with."""
    header = _part(token, 0)
    if header is None or not application.algorithm or header.get("alg") != application.algorithm:
        return None
    if application.algorithm != application.HS256_ALGORITHM:
        return signing_keys.find_key(application.algorithm, header.get("kid"))
    try:
        return application.jwk_key
    except ImproperlyConfigured:
        return None


def audience_of(token: str) -> Any:
    """Return the `aud` of `token`, not verified; None where it is no JWT."""
    claims = _part(token, 1)
    return claims.get("aud") if claims is not None else None


def find_id_token(token: str, key: jwk.JWK) -> Any:
    """Return the row of `token`, with user and application, if `key` signed it and it has not expired."""
    claims = read(token, key)
    return _find_row(claims) if claims is not None and not is_expired(claims) else None


def read_hint(token: str, application: Any) -> Hint | None:
    """Return what an `id_token_hint` for `application` says, expired or not; None where it is none of this server.

    Its row may have been cleared away (section 3.1.2.1, RP-Initiated Logout 1.0 section 2).
    """
    key = find_key(token, application)
    claims = read(token, key) if key is not None else None
    return None if claims is None else Hint(claims=claims, application=application, row=_find_row(claims))


def read(token: str, key: jwk.JWK) -> dict[str, Any] | None:
    """Return the claims of `token`, expired or not, if `key` signed it."""
    signature = jws.JWS()
    signature.allowed_algs = [name for name, _ in AbstractApplication.ALGORITHM_TYPES if name]
    try:
        signature.deserialize(token, key)
        claims = json.loads(signature.payload)
    except (JWException, ValueError, TypeError, AttributeError):
        return None
    return claims if isinstance(claims, dict) else None


def is_expired(claims: dict[str, Any]) -> bool:
    """Tell whether `exp` has passed; claims without one count as expired."""
    expires = claims.get("exp")
    return not isinstance(expires, int | float) or expires <= time.time()


def _find_row(claims: dict[str, Any]) -> Any:
    try:
        jti = UUID(claims["jti"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return get_id_token_model()._base_manager.select_related("user", "application").filter(jti=jti).first()


def _part(token: str, number: int) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        decoded = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return decoded if isinstance(decoded, dict) else None
