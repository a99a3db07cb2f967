"""Every URL of the operators' pages, with every kind of user, by GET and POST: nobody goes beyond what is theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, reverse

from maintenance import audit, runs
from maintenance.models import (
    ArchivedApplication,
    AuditAction,
    AuditEvent,
    MaintenanceSwitch,
    ProtectedApplication,
    Run,
)
from oauth2_provider.flows.application_archive import archived
from tests.oauth2_provider.credentials import make_client

PEOPLE: dict[str, tuple[str, ...] | None] = {
    "anonymous": None,
    "user": None,
    "staff": (),
    "viewer": ("view_run", "view_application", "view_archivedapplication", "view_protectedapplication"),
    "auditor": ("view_auditevent",),
    "hygiene": ("view_run", "run_hygiene", "control_hygiene", "hold_hygiene"),
    "security": ("view_run", "run_security", "control_security"),
    "destructive": (
        "view_run",
        "run_hygiene",
        "run_security",
        "run_destructive",
        "control_hygiene",
        "control_security",
        "control_destructive",
    ),
    "keeper": (
        "view_application",
        "view_run",
        "view_archivedapplication",
        "change_archivedapplication",
        "view_protectedapplication",
        "add_protectedapplication",
        "delete_protectedapplication",
    ),
    "superuser": None,
}

MAY_GET: dict[str, set[str]] = {
    "run_changelist": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "run_change": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "run_live": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "dashboard_changelist": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "inactive_applications": {"viewer", "keeper"},
    "run_now clear_expired": {"destructive"},
    "run_now revoke_user_tokens": {"destructive"},
    "archivedapplication_changelist": {"viewer", "keeper"},
    "archivedapplication_change": {"viewer", "keeper"},
    "protectedapplication_changelist": {"viewer", "keeper"},
    "protectedapplication_change": {"viewer", "keeper"},
    "protectedapplication_add": {"keeper"},
    "protectedapplication_delete": {"keeper"},
    "auditevent_changelist": {"auditor"},
    "auditevent_change": {"auditor"},
    "protectedapplication_history": {"viewer", "keeper"},
    "archivedapplication_history": {"viewer", "keeper"},
    "auditevent_history": {"auditor"},
    "run_history": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "dashboard_live": {"viewer", "hygiene", "security", "destructive", "keeper"},
    "switch": {"hygiene"},
    "auditevent_export csv": {"auditor"},
    "auditevent_export jsonl": {"auditor"},
}
"""Who, beside the superuser, gets a page. What is not here is for nobody by GET."""

MAY_POST: dict[str, set[str]] = {
    "run_now clear_expired": {"destructive"},
    "run_now revoke_user_tokens": {"destructive"},
    "run_control pause": {"hygiene", "destructive"},
    "run_control resume": {"destructive"},
    "run_control cancel": {"hygiene", "destructive"},
    "run_control retry": {"destructive"},
    "protection protect": {"keeper"},
    "protection unprotect": {"keeper"},
    "archivedapplication_restore": {"keeper"},
    "protectedapplication_add": {"keeper"},
    "protectedapplication_delete": {"keeper"},
    "switch": {"hygiene"},
}
"""Who, beside the superuser, may change something. What is not here changes nothing, whoever posts."""


@pytest.fixture
def things(db: None) -> dict[str, Any]:
    """A run, an archived and a protected application, an event."""
    make_client("kept", name="Kept")
    run = runs.enqueue("clear_expired")
    application = make_client("gone", name="Gone")
    [document] = archived([application])
    gone = ArchivedApplication.objects.create(run=run, client_id="gone", document=document)
    application.delete()
    word = ProtectedApplication.objects.create(client_id="kept", actor="maria")
    event = audit.record(AuditAction.HELD_ALL, actor="maria")
    return {"run": run, "archivedapplication": gone, "protectedapplication": word, "auditevent": event}


def addresses(things: dict[str, Any]) -> dict[str, str]:
    """Return every URL of the maintenance admin by name, each argument filled in."""
    choices = {
        "operation": ["clear_expired", "revoke_user_tokens"],
        "action": ["pause", "resume", "cancel", "retry"],
        "what": ["protect", "unprotect"],
        "form": ["csv", "jsonl"],
    }
    found: dict[str, str] = {}
    for model, model_admin in site._registry.items():
        if model._meta.app_label != "maintenance":
            continue
        thing = things.get(model._meta.model_name or "", things["run"])
        for pattern in model_admin.get_urls():
            if not isinstance(pattern, URLPattern) or pattern.name is None:
                continue
            names = list(pattern.pattern.converters)
            keys = {name: str(thing.pk) for name in names if name in ("object_id", "pk")}
            [other] = [name for name in names if name not in keys] or [""]
            label = pattern.name.removeprefix("maintenance_")
            for choice in choices.get(other, [""]):
                arguments = {**keys, other: choice} if other else keys
                found[f"{label} {choice}".strip()] = reverse(f"admin:{pattern.name}", kwargs=arguments)
    return found


def client_of(kind: str, *, csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=csrf)
    if kind == "anonymous":
        return client
    if kind == "superuser":
        user = get_user_model().objects.create_superuser(kind)
    else:
        user = get_user_model().objects.create_user(kind, is_staff=kind != "user")
        codenames = PEOPLE[kind] or ()
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def is_login(answer: Any) -> bool:
    return answer.status_code == 302 and "/admin/login/" in answer["Location"]


def refusals(actor: str) -> int:
    """Return how often the audit trail says that `actor` was refused, from where and on what."""
    events = AuditEvent.objects.filter(
        action=AuditAction.PERMISSION_REFUSED, actor=actor, source="admin", address="127.0.0.1"
    )
    return events.exclude(target="").count()


def state() -> list[Any]:
    """Return all that a page could change."""
    return [
        list(Run.objects.order_by("pk").values_list("pk", "status")),
        list(ArchivedApplication.objects.values_list("pk", "restored")),
        list(ProtectedApplication.objects.values_list("client_id", flat=True)),
        MaintenanceSwitch.find_hold(),
    ]


@pytest.mark.parametrize("kind", PEOPLE)
def test_who_gets_which_page(things: dict[str, Any], kind: str) -> None:
    client = client_of(kind)
    before = state()
    for name, url in addresses(things).items():
        answer = client.get(url)
        if kind in ("anonymous", "user"):
            assert is_login(answer), name
        elif kind in MAY_GET.get(name, set()) or (kind == "superuser" and name in MAY_GET):
            assert answer.status_code == 200, (name, answer.status_code)
        else:
            assert answer.status_code in (302, 403, 404, 405), (name, answer.status_code)
    assert state() == before


@pytest.mark.parametrize("kind", PEOPLE)
def test_who_may_post_what(things: dict[str, Any], kind: str) -> None:
    client = client_of(kind)
    for name, url in addresses(things).items():
        if kind in MAY_POST.get(name, set()) or kind == "superuser":
            continue
        before, noted = state(), refusals(kind)
        answer = client.post(url, {"client_id": "kept", "post": "yes", "confirmed": "yes", "reason": "x"})
        if kind in ("anonymous", "user"):
            assert is_login(answer), name
        elif answer.status_code == 200:
            assert kind in MAY_GET[name], name  # a list or a page, that a POST shows as well
        else:
            assert answer.status_code in (302, 403, 404, 405), (name, answer.status_code)
        assert state() == before, name
        assert refusals(kind) - noted == (answer.status_code == 403), name


def test_a_refused_control_names_its_run_and_what_was_tried(things: dict[str, Any]) -> None:
    client, run = client_of("viewer"), things["run"]
    for action in ("pause", "resume", "cancel", "retry"):
        client.post(reverse("admin:maintenance_run_control", args=[run.pk, action]))
    events = AuditEvent.objects.filter(action=AuditAction.PERMISSION_REFUSED).order_by("pk")
    assert [(event.target, event.operation, event.run, event.actor) for event in events] == [
        (f"{action} run {run.pk}", "clear_expired", run.pk, "viewer")
        for action in ("pause", "resume", "cancel", "retry")
    ]


def test_a_refused_export_of_the_audit_trail_is_in_it(things: dict[str, Any]) -> None:
    """For staff: those who are not cannot fill the trail."""
    for kind in ("user", "viewer"):
        assert client_of(kind).get(reverse("maintenance:audit-export", args=["csv"])).status_code == 403
    [event] = AuditEvent.objects.filter(action=AuditAction.PERMISSION_REFUSED)
    assert (event.actor, event.target) == ("viewer", "export of the audit trail")


def test_requests_that_are_transactions_keep_what_they_refused(
    things: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ATOMIC_REQUESTS an exception out of the view would undo the event."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    client = client_of("viewer")
    with transaction.atomic():
        answer = client.post(reverse("admin:maintenance_switch"), {"reason": "x"})
    assert answer.status_code == 403
    assert refusals("viewer") == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, kinds in MAY_POST.items() for kind in [*sorted(kinds), "superuser"]],
)
def test_who_may_post_is_let_in_and_not_without_the_token_of_the_page(
    things: dict[str, Any], name: str, kind: str
) -> None:
    url = addresses(things)[name]
    data = {"client_id": "kept", "post": "yes", "confirmed": "yes", "reason": "x"}
    before = state()
    assert client_of(kind, csrf=True).post(url, data).status_code == 403
    assert state() == before
    get_user_model().objects.all().delete()
    answer = client_of(kind).post(url, data)
    assert answer.status_code in (200, 302), answer.status_code
    assert not is_login(answer)


@pytest.mark.parametrize("kind", ["viewer", "superuser"])
def test_the_dashboard_is_no_way_round_to_the_columns_of_a_run(things: dict[str, Any], kind: str) -> None:
    Run.objects.update(status="failed", traceback="line 7 in a secret place")
    client = client_of(kind)
    for name in ("change", "history"):
        answer = client.get(reverse(f"admin:maintenance_dashboard_{name}", args=[things["run"].pk]))
        assert answer.status_code == 403
        assert b"secret place" not in answer.content


def test_the_walk_knows_every_url(things: dict[str, Any]) -> None:
    """A new page has to say who may see it."""
    unknown = {
        name
        for name in addresses(things)
        if name not in MAY_GET
        and name not in MAY_POST
        and not name.endswith(("_add", "_delete", "_history", "_change"))
    }
    assert unknown == set()


MONITORING = {
    "maintenance:health": {"args": []},
    "maintenance:metrics": {"args": []},
    "maintenance:audit-export": {"args": ["csv"]},
}


@pytest.mark.parametrize("kind", PEOPLE)
def test_who_is_told_what_by_health_metrics_and_export(things: dict[str, Any], kind: str) -> None:
    client = client_of(kind)
    sees_runs = kind == "superuser" or "view_run" in (PEOPLE[kind] or ())
    sees_trail = kind == "superuser" or "view_auditevent" in (PEOPLE[kind] or ())
    health = client.get(reverse("maintenance:health")).json()
    assert ("checks" in health) == sees_runs
    refused = 401 if kind == "anonymous" else 403
    assert client.get(reverse("maintenance:metrics")).status_code == (200 if sees_runs else refused)
    export = client.get(reverse("maintenance:audit-export", args=["csv"]))
    assert export.status_code == (200 if sees_trail else refused)
    for name, options in MONITORING.items():
        assert client.post(reverse(name, args=options["args"])).status_code == 405


def test_the_index_of_the_admin_shows_staff_without_permissions_nothing_of_it(things: dict[str, Any]) -> None:
    assert b"/admin/maintenance/" not in client_of("staff").get("/admin/").content
    shown = client_of("viewer").get("/admin/").content.decode()
    assert "/admin/maintenance/run/" in shown
    assert "/admin/maintenance/auditevent/" not in shown
