"""An operator's word on single applications: protected ones stay, archived ones come back."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from maintenance import runs
from maintenance.applications import NoSuchApplication, protect, restore_archived, unprotect
from maintenance.models import ArchivedApplication, AuditAction, AuditEvent, ProtectedApplication
from maintenance.operations import cleanup_inactive_applications
from maintenance.operations.cleanup_inactive_applications import AlreadyRestored, NotRestorable
from maintenance.runner import run_here
from oauth2_provider.flows.inactive_applications import InactivityRule, remove_applications
from oauth2_provider.models import Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers
from tests.oauth2_provider.credentials import make_client


def make_inactive(client_id: str) -> Application:
    application = make_client(client_id, name=f"{client_id} app")
    Application.objects.filter(pk=application.pk).update(created=timezone.now() - timedelta(days=400))
    return application


@on_every_engine
def test_a_protected_application_stays_until_the_word_is_taken_back(engine: EngineDatabase) -> None:
    make_inactive("kept")
    make_inactive("going")
    protect("kept", actor="alice", reason="a partner's")
    run_here(runs.enqueue("cleanup_inactive_applications"))
    assert set(Application.objects.values_list("client_id", flat=True)) == {"kept"}
    word = ProtectedApplication.objects.get()
    assert (word.client_id, word.actor, word.reason) == ("kept", "alice", "a partner's")
    assert unprotect("kept", actor="bob", reason="over")
    [verdict] = cleanup_inactive_applications()
    assert (verdict["client_id"], verdict["deleted"]) == ("kept", True)
    trail = AuditEvent.objects.filter(target="kept").order_by("pk")
    assert [(event.action, event.actor, event.reason) for event in trail] == [
        (AuditAction.APPLICATION_PROTECTED, "alice", "a partner's"),
        (AuditAction.APPLICATION_UNPROTECTED, "bob", "over"),
    ]


@pytest.mark.django_db
def test_the_word_of_an_operator_is_a_reason_to_stay() -> None:
    make_inactive("kept")
    protect("kept", actor="alice")
    [verdict] = cleanup_inactive_applications()
    assert (verdict["deleted"], verdict["reason"]) == (False, "protected")


@pytest.mark.django_db
def test_the_first_word_stands_and_what_is_not_there_cannot_be_protected() -> None:
    make_inactive("kept")
    first = protect("kept", actor="alice")
    assert protect("kept", actor="bob").pk == first.pk
    assert AuditEvent.objects.filter(action=AuditAction.APPLICATION_PROTECTED).count() == 1
    with pytest.raises(NoSuchApplication, match="There is no application with this client ID"):
        protect("nobody", actor="alice")
    assert not unprotect("nobody", actor="alice")
    assert not AuditEvent.objects.filter(target="nobody").exists()


@on_servers
def test_an_application_that_is_protected_while_the_clean_up_decides_is_gone_or_stays(
    engine: EngineDatabase,
) -> None:
    """Whoever holds the row's lock first is believed; the other one sees it."""
    application = make_inactive("contested")
    outcome: list[Any] = []

    def protect_meanwhile() -> None:
        try:
            outcome.append(protect("contested", actor="alice"))
        except NoSuchApplication as refused:
            outcome.append(refused)
        finally:
            connections.close_all()

    thread = threading.Thread(target=protect_meanwhile)
    rule = InactivityRule(now=timezone.now(), days=90, never_authorized_days=30)
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()  # it waits for the lock
        remove_applications(rule, [application.pk], archive=lambda applications: None)
    thread.join(timeout=30)
    [refused] = outcome
    assert isinstance(refused, NoSuchApplication)
    assert not ProtectedApplication.objects.exists()


@on_every_engine
def test_an_archived_application_is_restored_once_with_a_record_of_it(engine: EngineDatabase) -> None:
    make_inactive("gone")
    run = run_here(runs.enqueue("cleanup_inactive_applications"))
    archive = ArchivedApplication.objects.get()
    application = restore_archived(archive, actor="alice", reason="they called")
    assert Application.objects.get() == application
    assert application.name == "gone app"
    archive.refresh_from_db()
    assert archive.restored is not None
    event = AuditEvent.objects.get(action=AuditAction.APPLICATION_RESTORED)
    assert (event.actor, event.target, event.reason, event.run) == ("alice", "gone", "they called", run.pk)
    assert run.events.filter(text="gone was restored", actor="alice").count() == 1
    with pytest.raises(AlreadyRestored, match="was restored already"):
        restore_archived(archive, actor="bob")
    assert Application.objects.count() == 1


@pytest.mark.django_db
def test_what_cannot_be_restored_stays_archived_and_is_recorded_nowhere() -> None:
    make_inactive("gone")
    cleanup_inactive_applications()
    make_client("gone")
    archive = ArchivedApplication.objects.get()
    with pytest.raises(NotRestorable):
        restore_archived(archive, actor="alice")
    archive.refresh_from_db()
    assert archive.restored is None
    assert not AuditEvent.objects.filter(action=AuditAction.APPLICATION_RESTORED).exists()
