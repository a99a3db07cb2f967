"""A resource server asking an authorization server about a token (RFC 7662), and remembering the answer.

Answers are kept in the Django cache, under a checksum of the token: positive ones no longer than the token lives and
RESOURCE_SERVER_TOKEN_CACHING_SECONDS, negative ones for NEGATIVE_CACHING_SECONDS. No row is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import requests
from django.core.cache import cache
from django.db import DataError
from django.utils import timezone
from jwcrypto.common import JWException

from ..client import CLIENT_ASSERTION_TYPE, make_client_assertion
from ..models import get_access_token_model, set_token_value, token_checksum
from ..settings import oauth2_settings

logger = logging.getLogger("oauth2_provider")

NEGATIVE_CACHING_SECONDS = 10
KEY = "oauth2_provider:introspection:{}"
TEXTS = ("scope", "username", "client_id", "token_type", "sub")


def find_remote_access_token(
    token: str,
    url: str,
    *,
    bearer: str | None,
    credentials: tuple[str, str] | None,
    get_user: Callable[[dict[str, Any]], Any],
) -> Any:
    """Return an unsaved AccessToken with what the server at `url` says of `token`; None if it is not active.

    The resource server authenticates by `bearer`, by `credentials` (client id and secret), or by a JWT where
    RESOURCE_SERVER_INTROSPECTION_JWT_CLIENT_ID says as which client. A server that cannot be
    asked vouches for nothing: None as well, and not remembered.
    """
    key = KEY.format(token_checksum(token))
    content = cache.get(key)
    if content is None:
        content = _ask(token, url, bearer=bearer, credentials=credentials)
        if content is None:
            return None
        cache.set(key, content, _caching_seconds(content))
    if not _is_live_access_token(content):
        return None
    try:
        return _access_token(token, content, get_user)
    except (DataError, ValueError) as exc:
        extra = {"action": "introspection_user_impossible", "reason": type(exc).__name__}
        logger.exception("the user of an introspection response cannot be stored", extra=extra)
        return None


def _ask(
    token: str, url: str, *, bearer: str | None, credentials: tuple[str, str] | None
) -> dict[str, Any] | None:
    uses_jwt = bool(oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_CLIENT_ID)
    if uses_jwt:
        bearer = credentials = None
    try:
        response = requests.post(
            url,
            data={
                "token": token,
                "token_type_hint": "access_token",
                **(_assertion(url) if uses_jwt else {}),
            },
            headers={"Authorization": f"Bearer {bearer}"} if bearer and not credentials else {},
            auth=_basic(*credentials) if credentials else None,
            timeout=oauth2_settings.RESOURCE_SERVER_INTROSPECTION_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        response.raise_for_status()
        content = response.json() if response.status_code == 200 else None  # a redirect is not followed
    except (requests.RequestException, ValueError, JWException) as exc:
        extra = {"action": "introspection_failed", "reason": type(exc).__name__}
        logger.exception("the introspection endpoint cannot be asked", extra=extra)
        return None
    if not _is_well_formed(content):
        logger.error("introspection response is malformed", extra={"action": "introspection_malformed"})
        return None
    return content


def _assertion(url: str) -> dict[str, str]:
    """Return the parameters of a client that authenticates by a JWT (RFC 7523 section 2.2), a new one each time."""
    assertion = make_client_assertion(
        oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_CLIENT_ID,
        oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_AUDIENCE or url,
        oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_PRIVATE_KEY or "",
        oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_ALG or "RS256",
        kid=oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_KID,
        lifetime=oauth2_settings.RESOURCE_SERVER_INTROSPECTION_JWT_LIFETIME,
    )
    return {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion}


def _basic(client_id: str, client_secret: str) -> tuple[str, str]:
    """Return user and password of HTTP Basic, form-encoded (RFC 6749 section 2.3.1)."""
    return quote_plus(client_id), quote_plus(client_secret)


def _is_well_formed(content: Any) -> bool:
    """Tell whether what is read of a response has the types that RFC 7662 section 2.2 gives it."""
    if not isinstance(content, dict) or not isinstance(content.get("active"), bool):
        return False
    audience = content.get("aud") or []
    texts = [content[name] for name in TEXTS if content.get(name) is not None]
    texts += audience if isinstance(audience, list) else [audience]
    return all(isinstance(text, str) and "\x00" not in text for text in texts)


def _is_live_access_token(content: dict[str, Any]) -> bool:
    """Tell whether the response is about a live access token; about a refresh token `token_type` says so."""
    return content["active"] and str(content.get("token_type") or "Bearer").lower() == "bearer"


def _caching_seconds(content: dict[str, Any]) -> float:
    if not _is_live_access_token(content):
        return NEGATIVE_CACHING_SECONDS
    return max(0.0, (_expires(content) - timezone.now()).total_seconds())


def _access_token(token: str, content: dict[str, Any], get_user: Callable[[dict[str, Any]], Any]) -> Any:
    audience = content.get("aud") or []
    access_token = get_access_token_model()(
        user=get_user(content),
        application=None,
        scope=content.get("scope") or "",
        expires=_expires(content),
        resource=[audience] if isinstance(audience, str) else list(audience),
    )
    set_token_value(access_token, token)
    access_token.introspected = content  # what there is no column for: the client, claims of the server's own
    return access_token


def _expires(content: dict[str, Any]) -> datetime:
    """Return when the answer stops being good: at `exp`, after RESOURCE_SERVER_TOKEN_CACHING_SECONDS at the latest."""
    now = timezone.now()
    longest = now + timedelta(seconds=oauth2_settings.RESOURCE_SERVER_TOKEN_CACHING_SECONDS)
    if content.get("exp") is None:
        return longest
    try:
        return min(longest, datetime.fromtimestamp(float(content["exp"]), tz=UTC))
    except (TypeError, ValueError, OverflowError, OSError):
        return now
