"""What a user has granted a client before, so as not to ask again (OpenID Connect Core 1.0 section 3.1.2.4)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils import timezone

from ..models import get_access_token_model
from . import authentication, claims


def has_granted(
    user: Any,
    application: Any,
    *,
    scopes: list[str],
    resource: Collection[str] = (),
    claim_names: Collection[str] = (),
) -> bool:
    """Tell whether one live access token of `user` says all that is asked now.

    `claim_names` are the claims asked for beyond what `scopes` cover.
    """
    tokens = get_access_token_model()._default_manager.filter(
        user=user, application=application, expires__gt=timezone.now()
    )
    return any(
        token.allow_scopes(scopes)
        and _covers(token.resource, resource)
        and set(claim_names) <= _granted_claims(token)
        for token in tokens.iterator()
    )


def _covers(granted: list[str], asked: Collection[str]) -> bool:
    """Tell whether a token for the resources `granted` says all that one for `asked` would (RFC 8707)."""
    return not granted or (bool(asked) and set(asked) <= set(granted))


def _granted_claims(token: Any) -> set[str]:
    asked = authentication.from_text(token.authentication).claims
    return {name for member in claims.MEMBERS for name in claims.names(asked, member)}
