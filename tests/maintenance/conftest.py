"""Rows to clear, and an operation's run at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from maintenance.models import Run
from maintenance.settings import DEFAULTS
from oauth2_provider.models import AccessToken, Application

from .stepping import Worker


@pytest.fixture(autouse=True)
def time_for_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a preview count what it may, however busy the machine is; tests of its time say how much it has."""
    monkeypatch.setitem(DEFAULTS, "PREVIEW_SECONDS", 30.0)


@pytest.fixture
def make_tokens() -> Callable[..., Application]:
    """Return a function that stores `expired` and `live` access tokens of one application."""

    def make(*, expired: int = 0, live: int = 0, **application: Any) -> Application:
        now = timezone.now()
        owner, _ = Application.objects.get_or_create(
            client_id="client", defaults={"client_secret": "", **application}
        )
        AccessToken.objects.bulk_create(
            AccessToken(
                token=f"{kind} {number}",
                token_checksum=f"{kind} {number}",
                expires=now + end,
                application=owner,
                scope="read",
            )
            for kind, count, end in (
                ("expired", expired, timedelta(hours=-1)),
                ("live", live, timedelta(hours=1)),
            )
            for number in range(count)
        )
        return owner

    return make


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(run: Run, *, window_rows: int = 100) -> Worker:
        workers.append(Worker(run, window_rows=window_rows))
        return workers[-1]

    yield start
    for worker in workers:
        worker.finish()
