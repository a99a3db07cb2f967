"""JWTs that a client authenticates with: who signed them, for whom, until when, and that none is used twice.

RFC 7523 sections 2.2 and 3, OpenID Connect Core 1.0 section 9.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from jwcrypto import jwk, jws
from jwcrypto.common import JWException, base64url_decode

from ..settings import oauth2_settings
from . import client_keys

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
MAXIMUM_CHARACTERS = 16384
MAXIMUM_JTI_CHARACTERS = 255
USED = "oauth2_provider:client_assertion:{}"


class AssertionRefused(Exception):  # noqa: N818 - the fact
    """The assertion does not authenticate the client; the message says why, without quoting it."""


def client_id_of(assertion: str) -> str | None:
    """Return the client that `assertion` names as its subject, not verified; None where it is no JWT."""
    claims = _part(assertion, 1)
    subject = claims.get("sub") if claims is not None else None
    return subject if isinstance(subject, str) and subject else None


def verify(assertion: str, application: Any, *, audiences: Collection[str]) -> None:
    """Authenticate `application` by `assertion`, which cannot be used again then.

    `audiences` are the names of this server, one of which it must be for. Raises AssertionRefused.
    """
    header, claims = _part(assertion, 0), _part(assertion, 1)
    if header is None or claims is None:
        raise AssertionRefused("It is not a signed JWT in compact form.")
    _verify_signature(assertion, _keys(application, header), str(header.get("alg")))
    _check_names(claims, application.client_id, audiences)
    expires = _check_times(claims)
    _use_up(claims.get("jti"), application.client_id, expires)


def allowed_algorithms(method: str) -> list[str]:
    """Return the algorithms that a client of `method`, a token_endpoint_auth_method, may sign with."""
    return {
        "private_key_jwt": list(oauth2_settings.CLIENT_ASSERTION_PRIVATE_KEY_JWT_ALGS),
        "client_secret_jwt": list(oauth2_settings.CLIENT_ASSERTION_CLIENT_SECRET_JWT_ALGS),
    }.get(method, [])


def _keys(application: Any, header: Mapping[str, Any]) -> list[jwk.JWK]:
    """Return the keys that may have signed: of the client's own method, and none of the other kind."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise AssertionRefused("Its kid is not a string.")
    registered = application.token_endpoint_auth_method
    if registered in ("", "private_key_jwt") and algorithm in allowed_algorithms("private_key_jwt"):
        return client_keys.find_keys(application, kid)
    if registered in ("", "client_secret_jwt") and algorithm in allowed_algorithms("client_secret_jwt"):
        try:
            return [application.get_client_secret_hmac_jwk()] if application.client_secret else []
        except ImproperlyConfigured:  # a hashed secret is no key
            return []
    raise AssertionRefused("The client is not registered for this method, or the algorithm is not allowed.")


def _verify_signature(assertion: str, keys: list[jwk.JWK], algorithm: str) -> None:
    for key in keys:
        if key.get("alg") not in (None, algorithm):
            continue
        signature = jws.JWS()
        signature.allowed_algs = [algorithm]
        try:
            signature.deserialize(assertion, key)
        except (JWException, ValueError, TypeError):
            continue
        return
    raise AssertionRefused("No key of the client verifies the signature.")


def _check_names(claims: Mapping[str, Any], client_id: str, audiences: Collection[str]) -> None:
    """Refuse what another issued (RFC 7523 section 3, items 1 and 2), or for another (item 3)."""
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefused("iss and sub must be the client_id.")
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not any(name in audiences for name in named if isinstance(name, str)):
        raise AssertionRefused("aud must be this server's issuer identifier or token endpoint.")


def _check_times(claims: Mapping[str, Any]) -> float:
    """Return when the assertion ends; refuse one that has, has not begun, or ends too late (items 4 to 6)."""
    now, leeway = time.time(), oauth2_settings.CLIENT_ASSERTION_LEEWAY
    expires = _moment(claims, "exp")
    if expires is None or expires <= now - leeway:
        raise AssertionRefused("exp is missing or over.")
    longest = oauth2_settings.CLIENT_ASSERTION_MAX_LIFETIME
    if expires > now + longest + leeway:
        raise AssertionRefused(f"exp is more than {longest} seconds away.")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name)
        if begins is not None and begins > now + leeway:
            raise AssertionRefused(f"{name} is in the future.")
    return expires


def _use_up(jti: Any, client_id: str, expires: float) -> None:
    """Refuse an assertion that was presented before, or has no `jti` to know it by (item 7).

    The cache decides between requests that race; it remembers for as long as the assertion could be accepted.
    """
    if not isinstance(jti, str) or not 0 < len(jti) <= MAXIMUM_JTI_CHARACTERS:
        raise AssertionRefused("jti must be a string of 1 to 255 characters.")
    digest = hashlib.sha256(json.dumps([client_id, jti]).encode()).hexdigest()
    remembered = math.ceil(expires - time.time()) + oauth2_settings.CLIENT_ASSERTION_LEEWAY + 1
    if not cache.add(USED.format(digest), 1, timeout=remembered):
        raise AssertionRefused("It was used before.")


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a NumericDate (RFC 7519 section 2); None where the claim is not there."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise AssertionRefused(f"{name} is not a number of seconds.")
    return float(value)


def _part(assertion: str, number: int) -> dict[str, Any] | None:
    if len(assertion) > MAXIMUM_CHARACTERS or not COMPACT.fullmatch(assertion):
        return None
    try:
        decoded = json.loads(base64url_decode(assertion.split(".")[number]))
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
