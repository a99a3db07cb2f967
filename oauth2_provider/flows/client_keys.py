"""The public keys of clients: kept with the application, or fetched from where it says they are (RFC 7517)."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ValidationError
from jwcrypto import jwk
from jwcrypto.common import JWException

from ..safe_fetch import FetchError
from ..settings import oauth2_settings

logger = logging.getLogger("oauth2_provider")
KEY = "oauth2_provider:client_jwks:{}:{}"
MAXIMUM_KEYS = 50


def find_keys(application: Any, kid: str | None) -> list[jwk.JWK]:
    """Return the client's public keys that may have made a signature which names `kid`; maybe none.

    A key set that is fetched is kept for CLIENT_ASSERTION_JWKS_CACHE_TIMEOUT seconds. One that has no key `kid` is
    fetched again, as the client may have a new key, but no more often than every
    CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS; and so is one that could not be fetched.
    """
    if application.client_jwks:
        try:
            return _named(list(application.get_client_signing_jwks()), kid)
        except ValidationError:
            return []
    if not application.client_jwks_uri:
        return []
    uri = application.client_jwks_uri
    document = cache.get(_key("document", uri))
    keys = _named(_parsed(document), kid) if document is not None else []
    if keys or not _may_fetch(uri):
        return keys
    return _named(_parsed(_fetched(uri)), kid)


def _fetched(uri: str) -> str | None:
    """Return the document at `uri`, kept in the cache; None where it cannot be had."""
    fetcher = oauth2_settings.CLIENT_ASSERTION_JWKS_FETCHER(
        timeout_seconds=oauth2_settings.CLIENT_ASSERTION_JWKS_FETCH_TIMEOUT_SECONDS,
        max_bytes=oauth2_settings.CLIENT_ASSERTION_JWKS_MAX_SIZE,
    )
    try:
        document = fetcher.get(uri).body.decode("utf-8")
    except (FetchError, UnicodeDecodeError) as error:
        logger.warning(
            "a client's keys cannot be fetched",
            extra={"action": "client_jwks_unreachable", "uri": uri, "cause": str(error)},
        )
        return None
    timeout = oauth2_settings.CLIENT_ASSERTION_JWKS_CACHE_TIMEOUT
    cache.set(_key("document", uri), document, timeout=timeout)
    return str(document)


def _may_fetch(uri: str) -> bool:
    """Tell whether `uri` was not asked lately; from now on it was."""
    backoff = oauth2_settings.CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS
    return backoff <= 0 or cache.add(_key("asked", uri), 1, timeout=backoff)


def _parsed(document: str | None) -> list[jwk.JWK]:
    """Return the public keys in a JWK Set; keys that are secret, private or not understood are left out."""
    if document is None:
        return []
    try:
        keys = list(jwk.JWKSet.from_json(document))
    except (JWException, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [key for key in keys[:MAXIMUM_KEYS] if not (key.is_symmetric or key.has_private)]


def _named(keys: list[jwk.JWK], kid: str | None) -> list[jwk.JWK]:
    """Return the signing keys that `kid` may mean (RFC 7515 section 4.1.4): keys need no name, nor need headers."""
    signing = [key for key in keys if key.get("use") in (None, "sig")]
    return signing if kid is None else [key for key in signing if key.get("kid") in (None, kid)]


def _key(kind: str, uri: str) -> str:
    return KEY.format(kind, hashlib.sha256(uri.encode()).hexdigest())
