"""What a client of an OAuth 2.0 server needs: an assertion to authenticate with (RFC 7523 section 2.2)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from jwcrypto import jwk, jwt
from jwcrypto.common import base64url_encode

CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS = 60


def make_client_assertion(
    client_id: str,
    audience: str,
    key: jwk.JWK | Mapping[str, Any] | str | bytes,
    alg: str = "RS256",
    *,
    lifetime: int = LIFETIME_SECONDS,
    kid: str | None = None,
    additional_claims: Mapping[str, Any] | None = None,
) -> str:
    """Return a JWT by which `client_id` authenticates once, within `lifetime` seconds, at the server `audience`.

    Send it as `client_assertion`, with CLIENT_ASSERTION_TYPE as `client_assertion_type`. `key` is a private key, as a
    JWK or PEM; for HS256 and its like the client secret. The header names `kid`, or that of a JWK. Raises ValueError
    for a key that cannot be read.
    """
    signing_key, own_kid = _signing_key(key, alg)
    header = {"alg": alg, "typ": "JWT", "kid": kid or own_kid}
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
        "jti": str(uuid.uuid4()),
        **(additional_claims or {}),
    }
    named = {name: value for name, value in header.items() if value}
    token = jwt.JWT(header=json.dumps(named), claims=json.dumps(claims), algs=[alg])
    token.make_signed_token(signing_key)
    return str(token.serialize())


def _signing_key(key: jwk.JWK | Mapping[str, Any] | str | bytes, alg: str) -> tuple[jwk.JWK, str | None]:
    """Return the key, and the name that its owner gave it: a PEM has none, whatever jwcrypto calls it."""
    if isinstance(key, jwk.JWK):
        return key, key.get("kid")
    if isinstance(key, Mapping):
        return jwk.JWK(**key), key.get("kid")
    text = key.decode() if isinstance(key, bytes) else key
    if alg.startswith("HS"):
        return jwk.JWK(kty="oct", k=base64url_encode(text)), None
    if text.lstrip().startswith("{"):
        named = jwk.JWK.from_json(text)
        return named, named.get("kid")
    return jwk.JWK.from_pem(text.encode()), None
