"""Issuing tokens: codes are redeemed once, refresh tokens rotate once, whoever races.

RFC 6749 sections 4.1.2, 5.1 and 6; RFC 9700 section 4.14. Locks are taken on the refresh token (or the code) before
the access token, here and in `revocation`, so that the two cannot deadlock.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ..models import (
    get_grant_model,
    get_refresh_token_model,
    refresh_token_expire_timedelta,
    set_token_value,
    token_checksum,
)
from ..settings import oauth2_settings
from .errors import GrantUnusable
from .revocation import delete_access_token


def redeem_grant(grant: Any, *, access_token: str, token_family: uuid.UUID) -> None:
    """Mark an authorization code as redeemed, for the tokens that are issued from it now.

    One conditional UPDATE decides between clients that race. Raises GrantUnusable for the loser.
    """
    rows = get_grant_model()._base_manager.filter(pk=grant.pk, redeemed__isnull=True)
    redeemed = rows.update(
        redeemed=timezone.now(), token_family=token_family, token_checksum=token_checksum(access_token)
    )
    if not redeemed:
        raise GrantUnusable


def retire_refresh_token(refresh_token: Any) -> None:
    """Revoke a refresh token because a new one takes its place, and delete its access token.

    One conditional UPDATE decides between clients that race. Raises GrantUnusable for the loser.
    """
    rows = get_refresh_token_model()._base_manager.filter(pk=refresh_token.pk, revoked__isnull=True)
    now = timezone.now()
    if not rows.update(revoked=now, access_token=None, updated=now):
        raise GrantUnusable
    access_token_id = refresh_token.access_token_id
    refresh_token.revoked, refresh_token.access_token = now, None
    if access_token_id is not None:
        delete_access_token(access_token_id)


def is_in_grace_period(refresh_token: Any) -> bool:
    """Tell whether a revoked refresh token may still be presented (REFRESH_TOKEN_GRACE_PERIOD_SECONDS)."""
    grace = timedelta(seconds=oauth2_settings.REFRESH_TOKEN_GRACE_PERIOD_SECONDS)
    return refresh_token.revoked is not None and refresh_token.revoked > timezone.now() - grace


def find_successors(refresh_token: Any) -> tuple[Any, Any] | None:
    """Return the access and refresh token that rotation made out of a retired `refresh_token`, if both live.

    Only where their values are stored: a hashed token cannot be handed out again.
    """
    successors = (
        get_refresh_token_model()._base_manager.select_related("access_token").filter(revoked__isnull=True)
    )
    successor = successors.filter(access_token__source_refresh_token=refresh_token.pk).first()
    if successor is None or not (successor.token and successor.access_token.token):
        return None
    return successor.access_token, successor


def is_refresh_token_expired(refresh_token: Any, now: datetime) -> bool:
    """Tell whether nobody used the token for REFRESH_TOKEN_EXPIRE_SECONDS after its access token ended."""
    lifetime = refresh_token_expire_timedelta()
    if lifetime is None or refresh_token.access_token is None:
        return False
    return bool(refresh_token.access_token.expires < now - lifetime)


def replace_access_token(
    refresh_token: Any, token: dict[str, Any], *, scopes: list[str], resource: list[str], expires: datetime
) -> Any:
    """Give the access token of a refresh token that does not rotate a new value and end; returns it.

    Raises GrantUnusable where the refresh token was revoked meanwhile or has no access token any more.
    """
    refresh_tokens = get_refresh_token_model()._base_manager.select_for_update()
    locked = refresh_tokens.filter(pk=refresh_token.pk, revoked__isnull=True).first()
    if locked is None or locked.access_token_id is None:
        raise GrantUnusable
    access_token = refresh_token.access_token
    access_token.scope, access_token.expires, access_token.resource = " ".join(scopes), expires, resource
    set_token_value(access_token, token["access_token"])
    access_token.save()
    return access_token


def repeat_rotation(refresh_token: Any, token: dict[str, Any]) -> Any:
    """Answer a refresh token in its grace period with what rotation made of it: `token` is filled with that.

    Returns the access token. Raises GrantUnusable where that is gone or not stored.
    """
    successors = find_successors(refresh_token)
    if successors is None:
        raise GrantUnusable
    access_token, successor = successors
    token.update(
        access_token=access_token.token,
        refresh_token=successor.token,
        scope=access_token.scope,
        expires_in=max(0, int((access_token.expires - timezone.now()).total_seconds())),
    )
    return access_token
