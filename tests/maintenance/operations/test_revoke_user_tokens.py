"""revoke_user_tokens as an operation: arguments, preview, windows, exact counts, the plain function."""

from __future__ import annotations

from typing import Any

import pytest

from maintenance import runs
from maintenance.exceptions import InvalidArguments
from maintenance.models import Run, RunStatus
from maintenance.operations import Job, batch_revoke_user_tokens, get_operation
from maintenance.runner import run_here
from maintenance.tasks import revoke_user_tokens
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user, working

EACH = {
    "oauth2_provider_accesstoken": 2,
    "oauth2_provider_refreshtoken": 1,
    "oauth2_provider_idtoken": 2,
    "oauth2_provider_grant": 1,
    "oauth2_provider_devicegrant": 1,
}


def times(number: int) -> dict[str, int]:
    return {table: number * count for table, count in EACH.items()}


@on_every_engine
@pytest.mark.parametrize(
    ("arguments", "hit"),
    [
        ({"user_id": "ann"}, ["ann one", "ann two"]),
        ({"user_id": "ann", "application_id": "one"}, ["ann one"]),
        ({"user_ids": ["bob", "ann"]}, ["ann one", "ann two", "bob one", "bob two"]),
        ({"application_id": "two"}, ["ann two", "bob two"]),
        ({"everybody": True}, ["ann one", "ann two", "bob one", "bob two"]),
    ],
    ids=str,
)
def test_a_run_ends_what_its_arguments_name_and_counts_it(
    engine: EngineDatabase, arguments: dict[str, Any], hit: set[str]
) -> None:
    named: dict[str, Any] = {name: make_user(name) for name in ("ann", "bob")}
    named |= {name: make_client(name) for name in ("one", "two")}
    given = {
        f"{user} {client}": give_credentials(named[user], named[client])
        for user in ("ann", "bob")
        for client in ("one", "two")
    }
    run = run_here(runs.enqueue("revoke_user_tokens", **_with_keys(arguments, named)), window_rows=1)
    assert (run.status, run.counts) == (RunStatus.SUCCEEDED, times(len(hit)))
    for name, rows in given.items():
        rows.pop("spent")
        assert len(working(rows.values())) == (0 if name in hit else len(rows)), name


def _with_keys(arguments: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    def key(value: Any) -> Any:
        if isinstance(value, list):
            return [key(part) for part in value]
        return named[value].pk if value in named else value

    return {name: key(value) for name, value in arguments.items()}


@on_every_engine
def test_the_plain_function_revokes_at_once_and_returns_the_access_tokens(engine: EngineDatabase) -> None:
    ann, one, two = make_user("ann"), make_client("one"), make_client("two")
    for client in (one, two):
        give_credentials(ann, client)
    assert batch_revoke_user_tokens(ann, one) == 2
    assert batch_revoke_user_tokens(ann) == 2
    assert batch_revoke_user_tokens(ann) == 0
    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_a_preview_counts_and_touches_nothing() -> None:
    from django.utils import timezone

    ann = make_user("ann")
    given = give_credentials(ann, make_client("one"))
    given.pop("spent")
    job = Job(arguments={"user_id": ann.pk}, cutoff=timezone.now())
    preview = get_operation("revoke_user_tokens").preview(job)
    # an access token that a refresh token holds goes with it, and an ID token with its access token
    assert preview.reasons == {
        "grants": 1,
        "device_grants": 1,
        "refresh_tokens": 1,
        "access_tokens": 1,
        "id_tokens": 1,
    }
    assert (preview.path, preview.warnings) == ("set-based", [])
    assert len(working(given.values())) == len(given)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Say whose tokens: user_id, user_ids, application_id or everybody."),
        ({"user_id": 99}, "user_id: There is no user 99."),
        ({"user_id": "ann"}, "user_id: “ann” value must be an integer."),
        ({"user_ids": [98, 99]}, "user_ids: There is no user 98, 99."),
        ({"application_id": 99}, "application_id: There is no application 99."),
        ({"everybody": True, "user_id": "known"}, "everybody goes with no other argument."),
        ({"user_id": "known", "user_ids": ["known"]}, "Give user_id or user_ids, not both."),
        ({"user": 1}, "user: revoke_user_tokens takes no such argument; it takes: user_id, user_ids, "),
    ],
    ids=str,
)
def test_arguments_that_name_nobody_are_refused_before_there_is_a_run(
    arguments: dict[str, Any], message: str
) -> None:
    known = make_user("known")
    with pytest.raises(InvalidArguments) as refused:
        runs.enqueue("revoke_user_tokens", **_with_keys(arguments, {"known": known}))
    assert str(refused.value).startswith(message)
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_a_user_who_is_deleted_before_the_run_begins_leaves_nothing_to_do_and_nobody_else_is_hit() -> None:
    ann, bob, client = make_user("ann"), make_user("bob"), make_client("one")
    kept = give_credentials(bob, client)
    run = runs.enqueue("revoke_user_tokens", user_id=ann.pk)
    ann.delete()
    run = run_here(run)
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 0)
    kept.pop("spent")
    assert len(working(kept.values())) == len(kept)


@on_every_engine
def test_who_asks_again_while_a_run_is_at_it_is_covered_by_it(engine: EngineDatabase) -> None:
    ann, client = make_user("ann"), make_client("one")
    give_credentials(ann, client, "before")
    run = runs.enqueue("revoke_user_tokens", user_id=ann.pk)
    later: list[dict[str, Any]] = []

    def log_in_and_ask_again(_: Run) -> None:
        if not later:
            later.append(give_credentials(ann, client, "later"))
            again = runs.enqueue("revoke_user_tokens", user_id=ann.pk)
            assert (again.pk, again.is_new) == (run.pk, False)

    run = run_here(run, window_rows=1, on_window=log_in_and_ask_again)
    later[0].pop("spent")
    assert run.status == RunStatus.SUCCEEDED
    assert working(later[0].values()) == set()
    assert [event.kind for event in run.events.all()].count("requested") == 1


def test_the_task_does_a_small_one_at_once(db: None) -> None:
    ann, client = make_user("ann"), make_client("one")
    given = give_credentials(ann, client)
    given.pop("spent")
    pk = revoke_user_tokens.apply(args=[ann.pk]).get()
    assert Run.objects.get(pk=pk).status == RunStatus.SUCCEEDED
    assert working(given.values()) == set()
