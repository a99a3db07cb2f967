"""Numbers of what no planner can guess: from the share of some rows, and exact where those are all, on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from maintenance.operations import Job, Preview, get_operation
from maintenance.operations.base import Inexact
from oauth2_provider.models import AccessToken, Application, RefreshToken
from tests.databases import EngineDatabase, analyze
from tests.engines import on_every_engine, on_postgresql, on_servers
from tests.oauth2_provider.credentials import make_client, make_user

ROWS = 4_000
TOKENS = AccessToken._meta.db_table
REFRESH_TOKENS = RefreshToken._meta.db_table


@pytest.fixture(autouse=True)
def time_enough(settings: Any) -> None:
    settings.MAINTENANCE = {"PREVIEW_ROWS": 1_000, "PREVIEW_SECONDS": 60}


def store(scopes: Sequence[str], **values: Any) -> list[AccessToken]:
    """Store an access token with each of the scopes, and have the engine look at the table."""
    now, series = timezone.now(), AccessToken.objects.count()
    rows = AccessToken.objects.bulk_create(
        (
            AccessToken(
                token="",
                token_checksum=f"{series} {number}",
                scope=scope,
                **{"expires": now + timedelta(hours=1), **values},
            )
            for number, scope in enumerate(scopes)
        ),
        batch_size=500,
    )
    analyze(TOKENS)
    return list(AccessToken.objects.order_by("pk")) if rows else []


def preview(operation: str, **arguments: Any) -> Preview:
    return get_operation(operation).preview(Job(arguments=arguments, cutoff=timezone.now()))


def migration() -> Preview:
    return preview("migrate_token_scopes", old="read", new="write")


@on_every_engine
def test_a_table_that_is_looked_at_from_end_to_end_is_counted(engine: EngineDatabase) -> None:
    store(["read", "write", "reader"] * 300)
    found = migration()
    assert (found.counts[TOKENS], found.inexact, found.warnings) == (300, {}, [])


@on_every_engine
def test_of_a_larger_one_the_share_of_some_rows_is_taken(engine: EngineDatabase) -> None:
    """All the old ones have the scope, none of the new ones: the first rows, or the last, would tell another tale."""
    store(["read"] * (ROWS // 2) + ["write"] * (ROWS // 2))
    found = migration()
    assert found.inexact == {TOKENS: Inexact.ABOUT}
    assert 0 < found.counted[TOKENS] <= 1_000
    assert ROWS * 0.3 < found.counts[TOKENS] < ROWS * 0.7
    assert len(found.warnings) == 1
    assert found.oldest is not None


@on_every_engine
def test_a_gap_in_the_keys_counts_for_no_rows(engine: EngineDatabase) -> None:
    """What lies thinly at the front of the keys is not taken for as much as what lies thickly behind."""
    rows = store(["read"] * ROWS + ["write"] * (ROWS // 10))
    thin = [row.pk for number, row in enumerate(rows[:ROWS]) if number % 40]
    for start in range(0, len(thin), 500):
        AccessToken.objects.filter(pk__in=thin[start : start + 500]).delete()
    store(["write"] * ROWS, expires=timezone.now() + timedelta(hours=2))
    found = migration()
    assert 1 <= found.counts[TOKENS] < ROWS / 4  # there are a hundred


@on_every_engine
def test_what_none_of_the_rows_has_is_not_said_to_be_nothing(engine: EngineDatabase) -> None:
    store(["write"] * ROWS)
    found = migration()
    assert found.shown(TOKENS) == "at least 0"
    assert not found.is_nothing


@on_every_engine
def test_a_few_keys_are_shown(engine: EngineDatabase) -> None:
    rows = store(["write", "read"] * 10)
    assert migration().samples[TOKENS] == [str(row.pk) for row in rows[1:10:2]]


@on_servers
@pytest.mark.parametrize("whose", ["user", "application", "everybody"])
def test_tokens_of_which_a_share_goes_are_reckoned_by_it(engine: EngineDatabase, whose: str) -> None:
    """Every second one is held by a refresh token, and goes with that: a planner knows nothing of it."""
    ann, client = make_user("ann"), make_client("one")
    rows = store(["read"] * ROWS, user=ann, application=client)
    RefreshToken.objects.bulk_create(
        (
            RefreshToken(token="", token_checksum=f"{row.pk}", user=ann, application=client, access_token=row)
            for row in rows[::2]
        ),
        batch_size=500,
    )
    analyze(REFRESH_TOKENS)
    asked = {"user": {"user_id": ann.pk}, "application": {"application_id": client.pk}}
    found = preview("revoke_user_tokens", **asked.get(whose, {"everybody": True}))
    assert found.inexact["access_tokens"] is Inexact.ABOUT
    for reason in ("access_tokens", "refresh_tokens"):
        assert ROWS * 0.3 < found.reasons[reason] < ROWS * 0.7, reason


@on_servers
def test_expired_tokens_that_are_all_held_are_not_guessed_at(engine: EngineDatabase) -> None:
    rows = store(["read"] * ROWS, expires=timezone.now() - timedelta(hours=1))
    client, ann = make_client("one"), make_user("ann")
    RefreshToken.objects.bulk_create(
        (
            RefreshToken(token="", token_checksum=f"{row.pk}", application=client, user=ann, access_token=row)
            for row in rows
        ),
        batch_size=500,
    )
    analyze(REFRESH_TOKENS)
    assert preview("clear_expired").shown("access_tokens") == "at least 0"


@on_servers
def test_revoked_tokens_are_not_taken_for_orphans(engine: EngineDatabase, settings: Any) -> None:
    """Both columns are often as they are, and never together: a planner would multiply the shares."""
    client, ann, now = make_client("one"), make_user("ann"), timezone.now()
    RefreshToken.objects.bulk_create(
        (
            RefreshToken(token="", token_checksum=f"{number}", application=client, user=ann, revoked=now)
            for number in range(ROWS)
        ),
        batch_size=500,
    )
    analyze(REFRESH_TOKENS)
    found = preview("clear_expired")
    assert found.shown("orphaned_refresh_tokens") == "at least 0"
    assert ROWS * 0.7 < found.reasons["revoked_refresh_tokens"] < ROWS * 1.3


@on_postgresql
def test_estimates_by_old_statistics_carry_a_warning(engine: EngineDatabase) -> None:
    store(["read"] * ROWS)
    assert len(migration().warnings) == 1
    AccessToken.objects.filter(pk__in=AccessToken.objects.values("pk")[: ROWS // 2]).update(
        scope="read write"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    warning = f"Much has changed since the last ANALYZE of {TOKENS}: the estimates may be far off."
    assert migration().warnings[1:] == [warning]
    analyze(TOKENS)
    assert len(migration().warnings) == 1


@on_every_engine
def test_of_applications_the_share_of_those_that_were_judged_is_taken(
    engine: EngineDatabase, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAINTENANCE = {"PREVIEW_ROWS": 100, "PREVIEW_SECONDS": 60}
    make_client("first")
    Application.objects.bulk_create(
        Application(client_id=f"{number}", name="", skip_authorization=number % 2 == 0)
        for number in range(400)
    )
    Application.objects.update(created=timezone.now() - timedelta(days=400))
    analyze(Application._meta.db_table)
    found = preview("cleanup_inactive_applications")
    assert found.warnings[0].startswith("Only the first 1")
    assert found.counted[Application._meta.db_table] < 120
    if engine.engine == "sqlite":  # which counts no further than PREVIEW_ROWS
        assert found.inexact[Application._meta.db_table] in Inexact
        return
    assert found.inexact["never_authorized"] is Inexact.ABOUT
    assert 120 < found.reasons["never_authorized"] < 280
