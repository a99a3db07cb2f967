"""Looks at inactive applications begin at what these have: not at the front of a big table."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth2_provider.flows.inactive_applications import InactivityRule, judge
from oauth2_provider.models import Application
from tests.databases import EngineDatabase
from tests.engines import on_postgresql
from tests.oauth2_provider.credentials import make_client
from tests.plans import TOKEN_TABLES, fill, multiply, scanned, selects

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


@on_postgresql
def test_a_look_at_some_of_many_applications_reads_what_they_have(engine: EngineDatabase) -> None:
    keys = make_dormant(ROWS)
    with CaptureQueriesContext(connection) as captured:
        verdicts = judge(rule(), keys[:300])
    assert {verdict.kept for verdict in verdicts} == {None}
    assert scanned(selects(captured)).isdisjoint(TOKEN_TABLES)
