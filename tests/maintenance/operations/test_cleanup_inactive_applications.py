"""cleanup_inactive_applications as an operation: runs, protection, archive and restore, the plain function."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.exceptions import InvalidArguments
from maintenance.models import ArchivedApplication, Run, RunStatus
from maintenance.operations import (
    Job,
    cleanup_inactive_applications,
    get_operation,
    restore_application,
)
from maintenance.operations.cleanup_inactive_applications import NotArchived, NotRestorable
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken, Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import make_client
from tests.plans import multiply


def make_application(
    client_id: str, *, days: float, used: float | None = None, tokens: int = 0
) -> Application:
    """Store an application registered so many days ago, with expired tokens from 100 days ago."""
    now = timezone.now()
    application = make_client(client_id)
    Application.objects.filter(pk=application.pk).update(
        created=now - timedelta(days=days), last_used=None if used is None else now - timedelta(days=used)
    )
    AccessToken.objects.bulk_create(
        AccessToken(
            token="",
            token_checksum=f"{client_id} {number}",
            application=application,
            expires=now - timedelta(days=99),
        )
        for number in range(tokens)
    )
    AccessToken.objects.filter(application=application).update(created=now - timedelta(days=100))
    return application


def is_protected(application: Application) -> bool:
    return application.client_id.startswith("keep")


@on_every_engine
def test_a_run_removes_what_is_inactive_counts_it_and_archives_it(engine: EngineDatabase) -> None:
    make_application("flood", days=31)
    make_application("dormant", days=400, used=100, tokens=25)
    make_application("active", days=400, used=5, tokens=3)
    run = run_here(runs.enqueue("cleanup_inactive_applications"), window_rows=10)
    assert (run.status, run.counts) == (
        RunStatus.SUCCEEDED,
        {"oauth2_provider_application": 2, "oauth2_provider_accesstoken": 25},
    )
    assert list(Application.objects.values_list("client_id", flat=True)) == ["active"]
    assert AccessToken.objects.count() == 3
    assert set(run.archived_applications.values_list("client_id", flat=True)) == {"flood", "dormant"}


@pytest.mark.django_db
@override_settings(MAINTENANCE={"PROTECTED_APPLICATIONS": is_protected})
def test_as_many_applications_are_looked_at_together_as_a_window_may_read_of() -> None:
    """A look reads all that they have: after a time-out fewer are looked at, as the window is half as large."""
    for number in range(12):
        make_application(f"keep{number}", days=400, used=100)
    run = run_here(runs.enqueue("cleanup_inactive_applications"), window_rows=100)
    assert (run.windows, Application.objects.count()) == (3, 12)


@on_every_engine
@override_settings(MAINTENANCE={"PROTECTED_APPLICATIONS": is_protected})
def test_so_many_are_looked_at_that_enough_go_together(engine: EngineDatabase) -> None:
    """Half of them stay: what goes of 500 and what goes of the next 100 is removed at once."""
    for client_id in ("keep", "gone"):
        numbered = f"REPLACE('{client_id} #', '#', CAST(n AS CHAR(9)))"
        multiply(make_application(client_id, days=400), 299, client_id=numbered)
    run = run_here(runs.enqueue("cleanup_inactive_applications"), window_rows=12_000)
    assert (run.counts, run.windows) == ({"oauth2_provider_application": 300}, 3)
    assert Application.objects.count() == 300


@on_every_engine
@pytest.mark.parametrize("rows", [1000, 20_000])
def test_no_window_is_larger_because_others_had_little_to_do(engine: EngineDatabase, rows: int) -> None:
    """Looks at few applications, and their rows, tell nothing of how many rows a window has time for."""
    for number in range(3):
        make_application(f"dormant{number}", days=400, used=100, tokens=2)
    quick = {"WINDOW_TARGET_SECONDS": 5.0, "WINDOW_TARGET_SECONDS_SQLITE": 5.0}
    with override_settings(MAINTENANCE={"WINDOW_INITIAL_ROWS": rows, **quick}):
        run = run_here(runs.enqueue("cleanup_inactive_applications"))
    assert (run.rows, run.windows, run.window_rows) == (9, 3, rows)


@on_every_engine
def test_the_plain_function_says_of_each_what_became_of_it_and_why(engine: EngineDatabase) -> None:
    make_application("active", days=400, used=5)
    make_application("dormant", days=400, used=100, tokens=2)
    make_application("flood", days=31)
    holding = make_application("holding", days=400, used=100)
    AccessToken.objects.create(token="live", application=holding, expires=timezone.now() + timedelta(hours=1))
    assert cleanup_inactive_applications() == [
        {"name": "dormant", "client_id": "dormant", "deleted": True, "reason": "dormant"},
        {"name": "flood", "client_id": "flood", "deleted": True, "reason": "never_authorized"},
        {"name": "holding", "client_id": "holding", "deleted": False, "reason": "has_active_tokens"},
    ]
    run = Run.objects.get()
    assert (run.status, run.active_key, run.counts) == (
        RunStatus.SUCCEEDED,
        None,
        {"oauth2_provider_application": 2, "oauth2_provider_accesstoken": 2},
    )
    assert run.archived_applications.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "protected",
    [["keep me"], f"{__name__}.is_protected", is_protected],
    ids=["ids", "dotted path", "callable"],
)
def test_protected_applications_stay(protected: Any) -> None:
    make_application("keep me", days=400)
    with override_settings(MAINTENANCE={"PROTECTED_APPLICATIONS": protected}):
        assert [row["reason"] for row in cleanup_inactive_applications()] == ["protected"]
    assert Application.objects.exists()


@pytest.mark.django_db
def test_the_ages_are_arguments() -> None:
    make_application("flood", days=5)
    make_application("dormant", days=400, used=20)
    assert cleanup_inactive_applications() == []
    removed = cleanup_inactive_applications(days=10, never_authorized_days=4)
    assert [row["client_id"] for row in removed if row["deleted"]] == ["flood", "dormant"]


@pytest.mark.django_db
def test_negative_days_are_refused_before_there_is_a_run() -> None:
    with pytest.raises(InvalidArguments, match="days: Ensure this value is greater than or equal to 1"):
        runs.enqueue("cleanup_inactive_applications", days=-1)
    with pytest.raises(InvalidArguments):
        cleanup_inactive_applications(days=0)
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_a_preview_says_what_would_go_and_why_the_rest_would_not() -> None:
    make_application("dormant", days=400, used=100)
    make_application("flood", days=31)
    Application.objects.filter(client_id="flood").update(skip_authorization=True)
    preview = get_operation("cleanup_inactive_applications").preview(Job(arguments={}, cutoff=timezone.now()))
    assert preview.counts == {"oauth2_provider_application": 1}
    assert preview.reasons == {"dormant": 1}
    assert preview.kept == {"skip_authorization": 1}
    assert Application.objects.count() == 2


@pytest.mark.django_db
def test_a_removed_application_can_be_put_back_once() -> None:
    make_application("dormant", days=400, used=100)
    cleanup_inactive_applications()
    restored = restore_application("dormant")
    assert Application.objects.get().pk == restored.pk
    assert ArchivedApplication.objects.get().restored is not None
    assert cleanup_inactive_applications() == []
    with pytest.raises(NotArchived, match="There is no archived application with the client_id 'dormant'"):
        restore_application("dormant")


@pytest.mark.django_db
def test_an_application_whose_client_id_is_taken_is_not_put_back_over_it() -> None:
    make_application("dormant", days=400, used=100)
    cleanup_inactive_applications()
    make_client("dormant")
    with pytest.raises(NotRestorable, match="There is an application with the client_id 'dormant'"):
        restore_application("dormant")
    assert ArchivedApplication.objects.get().restored is None
