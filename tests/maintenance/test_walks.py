"""Walks over keys of every kind, and tokens that live in another database than the runs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.models.signals import pre_delete
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.models import Run, RunStatus, Trigger
from maintenance.runner import run_here
from oauth2_provider.batching import Walk, Window
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


@on_every_engine
@pytest.mark.parametrize("fields", [("pk",), ("created", "pk"), ("operation", "pk")])
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("is_scattered", [False, True])
def test_windows_over_uuid_keys_cover_each_row_once(
    engine: EngineDatabase, fields: tuple[str, ...], is_descending: bool, is_scattered: bool
) -> None:
    made = {Run.objects.create(operation=f"o{n % 3}", trigger=Trigger.CODE).pk for n in range(23)}
    assert all(isinstance(pk, uuid.UUID) for pk in made)
    walk = Walk(
        rows=Run.objects.order_by(), fields=fields, is_descending=is_descending, is_scattered=is_scattered
    )
    seen: list[Any] = []
    after, last = None, walk.last()
    assert last is not None
    while window := walk.next_window(after=after, last=last, size=4):
        seen += walk.rows.filter(walk.inside(window)).values_list("pk", flat=True)
        after = walk.from_json(walk.to_json(window.upto))
    assert len(seen) == len(made)
    assert set(seen) == made


@on_every_engine
@pytest.mark.parametrize("is_descending", [False, True])
def test_the_parts_of_a_walk_are_all_of_it_and_each_in_its_order(
    engine: EngineDatabase, is_descending: bool
) -> None:
    expires = timezone.now()
    AccessToken.objects.bulk_create(AccessToken(token=f"{number}", expires=expires) for number in range(40))
    walk = Walk(rows=AccessToken.objects.order_by(), is_descending=is_descending)
    first, last = walk.first(), walk.last()
    assert first is not None
    assert last is not None
    bounds = [None, *walk.cuts(first, last, 4), last]
    assert len(bounds) == 5
    parts = [
        walk.rows.filter(walk.inside(Window(after=after, upto=upto))).values_list("pk", flat=True)
        for after, upto in pairwise(bounds)
        if upto is not None
    ]
    seen = [pk for part in parts for pk in sorted(part, reverse=is_descending)]
    assert seen == sorted(AccessToken.objects.values_list("pk", flat=True), reverse=is_descending)
    assert all(9 <= len(part) <= 11 for part in parts)
    fractions = [walk.fraction(key, first=first, last=last) for key in bounds if key is not None]
    assert fractions == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.03)


@on_every_engine
@pytest.mark.parametrize("is_descending", [False, True])
def test_no_cut_lies_beyond_the_last_row_there_was_at_the_start(
    engine: EngineDatabase, is_descending: bool
) -> None:
    """Rows that came since may have the same first value, and come after it."""
    expires = timezone.now().replace(microsecond=0)
    for number in range(4):
        AccessToken.objects.create(token=f"{number}", expires=expires)
    keys = AccessToken.objects.order_by("-pk" if is_descending else "pk").values_list("expires", "pk")
    walk = Walk(rows=AccessToken.objects.order_by(), fields=("expires", "pk"), is_descending=is_descending)
    assert walk.cuts(keys[0], keys[1], 3) == []


@pytest.mark.django_db
def test_the_run_says_which_way_the_rows_go_and_why() -> None:
    def listen(**kwargs: Any) -> None: ...

    run = run_here(runs.enqueue("clear_expired"))
    assert "by set-based statements" in run.events.get(kind="note").text
    pre_delete.connect(listen, sender=AccessToken)
    try:
        run = run_here(runs.enqueue("clear_expired"))
    finally:
        pre_delete.disconnect(listen, sender=AccessToken)
    text = run.events.get(kind="note").text
    assert "through the ORM" in text
    assert "oauth2_provider.AccessToken has delete signals connected" in text


class TokensElsewhere:
    """Routes the provider's tables to the database "tokens"."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "tokens" if model._meta.app_label == "oauth2_provider" else None

    db_for_write = db_for_read


@pytest.fixture
def tokens_database(engine: EngineDatabase, tmp_path: Path) -> Iterator[None]:
    """A second database with the same tables, as the alias "tokens"."""
    second = EngineDatabase("sqlite", name=str(tmp_path / "tokens.sqlite3"))
    with second.as_alias("tokens"), override_settings(DATABASE_ROUTERS=[TokensElsewhere()]):
        yield


@pytest.mark.usefixtures("tokens_database")
def test_tokens_in_another_database_are_cleared_and_counted_by_runs_in_this_one() -> None:
    now = timezone.now()
    for number in range(30):
        AccessToken.objects.create(token=f"{number}", expires=now + timedelta(days=number - 24.5))
    run = run_here(runs.enqueue("clear_expired"), window_rows=7)
    assert (run.status, run.counts["oauth2_provider_accesstoken"]) == (RunStatus.SUCCEEDED, 25)
    with connections["tokens"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM oauth2_provider_accesstoken")
        assert cursor.fetchone() == (5,)
    assert Run.objects.using("default").count() == 1
