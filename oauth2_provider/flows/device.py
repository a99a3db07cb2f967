"""The device flow: user codes that are found again, what the user says to them, device codes that are used once.

RFC 8628. A grant goes from pending, by its user, to authorized or denied; one conditional UPDATE decides each step.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from ..models import AbstractDeviceGrant, get_application_model, get_device_grant_model
from .errors import GrantUnusable

SLOWER_SECONDS = 5
"""What slow_down adds to the interval (section 3.5)."""
USER_CODE_TRIES = 20
SLUG = re.compile(r"[-a-zA-Z0-9_]+")


class NoUserCodeLeft(Exception):  # noqa: N818 - the fact
    """Every user code that the generator made is that of a live grant: its codes are too short."""


class PollStatus(StrEnum):
    """What a poll with a device code is answered (section 3.5)."""

    AUTHORIZED = "authorized"
    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


@dataclass(frozen=True, kw_only=True)
class Poll:
    """A device code that its client asked about."""

    grant: Any
    status: PollStatus


def normalised_user_code(typed: str) -> str:
    """Return what is meant by `typed`: case, dashes and spaces are forgiven (section 6.1)."""
    return "".join(character for character in typed.upper() if character.isalnum())


def unused_user_code(generate: Callable[[], str]) -> str:
    """Return a code of `generate` that no live grant has. Raises NoUserCodeLeft after USER_CODE_TRIES."""
    for _ in range(USER_CODE_TRIES):
        code = generate()
        if not _live().filter(_typed(code)).exists():
            return code
    raise NoUserCodeLeft


def find_pending(typed: str, user: Any) -> Any:
    """Return the live grant that waits for an answer under the user code `typed`.

    None where there is none, where another user has taken it up, or where it would not be clear which is meant.
    """
    waiting = _live().filter(_typed(typed), Q(user__isnull=True) | Q(user=user))
    found = list(waiting.filter(status=AbstractDeviceGrant.AUTHORIZATION_PENDING)[:2])
    return found[0] if len(found) == 1 and find_application(found[0]) is not None else None


def claim(grant: Any, user: Any) -> bool:
    """Have `user` be the one who answers; False where another user came first, or the grant is answered."""
    rows = _waiting(grant).filter(Q(user__isnull=True) | Q(user=user))
    return bool(rows.update(user=user))


def find_claimed(client_slug: str, typed: str, user: Any) -> Any:
    """Return the newest grant of `user` under a user code, answered or not; None where there is none.

    `client_slug` is that of the grant's client.
    """
    rows = get_device_grant_model()._default_manager.filter(_typed(typed), user=user).order_by("-pk")
    return next((grant for grant in rows[:10] if slug_of(grant.client_id) == client_slug), None)


def decide(grant: Any, *, allow: bool, authentication: str | None) -> bool:
    """Keep what the grant's user said, and how that user had logged in; False if it is over or was answered before.

    `grant` is changed as its row is.
    """
    status = AbstractDeviceGrant.AUTHORIZED if allow else AbstractDeviceGrant.DENIED
    rows = _waiting(grant).filter(user=grant.user_id)
    if not rows.update(status=status, authentication=authentication):
        return False
    grant.status, grant.authentication = status, authentication
    return True


def poll(device_code: str, client_id: str) -> Poll | None:
    """Return what the client `client_id` is told about `device_code`; None: it is none of its live codes.

    A client that asks too often has its interval made longer (section 3.5). Once the user has answered, that is said
    however often it asks.
    """
    grants = get_device_grant_model()._base_manager.select_related("user")
    grant = grants.filter(device_code=device_code, client_id=client_id).first()
    # a database that compares without regard to case has found what is only like it
    if grant is None or (grant.device_code, grant.client_id) != (device_code, client_id):
        return None
    if grant.redeemed is not None or (grant.user is not None and not grant.user.is_active):
        return None
    return Poll(grant=grant, status=_status(grant))


def redeem(grant: Any) -> None:
    """Mark a device code as used, for the tokens that are issued from it now.

    One conditional UPDATE decides between polls that race. Raises GrantUnusable for the loser.
    """
    rows = get_device_grant_model()._base_manager.filter(pk=grant.pk, redeemed__isnull=True)
    if not rows.filter(status=AbstractDeviceGrant.AUTHORIZED).update(redeemed=timezone.now()):
        raise GrantUnusable


def find_application(grant: Any) -> Any:
    """Return the client of `grant`; None where it is gone."""
    return get_application_model()._default_manager.filter(client_id=grant.client_id).first()


def slug_of(client_id: str) -> str:
    """Return what stands for a client in a path: its id, or the hash of one that is no slug, such as a URL."""
    if SLUG.fullmatch(client_id):
        return client_id
    return hashlib.sha256(client_id.encode()).hexdigest()[:32]


def _status(grant: Any) -> PollStatus:
    now = timezone.now()
    if grant.status == AbstractDeviceGrant.DENIED:
        return PollStatus.DENIED
    if grant.status == AbstractDeviceGrant.EXPIRED or grant.expires <= now:
        return PollStatus.EXPIRED
    if grant.status == AbstractDeviceGrant.AUTHORIZED:
        return PollStatus.AUTHORIZED if grant.user is not None else PollStatus.PENDING
    rows = get_device_grant_model()._base_manager.filter(pk=grant.pk)
    if rows.filter(last_checked__lte=now - timedelta(seconds=grant.interval)).update(last_checked=now):
        return PollStatus.PENDING
    rows.update(last_checked=now, interval=F("interval") + SLOWER_SECONDS)
    return PollStatus.SLOW_DOWN


def _typed(typed: str) -> Q:
    return Q(user_code__in={typed.strip(), normalised_user_code(typed)})


def _live() -> Any:
    grants = get_device_grant_model()._default_manager
    return grants.filter(expires__gt=timezone.now(), redeemed__isnull=True)


def _waiting(grant: Any) -> Any:
    rows = get_device_grant_model()._base_manager.filter(pk=grant.pk, expires__gt=timezone.now())
    return rows.filter(status=AbstractDeviceGrant.AUTHORIZATION_PENDING)
