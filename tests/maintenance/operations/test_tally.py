"""Counting for a preview is bounded in rows and in time, on every engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from maintenance.operations import Job, get_operation
from maintenance.operations.base import Inexact
from maintenance.operations.budget import budget_of_a_dry_run, budget_of_a_page, statement_limit
from maintenance.operations.sampling import Selection
from maintenance.operations.tally import Tally
from maintenance.previews import preview_of
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_sqlite

SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT count(*) FROM information_schema.columns a, information_schema.columns b,"
    " information_schema.columns c",
}


@on_every_engine
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_statement_over_its_time_ends_and_leaves_the_connection_as_it_was(
    engine: EngineDatabase, in_transaction: bool
) -> None:
    def run_slow() -> float:
        began = time.monotonic()
        with pytest.raises(OperationalError), statement_limit("default", 0.1), connection.cursor() as cursor:
            cursor.execute(SLOW[connection.vendor])
        return time.monotonic() - began

    if in_transaction:
        with transaction.atomic():
            assert run_slow() < 30
            assert AccessToken.objects.count() == 0
    else:
        assert run_slow() < 30
    with statement_limit("default", 30):
        assert AccessToken.objects.count() == 0
    assert _limit_of_the_session() in (None, "0", 0)


def _limit_of_the_session() -> Any:
    statements = {"postgresql": "SHOW statement_timeout", "mysql": "SELECT @@SESSION.max_statement_time"}
    if connection.vendor not in statements:
        return None
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])
        return cursor.fetchone()[0]


SLOW_CONDITION = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000)"
    " SELECT count(*) FROM n) > 0",
    "postgresql": "pg_sleep(0.5) IS NOT NULL",
    "mysql": "SLEEP(0.5) = 0",
}


@on_every_engine
def test_what_takes_too_long_to_count_is_estimated(
    engine: EngineDatabase, make_tokens: Callable[..., Any], settings: Any
) -> None:
    make_tokens(expired=40)
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 0.2}
    tally = Tally()
    rows = AccessToken.objects.extra(where=[SLOW_CONDITION[connection.vendor]])
    began = time.monotonic()
    tally.add(rows, reason="old")
    assert time.monotonic() - began < 10  # the whole count would take twice that, and more
    preview = tally.preview(path="set-based", warnings=[])
    doubt = Inexact.AT_LEAST if connection.vendor == "sqlite" else Inexact.ABOUT
    assert preview.inexact == dict.fromkeys(["oauth2_provider_accesstoken", "old"], doubt)
    assert preview.shown("old").startswith("at least 0" if doubt is Inexact.AT_LEAST else "about ")
    assert not preview.is_nothing


@on_every_engine
def test_what_takes_too_long_to_look_at_is_guessed_and_the_rest_is_looked_at(
    engine: EngineDatabase, make_tokens: Callable[..., Any], settings: Any
) -> None:
    make_tokens(expired=40)
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 2}
    tally = Tally()
    slow = AccessToken.objects.extra(where=[SLOW_CONDITION[connection.vendor]])
    began = time.monotonic()
    tally.add_selections(
        [("quick", Selection(rows=AccessToken.objects.all())), ("slow", Selection(rows=slow))]
    )
    assert time.monotonic() - began < 10
    preview = tally.preview(path="set-based", warnings=[])
    assert preview.shown("quick") == "40"
    assert preview.inexact["slow"] is (Inexact.AT_LEAST if connection.vendor == "sqlite" else Inexact.ABOUT)


@on_sqlite
def test_counting_stops_at_preview_rows_and_says_so(
    engine: EngineDatabase, make_tokens: Callable[..., Any], settings: Any
) -> None:
    """Where no planner has a figure."""
    make_tokens(expired=12)
    settings.MAINTENANCE = {"PREVIEW_ROWS": 10}
    preview = get_operation("clear_expired").preview(Job(arguments={}, cutoff=timezone.now()))
    assert preview.counts["oauth2_provider_accesstoken"] == 10
    assert preview.inexact["access_tokens"] is Inexact.AT_LEAST
    assert preview.shown("access_tokens") == "at least 10"
    assert preview.shown("grants") == "0"
    assert len(preview.samples["access_tokens"]) == 5
    assert preview.oldest is not None


@on_sqlite
def test_a_dry_run_may_look_further_than_a_page(
    engine: EngineDatabase, make_tokens: Callable[..., Any], settings: Any
) -> None:
    make_tokens(expired=12)
    settings.MAINTENANCE = {"PREVIEW_ROWS": 10, "DRY_RUN_ROWS": 20}
    kind = get_operation("clear_expired")
    shown = [
        preview_of(kind, [{}], budget).shown("access_tokens") for budget in (None, budget_of_a_dry_run())
    ]
    assert shown == ["at least 10", "12"]


def test_the_time_of_a_dry_run_is_a_setting(settings: Any) -> None:
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 5, "DRY_RUN_SECONDS": 50}
    assert budget_of_a_page().seconds == pytest.approx(5, abs=1)
    assert budget_of_a_dry_run().seconds == pytest.approx(50, abs=1)


def test_without_time_no_statement_is_begun(settings: Any) -> None:
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 0.0001}
    with pytest.raises(OperationalError), budget_of_a_page().statement("default"):
        pytest.fail("it was begun")
