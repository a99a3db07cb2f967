"""The site-wide switch holds all hygiene work, says why, and lets it go on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from maintenance import runs
from maintenance.models import AuditEvent, MaintenanceSwitch, RunStatus
from maintenance.runner import Runner, run_here
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


@on_every_engine
def test_a_held_run_says_why_and_goes_on_when_released(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=20)
    run = runs.enqueue("clear_expired")
    runs.hold_all("alice", "the sale is on")
    Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.INTERRUPTED
    assert run.hold_reason == "all hygiene work is held by alice: the sale is on"
    assert AccessToken.objects.count() == 20
    runs.release_all("bob")
    run.refresh_from_db()
    assert run.not_before <= timezone.now()
    assert run.sent is not None
    Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert (run.status, run.hold_reason, AccessToken.objects.count()) == (RunStatus.SUCCEEDED, "", 0)


@pytest.mark.django_db
def test_the_switch_stops_a_run_between_two_windows(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired")
    Runner(
        run.pk, budget_seconds=20, window_rows=10, on_window=lambda run: runs.hold_all("x") and None
    ).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.INTERRUPTED, 10)


@pytest.mark.django_db
def test_work_from_the_command_line_is_held_too(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=3)
    runs.hold_all("alice", "moving house")
    with pytest.raises(CommandError, match="held by alice: moving house"):
        call_command("cleartokens", stdout=io.StringIO())
    assert AccessToken.objects.count() == 3


@pytest.mark.django_db
def test_security_runs_are_not_held(admin_user: Any) -> None:
    runs.hold_all("alice")
    assert run_here(runs.enqueue("revoke_user_tokens", user_id=admin_user.pk)).status == RunStatus.SUCCEEDED


@pytest.mark.django_db
def test_the_first_hold_stands_and_is_audited_once() -> None:
    first = runs.hold_all("alice", "one")
    assert runs.hold_all("bob", "two") == first
    assert MaintenanceSwitch.find_hold().reason == "one"  # type: ignore[union-attr]
    runs.release_all("carol", "over")
    runs.release_all("carol", "over")
    assert list(AuditEvent.objects.order_by("id").values_list("action", "actor", "reason")) == [
        ("held_all", "alice", "one"),
        ("released_all", "carol", "over"),
    ]


@pytest.mark.django_db
def test_to_release_what_was_never_held_changes_nothing() -> None:
    assert not runs.release_all("alice").is_held
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_a_run_that_began_to_wait_as_the_switch_was_released_is_mended_by_the_sweep(
    make_tokens: Callable[..., Any],
) -> None:
    run = runs.enqueue("clear_expired")
    runs.hold_all("alice")
    Runner(run.pk, budget_seconds=20).advance()
    MaintenanceSwitch.turn(is_held=False)
    assert runs.sweep() == [run]
    run.refresh_from_db()
    assert run.not_before <= timezone.now()


@pytest.mark.django_db
def test_the_command_line_turns_the_switch() -> None:
    out = io.StringIO()
    call_command("maintenance_runs", "hold", reason="tonight", stdout=out)
    assert "held by maintenance_runs: tonight" in out.getvalue()
    out = io.StringIO()
    call_command("maintenance_runs", "release", json=True, stdout=out)
    assert json.loads(out.getvalue())["is_held"] is False
    assert MaintenanceSwitch.find_hold() is None
