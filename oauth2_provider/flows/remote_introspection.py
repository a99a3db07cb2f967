"""A resource server asking an authorization server about a token (RFC 7662), and remembering the answer.

Answers are kept in the Django cache, under a checksum of the token: positive ones no longer than the token lives and
RESOURCE_SERVER_TOKEN_CACHING_SECONDS, negative ones for NEGATIVE_CACHING_SECONDS. No row is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from django.core.cache import cache
from django.utils import timezone

from ..models import get_access_token_model, set_token_value, token_checksum
from ..settings import oauth2_settings

logger = logging.getLogger("oauth2_provider")

NEGATIVE_CACHING_SECONDS = 10
KEY = "oauth2_provider:introspection:{}"


def find_remote_access_token(
    token: str,
    url: str,
    *,
    bearer: str | None,
    credentials: tuple[str, str] | None,
    get_user: Callable[[dict[str, Any]], Any],
) -> Any:
    """Return an unsaved AccessToken with what the server at `url` says of `token`; None if it is not active.

    The resource server authenticates by `bearer` or by `credentials` (client id and secret). Raises
    requests.RequestException for a server that cannot be reached: that is no statement on the token.
    """
    checksum = token_checksum(token)
    content = cache.get(KEY.format(checksum))
    if content is None:
        content = _ask(token, url, bearer=bearer, credentials=credentials)
        cache.set(KEY.format(checksum), content, _caching_seconds(content))
    if content.get("active") is not True:
        return None
    return _access_token(token, content, get_user)


def _ask(token: str, url: str, *, bearer: str | None, credentials: tuple[str, str] | None) -> dict[str, Any]:
    response = requests.post(
        url,
        data={"token": token},
        headers={"Authorization": f"Bearer {bearer}"} if bearer and not credentials else {},
        auth=(credentials[0], credentials[1]) if credentials else None,
        timeout=oauth2_settings.RESOURCE_SERVER_INTROSPECTION_TIMEOUT_SECONDS,
    )
    response.raise_for_status()
    content = response.json()
    if not isinstance(content, dict):
        logger.error("introspection response is no object", extra={"action": "introspection_malformed"})
        return {"active": False}
    return content


def _caching_seconds(content: dict[str, Any]) -> float:
    if content.get("active") is not True:
        return NEGATIVE_CACHING_SECONDS
    longest = float(oauth2_settings.RESOURCE_SERVER_TOKEN_CACHING_SECONDS)
    if "exp" not in content:
        return longest
    return max(0.0, min(longest, float(content["exp"]) - timezone.now().timestamp()))


def _access_token(token: str, content: dict[str, Any], get_user: Callable[[dict[str, Any]], Any]) -> Any:
    audience = content.get("aud") or []
    access_token = get_access_token_model()(
        user=get_user(content),
        application=None,
        scope=content.get("scope", ""),
        expires=_expires(content),
        resource=[audience] if isinstance(audience, str) else list(audience),
    )
    set_token_value(access_token, token)
    return access_token


def _expires(content: dict[str, Any]) -> datetime:
    longest = timezone.now() + timedelta(seconds=oauth2_settings.RESOURCE_SERVER_TOKEN_CACHING_SECONDS)
    if "exp" not in content:
        return longest
    return datetime.fromtimestamp(float(content["exp"]), tz=UTC)
