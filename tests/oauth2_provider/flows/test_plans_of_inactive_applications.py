"""Looks at inactive applications, and their windows, begin at what these have: not at the front of a big table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth2_provider.flows.inactive_applications import DeadRows, InactivityRule, judge
from oauth2_provider.models import AccessToken, Application
from tests.databases import EngineDatabase
from tests.engines import on_postgresql
from tests.oauth2_provider.credentials import make_client
from tests.plans import TOKEN_TABLES, fill, multiply, nodes, scanned, selects

ROWS = 40_000
APPLICATIONS = 1000


def make_dormant(rows: int) -> list[int]:
    """Store applications that nobody uses, and `rows` expired rows of each kind, shared out; returns their keys."""
    multiply(make_client("the first"), APPLICATIONS, client_id="'client ' || n")
    Application.objects.filter(client_id="the first").delete()
    keys = list(Application.objects.order_by("pk").values_list("pk", flat=True))
    fill(application=f"{keys[0]} + n % {APPLICATIONS}", rows=rows)
    with connection.cursor() as cursor:
        for table in (*TOKEN_TABLES, "oauth2_provider_application"):
            cursor.execute(f"UPDATE {table} SET created = now() - interval '200 days'")
        for table in ("oauth2_provider_accesstoken", "oauth2_provider_idtoken", "oauth2_provider_grant"):
            cursor.execute(f"UPDATE {table} SET expires = now() - interval '199 days'")
        cursor.execute("UPDATE oauth2_provider_refreshtoken SET revoked = now() - interval '199 days'")
        cursor.execute("ANALYZE")
    return keys


def rule() -> InactivityRule:
    return InactivityRule(now=timezone.now(), days=90, never_authorized_days=30)


@contextmanager
def plans_of_windows() -> Iterator[list[dict[str, Any]]]:
    """Yield the plans of the statements that delete, as they are made where these are executed."""
    plans: list[dict[str, Any]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("WITH"):
            execute(f"EXPLAIN (FORMAT JSON) {sql}", params, many, context)
            (answer,) = context["cursor"].fetchone()
            plans.append(answer[0]["Plan"])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield plans


@on_postgresql
def test_a_look_at_some_of_many_applications_reads_what_they_have(engine: EngineDatabase) -> None:
    keys = make_dormant(ROWS)
    with CaptureQueriesContext(connection) as captured:
        verdicts = judge(rule(), keys[:300])
    assert {verdict.kept for verdict in verdicts} == {None}
    assert scanned(selects(captured)).isdisjoint(TOKEN_TABLES)


@on_postgresql
def test_no_window_begins_at_the_front_of_a_table_that_goes_as_a_whole(engine: EngineDatabase) -> None:
    dead = DeadRows(rule(), make_dormant(ROWS))
    with plans_of_windows() as plans, transaction.atomic():
        kind: int | None = 0
        while kind is not None:
            counts, kind = dead.delete(size=5000, kind=kind)
            assert counts.total() <= 5000
        with connection.cursor() as cursor:
            cursor.execute("SHOW enable_seqscan")
            assert cursor.fetchone() == ("on",)
    assert not AccessToken.objects.exists()
    parts = [(node["Node Type"], node.get("Relation Name")) for plan in plans for node in nodes(plan)]
    assert {table for _, table in parts} >= {*TOKEN_TABLES}
    assert {table for kind, table in parts if kind == "Seq Scan"}.isdisjoint(TOKEN_TABLES)
