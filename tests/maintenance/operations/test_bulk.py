"""Many rows in one statement."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.test.utils import CaptureQueriesContext

from maintenance.models import ArchivedApplication, Run, Trigger
from maintenance.operations.bulk import insert_rows
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql


@on_every_engine
def test_what_is_inserted_is_what_was_given(engine: EngineDatabase) -> None:
    run = Run.objects.create(operation="cleanup_inactive_applications", trigger=Trigger.CODE)
    names = ["", "100 % of %s", 'O\'Reilly "& Sons" \\', "žluťoučký 🐎"]
    rows = [
        {"run_id": run.pk, "client_id": f"{number}", "name": name, "document": [{"name": name, "n": None}]}
        for number, name in enumerate(names)
    ]
    insert_rows(ArchivedApplication, [{**row, "archived": datetime.now(tz=UTC)} for row in rows])
    stored = ArchivedApplication.objects.order_by("client_id")
    assert list(stored.values("run_id", "client_id", "name", "document")) == rows
    assert set(stored.values_list("restored", flat=True)) == {None}


@on_postgresql
def test_one_statement_takes_all_and_times_to_the_microsecond(engine: EngineDatabase) -> None:
    run = Run.objects.create(operation="cleanup_inactive_applications", trigger=Trigger.CODE)
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    row = {"run_id": run.pk, "client_id": "a", "name": "", "document": [], "archived": moment}
    with CaptureQueriesContext(connection) as captured:
        insert_rows(ArchivedApplication, [row] * 1000)
        insert_rows(ArchivedApplication, [])
    assert len(captured) == 1
    assert set(ArchivedApplication.objects.values_list("archived", flat=True)) == {moment}
    assert ArchivedApplication.objects.count() == 1000
