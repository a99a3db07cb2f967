"""Who did what, when, why, from where, to what effect: asked with filters, exported in bounded memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone

from maintenance import audit, runs
from maintenance.audit import AuditFilter
from maintenance.models import AuditAction, AuditEvent, Run, Trigger
from maintenance.runner import run_here
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


def trail() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("action", "actor", "source"))


@on_every_engine
def test_a_run_is_in_the_trail_from_request_to_effect(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5)
    run = runs.request_run("clear_expired", {}, trigger=Trigger.CODE, reason="a spring clean")
    assert runs.request_run("clear_expired", {}, trigger=Trigger.SCHEDULE).pk == run.pk
    runs.pause(run, actor="alice")
    runs.resume(run, actor="bob")
    run_here(run)
    assert trail() == [
        ("run_requested", "Code", "code"),
        ("run_requested_again", "Schedule", "schedule"),
        ("run_paused", "alice", ""),
        ("run_resumed", "bob", ""),
        ("run_ended", "Code", "code"),
    ]
    first, last = AuditEvent.objects.order_by("id").first(), AuditEvent.objects.order_by("id").last()
    assert first is not None
    assert last is not None
    assert (first.reason, first.effect) == ("a spring clean", {"arguments": {}, "shards": 1})
    assert (last.effect["status"], last.effect["counts"]) == ("succeeded", run_counts(run))
    assert set(AuditEvent.objects.values_list("run", flat=True)) == {run.pk}


def run_counts(run: Run) -> dict[str, int]:
    run.refresh_from_db()
    return run.total_counts


@pytest.mark.django_db
def test_the_trail_outlives_the_record_of_runs_for_as_long_as_the_setting_says() -> None:
    run = run_here(runs.enqueue("clear_expired"))
    Run.objects.filter(pk=run.pk).update(created=timezone.now() - timedelta(days=100))
    AuditEvent.objects.filter(run=run.pk).update(created=timezone.now() - timedelta(days=100))
    run_here(runs.enqueue("purge_runs"))
    assert not Run.objects.filter(pk=run.pk).exists()
    assert AuditEvent.objects.filter(run=run.pk).count() == 2
    with override_settings(MAINTENANCE={"AUDIT_RETENTION_DAYS": 99}):
        run_here(runs.enqueue("purge_runs"))
    assert not AuditEvent.objects.filter(run=run.pk).exists()


@pytest.mark.django_db
def test_a_click_in_the_admin_leaves_name_and_address(admin_client: Client, admin_user: Any) -> None:
    run = runs.enqueue("clear_expired")
    url = reverse("admin:maintenance_run_control", args=[run.pk, "pause"])
    admin_client.post(url, REMOTE_ADDR="192.0.2.7")
    event = AuditEvent.objects.get(action="run_paused")
    assert (event.actor, event.source, event.address) == (admin_user.get_username(), "admin", "192.0.2.7")


@pytest.mark.django_db
def test_the_command_line_is_a_source() -> None:
    run = runs.enqueue("clear_expired")
    call_command("maintenance_runs", "pause", str(run.pk), stdout=io.StringIO())
    assert trail()[-1] == ("run_paused", "maintenance_runs", "command")


@pytest.mark.parametrize(
    ("meta", "setting", "address"),
    [
        ({"REMOTE_ADDR": "2001:db8::7"}, "REMOTE_ADDR", "2001:db8::7"),
        ({"REMOTE_ADDR": ""}, "REMOTE_ADDR", None),
        ({"REMOTE_ADDR": "unix:"}, "REMOTE_ADDR", None),
        ({"HTTP_X_REAL_IP": "192.0.2.9"}, "REMOTE_ADDR", "127.0.0.1"),
        ({"HTTP_X_REAL_IP": "192.0.2.9"}, "HTTP_X_REAL_IP", "192.0.2.9"),
        ({"HTTP_X_FORWARDED_FOR": "192.0.2.9, 10.0.0.1"}, "HTTP_X_FORWARDED_FOR", "192.0.2.9"),
    ],
)
def test_the_address_is_where_the_setting_says(meta: Any, setting: str, address: str | None) -> None:
    with override_settings(MAINTENANCE={"CLIENT_ADDRESS_META": setting}):
        assert audit.client_address(RequestFactory().get("/", **meta)) == address


@on_every_engine
def test_filters_narrow_the_trail(engine: EngineDatabase) -> None:
    run = runs.enqueue("clear_expired")
    with audit.origin(actor="alice", source=Trigger.ADMIN):
        audit.record(AuditAction.APPLICATION_PROTECTED, target="A Shop", reason="a partner")
    old = audit.record(AuditAction.RELEASED_ALL, actor="bob")
    long_ago = timezone.now() - timedelta(days=3)
    AuditEvent.objects.filter(pk=old.pk).update(created=long_ago)

    def found(**filters: Any) -> list[str]:
        return [event.action for event in AuditFilter(**filters).events()]

    assert found() == ["released_all", "application_protected", "run_requested"]
    assert found(action="released_all") == ["released_all"]
    assert found(actor="alice") == found(source="admin") == ["application_protected"]
    assert found(operation="clear_expired") == found(run=run.pk) == ["run_requested"]
    assert found(search="shop") == found(search="PARTNER") == ["application_protected"]
    assert found(until=long_ago + timedelta(seconds=1)) == ["released_all"]
    assert found(since=long_ago + timedelta(seconds=1)) == ["application_protected", "run_requested"]


@pytest.mark.django_db
class TestExport:
    def test_no_cell_is_a_formula(self) -> None:
        for reason in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'fine, "quoted"\nline'):
            audit.record(AuditAction.HELD_ALL, actor="=cmd", reason=reason)
        rows = list(csv.DictReader(io.StringIO("".join(audit.export_csv(AuditFilter().events())))))
        assert list(rows[0]) == list(audit.FIELDS)
        assert [row["reason"] for row in rows] == [
            'fine, "quoted"\nline',
            "'\t=1",
            "'@SUM(A1)",
            "'-1",
            "'+1",
            "'=1+1",
        ]
        assert {row["actor"] for row in rows} == {"'=cmd"}
        assert {row["effect"] for row in rows} == {"{}"}

    def test_json_lines_are_objects(self) -> None:
        run = runs.enqueue("clear_expired")
        (line,) = audit.export_json_lines(AuditFilter().events())
        content = json.loads(line)
        assert list(content) == list(audit.FIELDS)
        assert (content["run"], content["effect"]) == (str(run.pk), {"arguments": {}, "shards": 1})

    def test_rows_are_read_by_the_thousand(self, django_assert_num_queries: Any) -> None:
        AuditEvent.objects.bulk_create(AuditEvent(action="held_all", actor=str(i)) for i in range(2500))
        lines = audit.export_json_lines(AuditFilter().events())
        with django_assert_num_queries(1):
            next(lines)
        with django_assert_num_queries(2):
            rest = [json.loads(line)["actor"] for line in lines]
        assert rest == [str(number) for number in range(2498, -1, -1)]

    def test_it_is_for_who_may_see_the_trail(self, client: Client, django_user_model: Any) -> None:
        url = reverse("maintenance:audit-export", args=["csv"])
        assert client.get(url).status_code == 401
        user = django_user_model.objects.create_user("u", is_staff=True)
        client.force_login(user)
        assert client.get(url).status_code == 403
        user.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
        response = client.get(url)
        assert (response.status_code, response["Content-Disposition"]) == (
            200,
            'attachment; filename="audit.csv"',
        )
        assert response.streaming
        rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
        assert [(row["action"], row["actor"], row["target"]) for row in rows] == [
            ("exported", "u", "audit.csv"),
            ("permission_refused", "u", "export of the audit trail"),
        ]

    def test_the_filters_of_the_page_are_those_of_the_export(self, admin_client: Client) -> None:
        audit.record(AuditAction.HELD_ALL, actor="alice")
        audit.record(AuditAction.HELD_ALL, actor="bob")
        url = reverse("maintenance:audit-export", args=["jsonl"])
        lines = admin_client.get(url, {"actor": "bob"}).getvalue().decode().splitlines()
        assert [json.loads(line)["actor"] for line in lines] == ["bob"]
        event = AuditEvent.objects.get(action="exported")
        assert event.effect == {"filters": {"actor": "bob"}}

    def test_what_cannot_be_asked_is_said(self, admin_client: Client) -> None:
        assert admin_client.get(reverse("maintenance:audit-export", args=["pdf"])).status_code == 404
        response = admin_client.get(
            reverse("maintenance:audit-export", args=["csv"]), {"run": "x", "since": "now"}
        )
        assert (response.status_code, set(response.json()["errors"])) == (400, {"run", "since"})
        assert not AuditEvent.objects.exists()


@on_every_engine
def test_what_no_index_narrows_is_looked_for_part_by_part(
    engine: EngineDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LOOKED_AT": 10, "LOOKS": 2, "OUT_OF_STEP": 1}.items():
        monkeypatch.setattr(audit, name, value)
    made = [
        audit.record(AuditAction.HELD_ALL, source=Trigger.COMMAND if number in (3, 4, 35) else Trigger.ADMIN)
        for number in range(50)
    ]
    asked, found, before, pages = AuditFilter(source=Trigger.COMMAND), [], None, []
    while not pages or before is not None:
        page = audit.page_of(asked, before=before, size=50)
        found, before = [*found, *page.events], page.older
        pages.append((len(page.events), page.is_cut))
    assert found == [made[35], made[4], made[3]]
    assert pages == [(1, True), (0, True), (2, False)]
    first = audit.page_of(AuditFilter(source=Trigger.ADMIN), before=None, size=5)
    assert (first.events, first.older, first.is_cut) == (made[:44:-1], made[45].pk, False)


@pytest.mark.django_db
def test_the_look_begins_and_ends_with_the_time_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LOOKED_AT": 5, "LOOKS": 2, "OUT_OF_STEP": 1}.items():
        monkeypatch.setattr(audit, name, value)
    now = timezone.now()
    made = [audit.record(AuditAction.HELD_ALL, reason=f"reason {number}") for number in range(50)]
    for number, event in enumerate(made):
        AuditEvent.objects.filter(pk=event.pk).update(created=now - timedelta(hours=50 - number))
    of_a_morning = {"since": now - timedelta(hours=45), "until": now - timedelta(hours=40)}
    page = audit.page_of(AuditFilter(search="reason", **of_a_morning), before=None, size=50)
    assert (page.events, page.older, page.is_cut) == (made[9:4:-1], None, False)
    nothing = audit.page_of(AuditFilter(search="reason", until=now - timedelta(days=9)), before=None, size=50)
    assert (nothing.events, nothing.older) == ([], None)
