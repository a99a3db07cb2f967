"""What revoking means (RFC 7009 section 2.1, RFC 6749 section 4.1.2, RFC 9700 section 4.14.2).

A refresh token is stamped and kept, its access token is deleted; revoking an access token ends the refresh token that
came with it. Locks go to refresh tokens first, in the order of their keys.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import router

from ..batching import atomically
from ..models import (
    get_access_token_model,
    get_refresh_token_model,
    revoke_access_token,
    token_checksum,
)
from ..models.lookup import find
from .errors import TokenOfAnotherClient


def revoke_presented_token(token: str, *, application_id: Any, hint: str | None = None) -> bool:
    """Revoke `token`; returns whether there was one.

    `hint` ("access_token" or "refresh_token") says where to look first; a wrong one does no harm. Raises
    TokenOfAnotherClient for a token that was not issued to the application.
    """
    finders = [_find_access_token, _find_refresh_token]
    if hint == "refresh_token":
        finders.reverse()
    checksum = token_checksum(token)
    found = next((found for find in finders if (found := find(checksum)) is not None), None)
    if found is None:
        return False
    if found.application_id != application_id:
        raise TokenOfAnotherClient
    if isinstance(found, get_access_token_model()):
        revoke_access_token(found)
    else:
        found.revoke()
    return True


def revoke_family(token_family: UUID) -> None:
    """Revoke every live refresh token of the family and delete their access tokens.

    Goes on until none lives: a rotation under way adds one while its predecessor is being waited for.
    """
    model = get_refresh_token_model()
    while True:
        model.revoke_family(token_family)
        if not model._base_manager.filter(token_family=token_family, revoked__isnull=True).exists():
            return


def revoke_issued_from(grant: Any) -> None:
    """Revoke what was issued from an authorization code that is presented again (RFC 6749 section 4.1.2)."""

    def revoke() -> None:
        if grant.token_family is not None:
            revoke_family(grant.token_family)
        for token in get_access_token_model()._base_manager.filter(token_checksum=grant.token_checksum):
            token.revoke()

    atomically(revoke, using=router.db_for_write(get_refresh_token_model()))


def revoke_authorization(access_token: Any) -> None:
    """End `access_token` with all that hangs on it: every refresh token of its family, and its ID token."""
    refresh_token, id_token = getattr(access_token, "refresh_token", None), access_token.id_token
    revoke_access_token(access_token)
    if refresh_token is not None and refresh_token.token_family is not None:
        revoke_family(refresh_token.token_family)
    if id_token is not None:
        id_token.revoke()


def _find_access_token(checksum: str) -> Any:
    tokens = get_access_token_model()._base_manager
    return find(tokens, related=("refresh_token",), token_checksum=checksum)


def _find_refresh_token(checksum: str) -> Any:
    return find(get_refresh_token_model()._base_manager, token_checksum=checksum)
