"""migrate_token_scopes as an operation: arguments, preview, counts, the plain function."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from maintenance import runs
from maintenance.exceptions import InvalidArguments
from maintenance.models import Run, RunStatus
from maintenance.operations import Job, get_operation, migrate_token_scopes
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


def store(*scopes: str) -> None:
    AccessToken.objects.bulk_create(
        AccessToken(token="", token_checksum=f"{number}", scope=scope, expires=timezone.now())
        for number, scope in enumerate(scopes)
    )


def stored() -> list[str]:
    return list(AccessToken.objects.order_by("pk").values_list("scope", flat=True))


@on_every_engine
def test_a_run_replaces_the_scope_and_a_second_one_finds_nothing(engine: EngineDatabase) -> None:
    store(*["read write"] * 7, "write", "reader")
    for expected in (7, 0):
        run = run_here(
            runs.enqueue("migrate_token_scopes", old="read", new="introspection", force=True), window_rows=2
        )
        assert (run.status, run.counts.get("oauth2_provider_accesstoken", 0)) == (
            RunStatus.SUCCEEDED,
            expected,
        )
    assert stored() == [*["introspection write"] * 7, "write", "reader"]


@on_every_engine
def test_the_plain_function_returns_how_many_access_tokens_changed(engine: EngineDatabase) -> None:
    store("read", "read write", "write")
    assert migrate_token_scopes("read", "write") == 2
    assert stored() == ["write", "write", "write"]
    assert migrate_token_scopes("write", "") == 3
    assert stored() == ["", "", ""]


@pytest.mark.django_db
def test_a_preview_counts_and_touches_nothing() -> None:
    store("read", "read write", "write")
    job = Job(arguments={"old": "read", "new": "write"}, cutoff=timezone.now())
    preview = get_operation("migrate_token_scopes").preview(job)
    assert preview.counts["oauth2_provider_accesstoken"] == preview.rows == 2
    assert stored() == ["read", "read write", "write"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"new": "write"}, "old: This field is required."),
        ({"old": "read", "new": "read"}, "'read' would become itself."),
        ({"old": "re ad", "new": "write"}, "'re ad' is no scope (RFC 6749 section 3.3)."),
        ({"old": "read", "new": "unheard-of"}, "The scopes backend does not know unheard-of."),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_before_there_is_a_run(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        runs.enqueue("migrate_token_scopes", **arguments)
    assert str(refused.value).startswith(message)
    assert not Run.objects.exists()


def test_the_plain_function_refuses_the_same() -> None:
    with pytest.raises(InvalidArguments, match="would become itself"):
        migrate_token_scopes("read", "read")
