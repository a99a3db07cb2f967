"""What a large run left behind is shown, on PostgreSQL, with what may be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse

from maintenance import advice, runs
from maintenance.runner import run_here
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


@on_every_engine
def test_a_large_run_tells_what_may_be_done(
    engine: EngineDatabase, make_tokens: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tokens(expired=500, live=10)
    run = run_here(runs.enqueue("clear_expired"))
    assert advice.table_states(run) == []  # a small run
    monkeypatch.setattr(advice, "LARGE_RUN_ROWS", 500)
    if connection.vendor != "postgresql":
        assert advice.table_states(run) == []
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    (state,) = advice.table_states(run)
    assert state.table == "oauth2_provider_accesstoken"
    assert state.table_bytes > 0
    assert any("oauth2_provider_accesstoken" in line for line in state.advice)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin"))
    page = client.get(reverse("admin:maintenance_run_change", args=[run.pk])).content.decode()
    assert "What this run left behind" in page
