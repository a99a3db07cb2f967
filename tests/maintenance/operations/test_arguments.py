"""What no operation can work with is refused with a clear message, before a run exists, on every engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from maintenance import runs
from maintenance.exceptions import InvalidArguments
from maintenance.models import Run, RunStatus, Trigger
from maintenance.operations import get_operation
from maintenance.runner import run_here
from oauth2_provider.models import Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("revoke_user_tokens", {}, "Say whose tokens"),
    ("revoke_user_tokens", {"user_id": 10**30}, "There is no user 1000"),
    ("revoke_user_tokens", {"user_id": -1}, "There is no user -1"),
    ("revoke_user_tokens", {"user_id": True}, "True is no primary key"),
    ("revoke_user_tokens", {"user_id": 1.5}, "1.5 is no primary key"),
    ("revoke_user_tokens", {"user_id": float("inf")}, "inf is no primary key"),
    ("revoke_user_tokens", {"user_id": [1]}, "must be an integer"),
    ("revoke_user_tokens", {"user_id": "1\0"}, "must be an integer"),
    ("revoke_user_tokens", {"user_ids": [[1]]}, "must be an integer"),
    ("revoke_user_tokens", {"user_ids": {"1": 1}}, "Give a list"),
    ("revoke_user_tokens", {"user_ids": [True]}, "True is no primary key"),
    ("revoke_user_tokens", {"user_ids": [10**30]}, "no user 1000|has no such number"),
    ("revoke_user_tokens", {"application_id": 10**30}, "There is no application 1000"),
    ("revoke_user_tokens", {"everybody": "no"}, "true or false"),
    ("revoke_user_tokens", {"everybody": 2}, "true or false"),
    ("revoke_user_tokens", {"everybody": ["false"]}, "true or false"),
    ("revoke_user_tokens", {"everybody": "false"}, "Say whose tokens"),
    ("cleanup_inactive_applications", {"days": 0}, "greater than or equal to 1"),
    ("cleanup_inactive_applications", {"days": 10**9}, "less than or equal to 36500"),
    ("cleanup_inactive_applications", {"days": 10**30}, "less than or equal to 36500"),
    ("cleanup_inactive_applications", {"days": [1]}, "whole number"),
    ("cleanup_inactive_applications", {"never_authorized_days": 10**7}, "less than or equal to 36500"),
    ("purge_runs", {"days": 10**6}, "less than or equal to 36500"),
    ("migrate_token_scopes", {"old": "read", "new": ["write", 3], "force": True}, "as text"),
    ("migrate_token_scopes", {"old": "read", "new": {"write": 1}, "force": True}, "as text"),
    ("migrate_token_scopes", {"old": 7, "new": "write"}, "as text"),
    ("migrate_token_scopes", {"old": "read\0", "new": "write"}, "Null characters"),
    ("migrate_token_scopes", {"old": "read", "new": "unheard-of", "force": "no"}, "true or false"),
    ("clear_expired", {"batch": 1}, "takes no such argument"),
]


@on_every_engine
def test_bad_arguments_are_refused_with_what_is_wrong(engine: EngineDatabase) -> None:
    get_user_model().objects.create_user("ann")
    for operation, arguments, words in REFUSED:
        with pytest.raises(InvalidArguments, match=words):
            runs.enqueue(operation, **arguments)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"days": 400_000}, "36500"),
        ({"days": "soon"}, "whole number"),
        ({"only": "mine"}, "no such argument"),
    ],
)
@on_every_engine
def test_a_stored_run_whose_arguments_fit_no_longer_fails_and_removes_nothing(
    engine: EngineDatabase, stored: dict[str, Any], words: str, admin_client: Any
) -> None:
    """After an upgrade: the defaults in their place would remove what nobody asked to have removed."""
    Application.objects.create(client_id="old", client_secret="")
    Application.objects.update(created=timezone.now() - timedelta(days=1000))
    run = Run.objects.create(
        operation="cleanup_inactive_applications", trigger=Trigger.CODE, arguments=stored
    )
    run = run_here(run)
    assert (run.status, run.error_class) == (RunStatus.FAILED, "InvalidArguments")
    assert words in run.error_message
    assert Application.objects.filter(client_id="old").exists()
    page = reverse("admin:maintenance_run_change", args=[run.pk])
    assert admin_client.get(page).status_code == 200


@pytest.mark.parametrize("value", [True, "true", "on", "1", 1])
@pytest.mark.django_db
def test_what_means_yes_is_understood(value: Any) -> None:
    assert get_operation("revoke_user_tokens").clean({"everybody": value}) == {"everybody": True}


@pytest.mark.parametrize("days", [1, 36_500])
@pytest.mark.django_db
def test_the_longest_time_is_one_that_a_preview_can_reckon_with(days: int, admin_client: Any) -> None:
    for operation in ("purge_runs", "cleanup_inactive_applications"):
        answer = admin_client.post(reverse("admin:maintenance_run_now", args=[operation]), {"days": days})
        assert answer.status_code == 200
