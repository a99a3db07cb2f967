"""The dashboard and the pages of runs: what they cost, who may see what, and what they show without a browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from maintenance import runs
from maintenance.admin.dashboard_figures import clearance_in_words
from maintenance.admin.timeline import SHOWN, timeline_of
from maintenance.health import forget_health
from maintenance.models import MaintenanceSwitch, Run, RunEvent, RunStatus, Trigger
from maintenance.runner import Runner, run_here
from maintenance.snapshots import take_snapshot_if_due
from maintenance.statistics import Clearance
from oauth2_provider.models import AccessToken, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql

DASHBOARD = "/admin/maintenance/dashboard/"
RUNS = "/admin/maintenance/run/"
Kind = RunEvent.Kind


@pytest.fixture(autouse=True)
def fresh_health() -> None:
    forget_health()


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that logs a staff user with the named permissions in."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user(f"staff{len(permissions)}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def ended_runs(count: int, *, operation: str = "clear_expired", **values: Any) -> None:
    now = timezone.now()
    values = {
        "status": RunStatus.SUCCEEDED,
        "trigger": Trigger.SCHEDULE,
        "started": now,
        "finished": now,
        **values,
    }
    Run.objects.bulk_create(Run(operation=operation, **values) for _ in range(count))


def queries_of(client: Client, path: str) -> int:
    client.get(path)  # what is cached once a process is cached now
    forget_health()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def test_the_cost_of_the_dashboard_does_not_grow_with_runs(admin_client: Client) -> None:
    ended_runs(2)
    few = queries_of(admin_client, DASHBOARD)
    ended_runs(60)
    ended_runs(30, operation="purge_runs")
    assert queries_of(admin_client, DASHBOARD) <= few
    assert few < 90


def test_the_live_part_of_the_dashboard_is_two_queries_and_who_asks(admin_client: Client) -> None:
    runs.enqueue("clear_expired")
    assert queries_of(admin_client, f"{DASHBOARD}live/") <= 4


def test_the_list_of_runs_asks_no_more_for_more_runs(admin_client: Client, admin_user: Any) -> None:
    ended_runs(1, requested_by=admin_user)
    few = queries_of(admin_client, RUNS)
    ended_runs(30, requested_by=admin_user, shards=4)
    assert queries_of(admin_client, RUNS) == few < 12


def test_the_page_of_a_run_is_a_few_queries(admin_client: Client, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired", shards=4)
    Runner(run.pk, budget_seconds=60).advance()
    page = reverse("admin:maintenance_run_change", args=[run.pk])
    assert queries_of(admin_client, page) <= 8
    assert queries_of(admin_client, reverse("admin:maintenance_run_live", args=[run.pk])) <= 8


@on_postgresql
def test_no_page_reads_a_big_table_as_a_whole(
    engine: EngineDatabase, client: Client, make_tokens: Callable[..., Any]
) -> None:
    """Each statement of each page, run again with its plan: none touches more than 10,000 of 120,000 tokens."""
    owner = make_tokens(expired=1)
    user = get_user_model().objects.create_superuser("operator")
    RefreshToken.objects.create(token="r", token_checksum="r", application=owner, user=user)
    multiply(AccessToken, 120_000, expires="now() + (n - 60000) * interval '1 second'")
    multiply(RefreshToken, 120_000, revoked="CASE WHEN n > 60000 THEN now() END")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    client.force_login(user)
    ended_runs(500)
    run = runs.enqueue("clear_expired")
    Runner(run.pk, window_rows=1000, must_stop=lambda: Run.objects.get(pk=run.pk).windows >= 3).advance()
    for path in (
        DASHBOARD,
        f"{DASHBOARD}live/",
        RUNS,
        f"{RUNS}?q=operator",
        reverse("admin:maintenance_run_change", args=[run.pk]),
        reverse("admin:maintenance_run_live", args=[run.pk]),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        for statement in {query["sql"] for query in queries if query["sql"].startswith("SELECT")}:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement.replace("%", "%%"), None)
                (plan,) = cursor.fetchone()
            assert _rows_read(plan[0]["Plan"]) <= 10_000, (path, statement)


def multiply(model: Any, count: int, **expressions: str) -> None:
    """Copy the one row of `model` `count` times, with an SQL expression of the number `n` for some columns."""
    table = model._meta.db_table
    values = {field.column: field.column for field in model._meta.concrete_fields if not field.primary_key}
    values |= {"token": "token || n", "token_checksum": "md5(n::text)", **expressions}
    if "token_family" in values:
        values["token_family"] = "gen_random_uuid()"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} "
            f"FROM {table}, generate_series(1, {count}) n"
        )


def _rows_read(plan: dict[str, Any]) -> float:
    inner = [_rows_read(part) for part in plan.get("Plans", [])]
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([own, *inner])


@pytest.mark.parametrize("path", [DASHBOARD, f"{DASHBOARD}live/", f"{DASHBOARD}switch/", RUNS])
def test_staff_without_permissions_see_nothing(staff: Callable[..., Client], path: str) -> None:
    assert staff().get(path).status_code == 403


@pytest.mark.parametrize("path", [DASHBOARD, f"{DASHBOARD}live/", f"{DASHBOARD}switch/"])
def test_who_is_not_logged_in_is_sent_to_the_login(client: Client, db: None, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_a_viewer_may_not_turn_the_switch(staff: Callable[..., Client]) -> None:
    client = staff("view_run")
    page = f"{DASHBOARD}switch/"
    assert page.encode() not in client.get(DASHBOARD).content
    assert client.get(page).status_code == 403
    assert client.post(page, {"to": "hold", "reason": "because"}).status_code == 403
    assert MaintenanceSwitch.find_hold() is None


def test_a_second_click_on_hold_does_not_release(staff: Callable[..., Client]) -> None:
    client = staff("view_run", "hold_hygiene")
    for reason in ("the first", "the second"):
        assert client.post(f"{DASHBOARD}switch/", {"to": "hold", "reason": reason}).status_code == 302
    held = MaintenanceSwitch.find_hold()
    assert held is not None
    assert held.reason == "the first"
    assert b"Hygiene work is held" in client.get(DASHBOARD).content
    client.post(f"{DASHBOARD}switch/", {"to": "release", "reason": "over"})
    assert MaintenanceSwitch.find_hold() is None


def test_the_switch_takes_a_csrf_token(admin_user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(f"{DASHBOARD}switch/", {"to": "hold", "reason": "because"}).status_code == 403
    assert MaintenanceSwitch.find_hold() is None


def test_a_traceback_takes_a_permission_of_its_own(staff: Callable[..., Client]) -> None:
    run = Run.objects.create(
        operation="clear_expired",
        trigger=Trigger.CODE,
        status=RunStatus.FAILED,
        error_class="OperationalError",
        error_message="disk full",
        traceback="in the secret module",
    )
    page = reverse("admin:maintenance_run_change", args=[run.pk])
    seen = staff("view_run").get(page).content
    assert b"OperationalError" in seen
    assert b"in the secret module" not in seen
    assert b"in the secret module" in staff("view_run", "view_traceback").get(page).content


def test_a_card_tells_a_schedule_in_words_and_that_it_is_off(admin_client: Client) -> None:
    page = admin_client.get(DASHBOARD).content.decode()
    assert "at 02:15, UTC" in page
    entry = PeriodicTask.objects.get(name="maintenance: clear expired")
    entry.enabled = False
    entry.save()
    card = next(
        card
        for card in admin_client.get(DASHBOARD).context["cards"]
        if card.operation.name == "clear_expired"
    )
    (line,) = card.schedules
    assert (line.is_enabled, line.next_times) == (False, [])


def test_a_card_tells_that_a_schedule_is_overdue(admin_client: Client) -> None:
    entry = PeriodicTask.objects.get(name="maintenance: clear expired")
    PeriodicTask.objects.filter(pk=entry.pk).update(
        last_run_at=timezone.now() - timedelta(days=3), date_changed=timezone.now() - timedelta(days=3)
    )
    card = next(
        card
        for card in admin_client.get(DASHBOARD).context["cards"]
        if card.operation.name == "clear_expired"
    )
    assert card.schedules[0].overdue is not None
    assert b"overdue for" in admin_client.get(DASHBOARD).content


def test_the_last_success_is_found_behind_many_failures(admin_client: Client) -> None:
    ended_runs(1)
    Run.objects.update(
        created=timezone.now() - timedelta(days=40), finished=timezone.now() - timedelta(days=40)
    )
    ended_runs(35, status=RunStatus.FAILED)
    card = next(
        card
        for card in admin_client.get(DASHBOARD).context["cards"]
        if card.operation.name == "clear_expired"
    )
    assert card.last_success == "40 d"
    assert card.spark.count("tone-bad") == 30


@pytest.mark.parametrize(
    ("days", "is_known", "words", "tone"),
    [
        (None, False, "no history yet", "quiet"),
        (None, True, "grows", "bad"),
        (0.0, True, "nothing to clear", "good"),
        (0.3, True, "within a day", "good"),
        (3.5, True, "about 3 d 12 h", "good"),
        (20.0, True, "about 20 d", "warn"),
    ],
)
def test_how_long_a_backlog_stays(days: float | None, is_known: bool, words: str, tone: str) -> None:
    clearance = Clearance(
        table="t", expired=5, created_per_day=1.0, removed_per_day=1.0, days=days, is_known=is_known
    )
    assert clearance_in_words(clearance) == (words, tone)


def test_runs_are_found_by_who_asked_and_bad_input_finds_nothing(
    admin_client: Client, admin_user: Any
) -> None:
    run = runs.request_run("clear_expired", {}, trigger=Trigger.ADMIN, requested_by=admin_user)
    runs.enqueue("purge_runs")
    for text in (admin_user.get_username(), str(run.pk), "clear_exp"):
        assert [found.pk for found in admin_client.get(RUNS, {"q": text}).context["cl"].result_list] == [
            run.pk
        ]
    for text in ("no such", "0" * 300, "'; DROP", "\x00"):
        assert admin_client.get(RUNS, {"q": text}).status_code in (200, 302)
    only = admin_client.get(RUNS, {"operation": "purge_runs"}).context["cl"].result_list
    assert [found.operation for found in only] == ["purge_runs"]


def test_a_shard_is_left_out_of_the_list_and_has_a_page(
    admin_client: Client, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=40)
    run = runs.enqueue("clear_expired", shards=2)
    while not Run.objects.filter(parent=run.pk).exists():
        Runner(run.pk, budget_seconds=60).advance()
    shard = Run.objects.filter(parent=run.pk).first()
    assert shard is not None
    assert [found.pk for found in admin_client.get(RUNS).context["cl"].result_list] == [run.pk]
    page = admin_client.get(reverse("admin:maintenance_run_change", args=[shard.pk]))
    assert reverse("admin:maintenance_run_change", args=[run.pk]) in page.content.decode()


@pytest.mark.parametrize("key", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_run_that_is_not_there_leads_back_to_the_list(admin_client: Client, key: str) -> None:
    answer = admin_client.get(f"{RUNS}{key}/change/", follow=True)
    assert answer.redirect_chain[-1][0] == RUNS
    assert b"There is no such run" in answer.content


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²"])
def test_a_bad_place_in_the_timeline_shows_the_newest(admin_client: Client, before: str) -> None:
    run = runs.enqueue("clear_expired")
    page = admin_client.get(reverse("admin:maintenance_run_change", args=[run.pk]), {"before": before})
    assert [entry.title for entry in page.context["timeline"].entries] == ["Enqueued"]


def test_slices_are_drawn_together_and_what_disturbed_them_is_not(db: None) -> None:
    run = runs.enqueue("clear_expired")
    for _ in range(5):
        runs.note(run, Kind.STARTED, actor="web1:1")
        runs.note(run, Kind.INTERRUPTED, actor="web1:1")
    runs.note(run, Kind.HELD, text="replication lag")
    runs.note(run, Kind.STARTED, actor="web1:2")
    entries = timeline_of(run).entries
    assert [(entry.title, entry.actor) for entry in entries] == [
        ("Slice started", "web1:2"),
        ("Held", ""),
        ("5 slices", "web1:1"),
        ("Enqueued", "Code"),
    ]


def test_a_long_timeline_is_shown_page_by_page(db: None) -> None:
    run = runs.enqueue("clear_expired")
    RunEvent.objects.bulk_create(
        RunEvent(run=run, kind=Kind.NOTE, text=str(number)) for number in range(SHOWN + 9)
    )
    first = timeline_of(run)
    second = timeline_of(run, before=first.older)
    assert len(first.entries) == SHOWN
    assert [entry.text for entry in second.entries] == [*map(str, range(8, -1, -1)), ""]
    assert second.older is None


def test_what_a_run_did_and_for_whom_is_on_its_page(
    admin_client: Client, admin_user: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=1234, live=1)
    run = runs.request_run(
        "clear_expired", {}, trigger=Trigger.ADMIN, requested_by=admin_user, reason="<b>disk</b>"
    )
    run_here(run)
    page = admin_client.get(reverse("admin:maintenance_run_change", args=[run.pk])).content.decode()
    assert "1,234" in page
    assert AccessToken._meta.db_table in page
    assert "&lt;b&gt;disk&lt;/b&gt;" in page
    assert "<b>disk" not in page
    assert 'data-active="no"' in page


@on_every_engine
def test_every_page_answers_on_every_engine(
    engine: EngineDatabase, client: Client, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=50, live=5)
    client.force_login(get_user_model().objects.create_superuser("operator"))
    take_snapshot_if_due(timezone.now() - timedelta(hours=3))
    done = run_here(runs.enqueue("clear_expired"))
    take_snapshot_if_due(timezone.now() - timedelta(hours=1))
    dashboard = client.get(DASHBOARD)
    tokens = next(line for line in dashboard.context["tables"] if line.table == AccessToken._meta.db_table)
    assert (tokens.rows, tokens.expired) == ("5", "0")
    assert (tokens.size is None) == (engine.engine == "sqlite")
    assert "50" in [row[2] for row in dashboard.context["flow"].rows]  # an hour ago may be yesterday
    for path in (
        f"{DASHBOARD}live/",
        RUNS,
        f"{RUNS}?q=clear",
        reverse("admin:maintenance_run_live", args=[done.pk]),
    ):
        assert client.get(path).status_code == 200
    page = client.get(reverse("admin:maintenance_run_change", args=[done.pk]))
    assert ("Access tokens", AccessToken._meta.db_table, 50) in page.context["counts"]
    assert len(page.context["charts"]) == 2
