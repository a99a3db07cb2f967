"""What a page shows once, on the way there: encrypted in the user's session, gone when it is read."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from jwcrypto import jwe, jwk
from jwcrypto.common import JWException, base64url_encode

SESSION_KEY = "oauth2_provider.one_time"
KEPT_SECONDS = 300
"""How long the value waits for its page."""


def keep_once(request: HttpRequest, slot: str, value: str) -> None:
    """Keep `value` for the page that asks for `slot`, in place of what was kept before.

    The session holds it as JWE (RFC 7516) under a key of SECRET_KEY, so that no session table has it in the clear.
    """
    payload = json.dumps({"slot": slot, "value": value, "until": time.time() + KEPT_SECONDS})
    header = {"alg": "dir", "enc": "A256GCM"}
    token = jwe.JWE(payload.encode(), protected=header, recipient=_key(settings.SECRET_KEY))
    request.session[SESSION_KEY] = token.serialize(compact=True)


def take_once(request: HttpRequest, slot: str) -> str | None:
    """Return what was kept for `slot` and forget it; None where there is nothing, or it waited too long."""
    kept = request.session.get(SESSION_KEY)
    payload = _decrypted(kept) if kept and request.method == "GET" else None
    if payload is None or payload["slot"] != slot:
        return None
    del request.session[SESSION_KEY]
    return str(payload["value"]) if payload["until"] > time.time() else None


def _decrypted(text: str) -> dict[str, Any] | None:
    """Return what `text` says; None if the site has another key by now."""
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        token = jwe.JWE()
        with suppress(JWException):
            token.deserialize(text, key=_key(secret_key))
            return dict(json.loads(token.payload))
    return None


def _key(secret_key: str | bytes) -> jwk.JWK:
    digest = salted_hmac(SESSION_KEY, "key", secret=secret_key, algorithm="sha256").digest()
    return jwk.JWK(kty="oct", k=base64url_encode(digest))
