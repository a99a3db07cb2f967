"""Introspection (RFC 7662): what an authorization server tells a resource server about a token."""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import Any

from ..models import get_access_token_model, get_refresh_token_model, token_checksum

INACTIVE: dict[str, Any] = {"active": False}


def introspect(token: str) -> dict[str, Any]:
    """Return the introspection response for `token` (section 2.2): all that is known of a live one, else inactive.

    Nothing tells a token that is over from one that never was.
    """
    checksum = token_checksum(token)
    access = get_access_token_model()._base_manager.select_related("user", "application")
    access_token = access.filter(token_checksum=checksum).first()
    if access_token is not None:
        return _of_access_token(access_token) if access_token.is_valid() else INACTIVE
    refresh = get_refresh_token_model()._base_manager.select_related("user", "application", "access_token")
    refresh_token = refresh.filter(token_checksum=checksum, revoked__isnull=True).first()
    return INACTIVE if refresh_token is None else _of_refresh_token(refresh_token)


def _of_access_token(token: Any) -> dict[str, Any]:
    return {
        **_common(token),
        "scope": token.scope,
        "exp": _timestamp(token.expires),
        "token_type": "Bearer",
    }


def _of_refresh_token(token: Any) -> dict[str, Any]:
    response = _common(token)
    if token.access_token is not None:
        response["scope"] = token.access_token.scope
    return response


def _common(token: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"active": True, "iat": _timestamp(token.created)}
    if token.application is not None:
        response["client_id"] = token.application.client_id
    if token.user is not None:
        response["username"] = token.user.get_username()
        response["sub"] = str(token.user.pk)
    if token.resource:
        response["aud"] = token.resource if len(token.resource) > 1 else token.resource[0]
    return response


def _timestamp(moment: datetime) -> int:
    return calendar.timegm(moment.utctimetuple())
