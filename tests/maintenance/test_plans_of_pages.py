"""Every operators' page on a site of 120,000 tokens: no statement of it reads a big table from end to end.

The pages are found by walking the admin's URLs, so a new one is held to this by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from maintenance import audit, runs
from maintenance.health import forget_health
from maintenance.models import (
    ArchivedApplication,
    AuditAction,
    ProtectedApplication,
    Run,
    RunEvent,
    RunStatus,
)
from maintenance.operations import all_operations
from maintenance.runner import Runner
from maintenance.settings import DEFAULTS
from tests.databases import EngineDatabase
from tests.engines import engine_at_hand, on_postgresql
from tests.oauth2_provider.credentials import make_client
from tests.plans import TOKEN_TABLES, fill, multiply, nodes, plan_of, rows_read, selects

from .test_who_may import addresses

TOKENS = 120_000
APPLICATIONS = 20_000
MOST_READ = 10_000
"""Of a table by any part of a plan. A table with as many rows is a big one: not the runs, which are purged."""

OWNER = 2_000_000
"""The user with most tokens."""
CLIENT = "CLIENT"
"""Stands for the key of the application with most tokens."""

RUN = "/admin/maintenance/run/"
AUDIT = "/admin/maintenance/auditevent/"
INACTIVE = f"{RUN}inactive-applications/"
ARCHIVE = "/admin/maintenance/archivedapplication/"
APPLICATION = "/admin/oauth2_provider/application/"
SCHEDULES = "/admin/django_celery_beat/periodictask/"


engine = pytest.fixture(scope="module")(engine_at_hand)
"""The site is filled once: its pages change nothing of it."""


@pytest.fixture(scope="module")
def things(engine: EngineDatabase) -> dict[str, Any]:
    """Years of a busy site; what of it the pages of one thing are about."""
    now = timezone.now()
    client = make_client("photo-printer", name="Photo Printer")
    multiply(
        client,
        APPLICATIONS,
        client_id="'client-' || n",
        name="'Client ' || n",
        created="now() - n * interval '1 hour'",
        last_used="CASE WHEN n % 3 > 0 THEN now() - (n / 2) * interval '1 hour' END",
    )
    get_user_model().objects.create(pk=OWNER, username="owner")
    others = f"{client.pk} + 1 + n % ({APPLICATIONS} / 2)"
    fill(
        application=f"CASE WHEN n > {TOKENS // 2} THEN {client.pk} ELSE {others} END",
        user=f"CASE WHEN n > {TOKENS // 2} THEN {OWNER} ELSE {{any_user}} END",
        rows=TOKENS,
    )
    old = runs.enqueue("purge_runs")
    Run.objects.filter(pk=old.pk).update(
        status=RunStatus.SUCCEEDED, active_key=None, finished=now, started=now
    )
    multiply(
        old,
        5_000,
        id="gen_random_uuid()",
        created="now() - n * interval '1 hour'",
        finished="now() - n * interval '1 hour'",
    )
    event = audit.record(AuditAction.RUN_PREVIEWED, actor="maria", source="admin", operation="clear_expired")
    multiply(
        event,
        TOKENS,
        created="now() - n * interval '1 minute'",
        actor="'user-' || n % 50",
        run="gen_random_uuid()",
    )
    run = runs.enqueue("clear_expired")
    Runner(run.pk, window_rows=1000, must_stop=lambda: Run.objects.get(pk=run.pk).windows >= 3).advance()
    multiply(RunEvent.objects.filter(run=run.pk).earliest("id"), 60_000)
    gone = ArchivedApplication.objects.create(
        run=run,
        client_id="gone",
        name="Gone",
        document=[{"model": "oauth2_provider.application", "pk": 1, "fields": {"client_id": "gone"}}],
    )
    multiply(gone, APPLICATIONS, client_id="'gone-' || n", name="'Gone ' || n")
    word = ProtectedApplication.objects.create(client_id="client-77", actor="maria")
    multiply(word, APPLICATIONS, client_id="'client-' || (n + 100)")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    get_user_model().objects.create_superuser("operator")
    return {
        "run": run,
        "archivedapplication": gone,
        "protectedapplication": word,
        "auditevent": event,
        "client": client,
    }


@pytest.fixture
def operator(things: dict[str, Any]) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username="operator"))
    return client


def pages(things: dict[str, Any]) -> list[str]:
    """Return every page of the maintenance admin, with its filters, and of what it adds to others'."""
    client, ages = things["client"].pk, "days=90&never_authorized_days=30"
    first = PeriodicTask.objects.earliest("pk").pk
    return [
        *addresses(things).values(),
        *(f"{RUN}run/{operation.name}/" for operation in all_operations()),
        *(
            f"{RUN}?{query}"
            for query in ("q=operator", "q=no+such", "operation=purge_runs", "trigger__exact=admin")
        ),
        *(f"{RUN}?{query}" for query in ("status__exact=failed", "p=40", "operation=migrate_token_scopes")),
        *(f"{INACTIVE}?{ages}&kind={kind}" for kind in ("", "dormant", "never_authorized")),
        f"{INACTIVE}?{ages}&kind=&after={client + 15_000}",
        *(f"{ARCHIVE}?{query}" for query in ("p=15", f"run__id__exact={things['run'].pk}", "restored=no")),
        *(
            f"{AUDIT}?{query}"
            for query in ("actor=user-7", "actor=nobody", "action=held_all", "before=60000")
        ),
        *(
            f"{AUDIT}?{query}"
            for query in (
                "source=command",
                "operation=no-such",
                "search=no+such",
                "source=admin&before=60000",
            )
        ),
        f"{AUDIT}?action=run_previewed&search=no+such&since=2020-01-01",
        *(
            f"{AUDIT}?{query}"
            for query in ("since=2020-01-01", "until=2020-01-01", f"run={things['run'].pk}")
        ),
        *(f"{SCHEDULES}{path}" for path in ("", "add/", f"{first}/change/", f"{first}/delete/")),
        f"{APPLICATION}{client}/change/",
        *(f"{APPLICATION}?inactive={kind}" for kind in ("yes", "no", "dormant", "never_authorized")),
        "/admin/auth/user/1077/change/",
        "/health/",
        "/health/ready",
        "/metrics",
    ]


