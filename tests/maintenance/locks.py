"""Rows that another client holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction

from oauth2_provider.models import AccessToken


@contextmanager
def row_locked(token: str) -> Iterator[None]:
    """Have another client hold the row of `token` for the time of the block."""
    is_locked, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(AccessToken.objects.select_for_update().filter(token=token))
            is_locked.set()
            is_over.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_locked.wait(30)
    try:
        yield
    finally:
        is_over.set()
        thread.join()
