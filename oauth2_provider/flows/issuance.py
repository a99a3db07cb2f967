"""Issuing tokens: codes are redeemed once, refresh tokens rotate once, whoever races.

RFC 6749 sections 4.1.2, 5.1 and 6; RFC 9700 section 4.14. Locks are taken on the refresh token (or the code) before
the access token, here and in `revocation`, so that the two cannot deadlock.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router
from django.utils import timezone

from ..models import (
    get_access_token_model,
    get_grant_model,
    get_refresh_token_model,
    refresh_token_expire_timedelta,
    set_token_value,
    token_checksum,
)
from ..models.deletion import delete_in_use
from ..settings import oauth2_settings
from .errors import GrantUnusable


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


def retire_refresh_token(refresh_token: Any, *, token_family: uuid.UUID) -> bool:
    """Revoke a refresh token because a new one takes its place, and delete its access token.

    One conditional UPDATE decides between clients that race; False for the loser. The token joins
    `token_family`, if it was of none.
    """
    if refresh_token.revoked is not None:
        return False
    _lock_by_key(refresh_token)
    rows = get_refresh_token_model()._base_manager.filter(pk=refresh_token.pk, revoked__isnull=True)
    now = timezone.now()
    if not rows.update(revoked=now, access_token=None, token_family=token_family, updated=now):
        return False
    if refresh_token.access_token_id is not None:
        model = get_access_token_model()
        rows = model._base_manager.using(router.db_for_write(model)).filter(pk=refresh_token.access_token_id)
        delete_in_use(rows.order_by())
    return True


def granted_scope(refresh_token: Any) -> str:
    """Return the scope that the resource owner granted, which access tokens may have less of (RFC 6749 section 6).

    A refresh token from before that was stored has the scope of its access token, or of its successor's.
    """
    if refresh_token.scope is not None:
        return str(refresh_token.scope)
    access_token = refresh_token.access_token
    if access_token is None:
        successors = get_access_token_model()._base_manager.filter(source_refresh_token=refresh_token.pk)
        access_token = successors.first()
    return access_token.scope if access_token is not None else ""


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


def refresh_token_expires(refresh_token: Any) -> datetime | None:
    """Return when a token that nobody uses ends: REFRESH_TOKEN_EXPIRE_SECONDS after its access token.

    None: never.
    """
    lifetime = refresh_token_expire_timedelta()
    if lifetime is None or refresh_token.access_token is None:
        return None
    return refresh_token.access_token.expires + lifetime


def lock_refresh_token(refresh_token: Any) -> None:
    """Lock a refresh token that does not rotate. Raises GrantUnusable where it was revoked or changed meanwhile."""
    _lock_by_key(refresh_token)
    rows = get_refresh_token_model()._base_manager.filter(pk=refresh_token.pk, revoked__isnull=True)
    if not rows.filter(access_token=refresh_token.access_token_id).update(updated=timezone.now()):
        raise GrantUnusable


def _lock_by_key(refresh_token: Any) -> None:
    """Lock the row by its primary key alone, on MariaDB and MySQL.

    These serve a condition on `revoked` from its index, lock the entry before the row, and so deadlock with whoever
    has the row.
    """
    model = get_refresh_token_model()
    using = router.db_for_write(model)
    if connections[using].vendor == "mysql":
        model._base_manager.using(using).select_for_update().filter(pk=refresh_token.pk).values("pk").first()


def replace_access_token(
    refresh_token: Any, token: dict[str, Any], *, scopes: list[str], resource: list[str], expires: datetime
) -> Any:
    """Give the access token of a locked refresh token a new value, end, scope and resource; returns it."""
    access_token = refresh_token.access_token
    if refresh_token.scope is None:
        rows = get_refresh_token_model()._base_manager.filter(pk=refresh_token.pk)
        rows.update(scope=granted_scope(refresh_token))
    access_token.scope, access_token.expires, access_token.resource = " ".join(scopes), expires, resource
    set_token_value(access_token, token["access_token"])
    access_token.save()
    return access_token


def attach_access_token(refresh_token: Any, access_token: Any) -> None:
    """Give a locked refresh token, which has lost its access token, a new one."""
    rows = get_refresh_token_model()._base_manager.filter(pk=refresh_token.pk)
    rows.update(access_token=access_token, updated=timezone.now())


def repeat_rotation(refresh_token: Any, token: dict[str, Any]) -> Any:
    """Answer a refresh token in its grace period with what rotation made of it: `token` is filled with that.

    Returns the access token. Raises GrantUnusable where there is no grace, or that is gone or not stored.
    """
    successors = (
        find_successors(refresh_token) if oauth2_settings.REFRESH_TOKEN_GRACE_PERIOD_SECONDS else None
    )
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
