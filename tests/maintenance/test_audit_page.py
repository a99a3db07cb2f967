"""The audit trail in the admin: what it shows, its filters, pages and exports, and who may see it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from maintenance import audit, runs
from maintenance.admin.audit import effect_in_words
from maintenance.models import AuditAction, AuditEvent

PAGE = "/admin/maintenance/auditevent/"


def shown(page: Any) -> list[str]:
    return [line["event"].target for line in page.context["lines"]]


def test_an_event_is_shown_with_who_what_when_why_where_and_effect(admin_client: Client) -> None:
    run = runs.enqueue("clear_expired")
    with audit.origin(actor="alice", source="admin", address="192.0.2.7"):
        event = audit.record(
            AuditAction.RUN_PAUSED,
            run=run,
            target="a <target>",
            reason="too loud",
            effect={"status": "paused"},
        )
    text = admin_client.get(PAGE).content.decode()
    for part in (
        f"{event.created:%Y-%m-%d %H:%M:%S}",
        "alice",
        "192.0.2.7",
        "Run paused",
        "a &lt;target&gt;",
        "too loud",
        "status paused",
        reverse("admin:maintenance_run_change", args=[run.pk]),
    ):
        assert part in text
    own = admin_client.get(reverse("admin:maintenance_auditevent_change", args=[event.pk])).content.decode()
    assert "&quot;status&quot;: &quot;paused&quot;" in own
    assert 'name="_save"' not in own


def test_a_run_that_is_purged_leaves_its_events_without_a_link(admin_client: Client) -> None:
    run = runs.enqueue("clear_expired")
    key = run.pk
    run.delete()
    text = admin_client.get(PAGE).content.decode()
    assert "Run requested" in text
    assert reverse("admin:maintenance_run_change", args=[key]) not in text


def test_filters_narrow_the_page_and_go_along_to_the_exports(admin_client: Client) -> None:
    audit.record(AuditAction.APPLICATION_PROTECTED, actor="alice", target="one")
    audit.record(AuditAction.APPLICATION_PROTECTED, actor="bob", target="two")
    audit.record(AuditAction.APPLICATION_RESTORED, actor="alice", target="three")
    asked = {"actor": "alice", "action": "application_protected"}
    page = admin_client.get(PAGE, asked)
    assert shown(page) == ["one"]
    (csv_url, _csv), (json_url, _json) = page.context["exports"]
    lines = b"".join(admin_client.get(csv_url).streaming_content).decode().splitlines()
    assert len(lines) == 2
    assert "one" in lines[1]
    [line] = b"".join(admin_client.get(json_url).streaming_content).decode().splitlines()
    assert json.loads(line)["target"] == "one"
    exported = AuditEvent.objects.filter(action=AuditAction.EXPORTED).first()
    assert exported is not None
    assert (exported.actor, exported.effect) == ("admin", {"filters": asked})


def test_a_filter_that_makes_no_sense_is_said_and_nothing_is_shown(admin_client: Client) -> None:
    audit.record(AuditAction.HELD_ALL, actor="alice")
    page = admin_client.get(PAGE, {"since": "yesterday-ish"})
    assert page.context["form"].errors["since"] == ["Enter a valid date/time."]
    assert (shown(page), page.context["exports"]) == ([], [])


def test_the_trail_goes_page_by_page_with_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        audit.record(AuditAction.HELD_ALL, target=str(number))
    with django_assert_max_num_queries(6):
        page = admin_client.get(PAGE, {"action": "held_all"})
    assert shown(page) == [str(number) for number in range(59, 9, -1)]
    older = admin_client.get(PAGE + page.context["older_url"])
    assert shown(older) == [str(number) for number in range(9, -1, -1)]
    assert older.context["older_url"] is None
    assert shown(admin_client.get(PAGE + older.context["newest_url"])) == shown(page)


def test_a_look_that_ends_before_the_trail_says_so_and_goes_on(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "LOOKED_AT", 10)
    monkeypatch.setattr(audit, "OUT_OF_STEP", 0)
    audit.record(AuditAction.HELD_ALL, target="the one", reason="an audit")
    for _number in range(60):
        audit.record(AuditAction.HELD_ALL)
    page = admin_client.get(PAGE, {"search": "AUDIT"})
    assert shown(page) == []
    text = page.content.decode()
    assert "events were looked at for this page" in text
    assert "Look further back" in text
    assert "No event fits." not in text
    older = admin_client.get(PAGE + page.context["older_url"])
    assert (shown(older), older.context["older_url"]) == (["the one"], None)


def test_a_key_that_no_column_holds_is_no_key(admin_client: Client) -> None:
    audit.record(AuditAction.HELD_ALL, target="here")
    assert shown(admin_client.get(PAGE, {"before": "9" * 30})) == ["here"]


def test_only_those_with_the_permission_see_or_export_it(db: None) -> None:
    user = get_user_model().objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_run"))
    client = Client()
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    assert client.get(f"{PAGE}export/csv/").status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="view_auditevent"))
    assert client.get(PAGE).status_code == 200
    assert client.get(f"{PAGE}export/csv/").status_code == 200
    event = AuditEvent.objects.first()
    assert event is not None
    for path in (f"{PAGE}add/", f"{PAGE}{event.pk}/delete/"):
        assert client.post(path, {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.filter(pk=event.pk).exists()


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ({}, ""),
        (
            {"status": "succeeded", "counts": {"a": 12345, "b": 0}, "error": ""},
            "status succeeded · counts a 12,345",
        ),
        ({"enabled": False, "changed": ["x", "y"]}, "enabled no · changed x, y"),
        ({"works": [{}], "counts": {"a": 0}}, ""),
        ({"text": "x" * 400}, f"text {'x' * 295}…"),
    ],
)
def test_an_effect_in_one_line(effect: dict[str, Any], words: str) -> None:
    assert effect_in_words(effect) == words