PREVIEWS = {
    "clear_expired": ("",),
    "purge_runs": ("",),
    "cleanup_inactive_applications": ("",),
    "migrate_token_scopes": ("&old=read&new=write&force=on", "&old=rare&new=write&force=on"),
    "revoke_user_tokens": (
        "&user_id=1077",
        f"&user_id={OWNER}",
        "&everybody=on",
        f"&application_id={CLIENT}",
    ),
}


PAGE = {"Seq Scan": 2_000}
PREVIEW: dict[str, int] = {}
"""Rows that a part of a plan may read, where MOST_READ is too many or too few."""


def refused(
    client: Client, path: str, data: dict[str, Any] | None = None, *, most: dict[str, int] = PAGE
) -> list[str]:
    """Ask for a page; return what it reads of big tables beyond bounds: how, how many rows, for which statement.

    A scan from the front passes where a LIMIT ends it soon.
    """
    forget_health()
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path) if data is None else client.post(path, data)
        if answer.streaming:
            b"".join(answer)
    assert answer.status_code in (200, 403, 405, 503), (path, answer.status_code)
    return [f"{path}: {line}" for line in beyond(selects(captured), most)]


def beyond(statements: Iterable[str], most: dict[str, int]) -> list[str]:
    """Return what `statements` read of big tables beyond bounds."""
    big = big_tables()
    return [
        f"{node['Node Type']} of {node['Relation Name']}, {rows_read(node):,.0f} rows: {statement[:900]}"
        for statement in statements
        for node in nodes(plan_of(statement, is_run=True))
        if node.get("Relation Name") in big and rows_read(node) > most.get(node["Node Type"], MOST_READ)
    ]


def big_tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= %s", [MOST_READ])
        big = {name for (name,) in cursor.fetchall()}
    assert {*TOKEN_TABLES, "auth_user", "oauth2_provider_application", "maintenance_auditevent"} <= big
    return big


@on_postgresql
def test_no_page_reads_a_big_table_from_end_to_end(operator: Client, things: dict[str, Any]) -> None:
    assert beyond(["SELECT 1 FROM maintenance_auditevent WHERE target = 'no such'"], PAGE)  # it would be seen
    found = [line for path in pages(things) for line in refused(operator, path)]
    assert found == [], "\n".join(found)


@on_postgresql
def test_no_preview_reads_a_big_table_from_end_to_end(operator: Client, things: dict[str, Any]) -> None:
    """By index, or by stretches of a table, a preview looks at as many rows as PREVIEW_ROWS says."""
    assert DEFAULTS["PREVIEW_ROWS"] <= MOST_READ
    assert set(PREVIEWS) == {operation.name for operation in all_operations()}
    asked = [
        f"{RUN}run/{name}/?preview{arguments.replace(CLIENT, str(things['client'].pk))}"
        for name, each in PREVIEWS.items()
        for arguments in each
    ]
    for path in asked:
        assert "signed" in operator.get(path).context, path
    found = [line for path in asked for line in refused(operator, path, most=PREVIEW)]
    action = {"action": "revoke_tokens", "_selected_action": ["1077", "1078"]}
    found += [line for line in refused(operator, "/admin/auth/user/", action) if "of auth_user" not in line]
    assert found == [], "\n".join(found)
