"""What a page shows once, on the way there: encrypted in the user's session, a place for each, gone when read."""

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
"""How long a value waits for its page."""
KEPT_AT_MOST = 20
"""How many values of one session may wait; beyond, the oldest go: a session may be a cookie."""


def keep_once(request: HttpRequest, slot: str, value: str) -> None:
    """Keep `value` for the page that asks for `slot`, in place of what was kept for that slot before.

    A slot is a path such as "client_secret/7/own". The session holds the value as JWE (RFC 7516) under a key of
    SECRET_KEY, so that no session table has it in the clear.
    """
    payload = json.dumps({"slot": slot, "value": value, "until": time.time() + KEPT_SECONDS})
    header = {"alg": "dir", "enc": "A256GCM"}
    token = jwe.JWE(payload.encode(), protected=header, recipient=_key(settings.SECRET_KEY))
    others = {name: text for name, text in _kept(request).items() if name != slot and _value(name, text)}
    kept = [*others.items(), (slot, token.serialize(compact=True))]
    request.session[SESSION_KEY] = dict(kept[-KEPT_AT_MOST:])


def take_once(request: HttpRequest, path: str) -> list[str]:
    """Return what was kept for the slot `path` and those below it, the oldest first, and forget it.

    What waited too long is forgotten as well, and not returned. A request that shows nothing, such as HEAD, takes
    nothing.
    """
    kept = _kept(request)
    found = {slot: text for slot, text in kept.items() if slot == path or slot.startswith(f"{path}/")}
    if request.method != "GET" or not found:
        return []
    left = {slot: text for slot, text in kept.items() if slot not in found}
    request.session[SESSION_KEY] = left
    if not left:
        del request.session[SESSION_KEY]
    values = (_value(slot, text) for slot, text in found.items())
    return [value for value in values if value]


def _kept(request: HttpRequest) -> dict[str, str]:
    kept = request.session.get(SESSION_KEY)
    return kept if isinstance(kept, dict) else {}


def _value(slot: str, text: str) -> str | None:
    """Return the value in `text`; None if it is of another slot, waited too long, or cannot be read any more."""
    payload = _decrypted(text)
    if payload is None or payload["slot"] != slot or payload["until"] <= time.time():
        return None
    return str(payload["value"])


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
