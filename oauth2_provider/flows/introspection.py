"""Introspection (RFC 7662): what an authorization server tells a resource server about a token."""

from __future__ import annotations

import calendar
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ..models import get_access_token_model, get_refresh_token_model, token_checksum
from ..models.lookup import find
from ..settings import oauth2_settings
from .issuance import granted_scope, refresh_token_expires
from .subjects import subject_of

INACTIVE: dict[str, Any] = {"active": False}


def introspect(token: str, *, application_id: Any = None) -> dict[str, Any]:
    """Return the introspection response for `token` (section 2.2): all that is known of a live one, else inactive.

    Nothing tells a token that is over from one that never was. A refresh token is told only to the client it was
    issued to, `application_id`: a protected resource that is handed one must not take it for an access token.
    """
    checksum = token_checksum(token)
    tokens = get_access_token_model()._base_manager
    access_token = find(tokens, related=("application", "user"), token_checksum=checksum)
    if access_token is not None:
        return _of_access_token(access_token) if is_live(access_token) else INACTIVE
    tokens = get_refresh_token_model()._base_manager
    refresh_token = find(tokens, related=("user", "application", "access_token"), token_checksum=checksum)
    if refresh_token is None or refresh_token.revoked or refresh_token.application_id != application_id:
        return INACTIVE
    return _of_refresh_token(refresh_token)


def is_live(access_token: Any) -> bool:
    """Tell whether an access token can be used: it has not expired, and its user has not been deactivated."""
    return bool(access_token.is_valid()) and is_for_resources(access_token)


def is_for_resources(access_token: Any) -> bool:
    """Tell whether an access token may open protected resources, if it has not expired: its user is active.

    A registration access token (RFC 7592) is for the client configuration endpoint alone.
    """
    is_registration = access_token.scope == oauth2_settings.DCR_REGISTRATION_SCOPE
    return has_active_user(access_token) and not is_registration


def has_active_user(token: Any) -> bool:
    """Tell whether the token's user may still be acted for; a client's own token has none."""
    return token.user is None or bool(token.user.is_active)


def _of_access_token(token: Any) -> dict[str, Any]:
    return {
        **_common(token),
        "scope": token.scope,
        "exp": _timestamp(token.expires),
        "token_type": "Bearer",
    }


def _of_refresh_token(token: Any) -> dict[str, Any]:
    expires = refresh_token_expires(token)
    if not has_active_user(token) or (expires is not None and expires <= timezone.now()):
        return INACTIVE
    response = {**_common(token), "scope": granted_scope(token), "token_type": "refresh_token"}
    if expires is not None:
        response["exp"] = _timestamp(expires)
    return response


def _common(token: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"active": True, "iat": _timestamp(token.created)}
    if token.application is not None:
        response["client_id"] = token.application.client_id
    if token.user is not None:
        response["username"] = token.user.get_username()
        with suppress(ImproperlyConfigured):  # a pairwise client of a site that lost its salt: not said
            response["sub"] = subject_of(token.user, token.application)
    if token.resource:
        response["aud"] = token.resource if len(token.resource) > 1 else token.resource[0]
    return response


def _timestamp(moment: datetime) -> int:
    return calendar.timegm(moment.utctimetuple())
