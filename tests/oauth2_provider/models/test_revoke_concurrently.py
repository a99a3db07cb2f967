"""Revoking one refresh token, or one family, from two connections at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.models import User
from django.db import connection

from oauth2_provider.models import AccessToken, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_servers
from tests.oauth2_provider.models.conftest import make_application, make_pair

PAIRS = 12


def run_at_once(*actions: Callable[[], None]) -> None:
    """Run each action in a thread with a connection of its own; raises what one of them raised."""
    barrier = threading.Barrier(len(actions))

    def start(action: Callable[[], None]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(start, action) for action in actions]:
            future.result(timeout=60)


def make_family(size: int) -> uuid.UUID:
    user = User.objects.create(username="ann")
    application = make_application(user)
    family = uuid.uuid4()
    for number in range(size):
        make_pair(application, user, str(number), token_family=family)
    return family


@on_servers
def test_a_token_revoked_twice_at_once_is_revoked_once(engine: EngineDatabase) -> None:
    make_family(1)
    first, second = RefreshToken.objects.get(), RefreshToken.objects.get()

    run_at_once(first.revoke, second.revoke)

    stored = RefreshToken.objects.get()
    assert stored.revoked in (first.revoked, second.revoked)
    assert (first.revoked is None) != (second.revoked is None), "only one of them stamped it"
    assert not AccessToken.objects.exists()


@on_servers
def test_a_family_revoked_while_its_tokens_are_does_not_deadlock(engine: EngineDatabase) -> None:
    family = make_family(PAIRS)

    def revoke_one_by_one_from_the_other_end() -> None:
        for token in RefreshToken.objects.order_by("-pk"):
            token.revoke()

    run_at_once(
        lambda: RefreshToken.revoke_family(family),
        lambda: RefreshToken.revoke_family(family),
        revoke_one_by_one_from_the_other_end,
    )

    assert RefreshToken.objects.filter(revoked__isnull=False).count() == PAIRS
    assert not AccessToken.objects.exists()
