"""Runs in the admin: what an operator does, and what others may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from maintenance import runs
from maintenance.models import CONTROLS, AuditEvent, Run, RunStatus, Trigger
from maintenance.operations import get_operation
from maintenance.permissions import may_control
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken

RUNS = "/admin/maintenance/run/"


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that logs a staff user with the named permissions in."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("operator", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def test_run_now_enqueues_a_run_that_clears_what_is_expired(
    admin_client: Client, admin_user: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5, live=2)
    assert b"Run now: Clear expired" in admin_client.get(RUNS).content
    page = reverse("admin:maintenance_run_now", args=["clear_expired"])
    assert b"Deletes expired" in admin_client.get(page).content
    preview = admin_client.post(page).context["signed"]
    answer = admin_client.post(page, {"confirm": "yes", "preview": preview, "reason": "a test"})
    run = Run.objects.get()
    assert answer["Location"] == reverse("admin:maintenance_run_change", args=[run.pk])
    assert (run.trigger, run.requested_by, run.reason) == (Trigger.ADMIN, admin_user, "a test")
    run_here(run)
    shown = admin_client.get(answer["Location"]).content.decode()
    assert "Succeeded" in shown
    assert AccessToken.objects.count() == 2


def test_cancel_is_offered_while_it_fits_and_takes_effect(admin_client: Client) -> None:
    run = runs.enqueue("clear_expired")
    page = reverse("admin:maintenance_run_change", args=[run.pk])
    cancel = reverse("admin:maintenance_run_control", args=[run.pk, "cancel"])
    assert cancel in admin_client.get(page).content.decode()
    assert b"Cancel this run?" in admin_client.post(cancel).content
    run.refresh_from_db()
    assert run.status == RunStatus.ENQUEUED
    admin_client.post(cancel, {"confirmed": "yes", "reason": "the wrong hour"})
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert run.events.get(kind="cancel_requested").text == "the wrong hour"
    assert AuditEvent.objects.get(action="run_cancelled").reason == "the wrong hour"
    assert cancel not in admin_client.get(page).content.decode()


def test_control_takes_no_get(admin_client: Client) -> None:
    run = runs.enqueue("clear_expired")
    assert (
        admin_client.get(reverse("admin:maintenance_run_control", args=[run.pk, "cancel"])).status_code == 405
    )


def test_bad_arguments_are_shown_in_the_form_and_no_run_exists(admin_client: Client) -> None:
    answer = admin_client.post(reverse("admin:maintenance_run_now", args=["purge_runs"]), {"days": "-1"})
    assert answer.status_code == 200
    assert "days" in answer.context["form"].errors
    assert not Run.objects.exists()


def test_a_viewer_sees_runs_and_can_do_nothing(staff: Callable[..., Client]) -> None:
    run = runs.enqueue("clear_expired")
    client = staff("view_run")
    assert b"Run now" not in client.get(RUNS).content
    page = client.get(reverse("admin:maintenance_run_change", args=[run.pk]))
    assert page.status_code == 200
    assert b"/cancel/" not in page.content
    assert client.post(reverse("admin:maintenance_run_now", args=["clear_expired"])).status_code == 403
    assert client.post(reverse("admin:maintenance_run_control", args=[run.pk, "cancel"])).status_code == 403
    run.refresh_from_db()
    assert run.status == RunStatus.ENQUEUED


def test_staff_without_permissions_see_nothing(staff: Callable[..., Client]) -> None:
    assert staff().get(RUNS).status_code == 403


def test_an_operator_with_the_permissions_runs_hygiene(staff: Callable[..., Client]) -> None:
    client = staff("view_run", "run_hygiene", "run_destructive")
    page = reverse("admin:maintenance_run_now", args=["clear_expired"])
    preview = client.post(page).context["signed"]
    answer = client.post(page, {"confirm": "yes", "preview": preview, "reason": "a test"})
    assert answer.status_code == 302
    assert Run.objects.get().requested_by.get_username() == "operator"


def test_a_run_is_steered_by_whom_its_class_allows(staff: Callable[..., Client]) -> None:
    run = runs.enqueue("clear_expired")
    client = staff("view_run", "control_hygiene")
    control = "admin:maintenance_run_control"
    assert client.post(reverse(control, args=[run.pk, "pause"])).status_code == 302
    run.refresh_from_db()
    assert run.status == RunStatus.PAUSED
    assert client.post(reverse(control, args=[run.pk, "resume"])).status_code == 403  # it deletes: one more


@pytest.mark.parametrize(
    ("operation", "permissions", "controls"),
    [
        ("clear_expired", (), set()),
        ("clear_expired", ("control_security", "control_destructive"), set()),
        ("clear_expired", ("control_hygiene",), {"pause", "cancel"}),
        ("clear_expired", ("control_hygiene", "control_destructive"), {"pause", "cancel", "resume", "retry"}),
        ("revoke_user_tokens", ("control_hygiene", "control_destructive"), set()),
        ("revoke_user_tokens", ("control_security",), {"pause", "cancel"}),
        (None, ("control_security", "control_hygiene"), set()),
        (
            None,
            ("control_security", "control_hygiene", "control_destructive"),
            {"pause", "cancel", "resume", "retry"},
        ),
    ],
)
def test_controls_by_class(
    db: None, operation: str | None, permissions: tuple[str, ...], controls: set[str]
) -> None:
    user = get_user_model().objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    kind = get_operation(operation) if operation else None
    assert {name for name in CONTROLS if may_control(user, kind, name)} == controls
