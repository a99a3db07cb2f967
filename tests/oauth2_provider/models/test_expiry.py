"""What clear_expired removes, held against a plain definition that goes through the rows one by one."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.signals import post_delete
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
    clear_expired,
)
from oauth2_provider.models.expiry import clear_out_stages
from oauth2_provider.models.use import raise_marks
from tests.databases import EngineDatabase, analyze
from tests.engines import on_every_engine, on_postgresql
from tests.plans import fill, nodes, plan_of, rows_read, selects

AGES = [timedelta(days=-10), timedelta(days=-2), timedelta(seconds=-1), timedelta(hours=1), timedelta(days=5)]
MODELS = [RefreshToken, AccessToken, IDToken, Grant, DeviceGrant, PushedAuthorizationRequest]

age = st.sampled_from(AGES)
rows = st.fixed_dictionaries(
    {
        "id_tokens": st.lists(age, max_size=4),
        "access_tokens": st.lists(
            st.tuples(age, st.none() | st.integers(0, 3), st.none() | st.integers(0, 6)), max_size=7
        ),
        "refresh_tokens": st.lists(st.tuples(st.none() | age, st.none() | st.integers(0, 6)), max_size=7),
        "others": st.lists(age, max_size=4),
    }
)
provider_settings = st.fixed_dictionaries(
    {
        "REFRESH_TOKEN_EXPIRE_SECONDS": st.sampled_from([None, 0, 3600, 3 * 86400]),
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": st.sampled_from([0, 3 * 86400]),
        "REFRESH_TOKEN_REUSE_PROTECTION": st.booleans(),
    }
)


def store(now: datetime, data: dict[str, Any]) -> None:
    """Store what hypothesis drew; a second reference to the same row is dropped (they are one to one)."""
    user = get_user_model().objects.create(username="someone")
    application = Application.objects.create(client_id="client", client_secret="", user=user)
    owner = {"user": user, "application": application}
    ids = [IDToken.objects.create(expires=now + end, **owner).pk for end in data["id_tokens"]]
    taken: set[Any] = set()
    accesses = []
    for number, (end, id_token, _) in enumerate(data["access_tokens"]):
        held = _once(taken, "id", id_token, ids)
        accesses.append(
            AccessToken.objects.create(
                token=f"access {number}", expires=now + end, id_token_id=held, scope="read", **owner
            ).pk
        )
    refreshes = []
    for number, (revoked, access_token) in enumerate(data["refresh_tokens"]):
        refreshes.append(
            RefreshToken.objects.create(
                token=f"refresh {number}",
                revoked=None if revoked is None else now + min(revoked, -revoked),
                access_token_id=_once(taken, "access", access_token, accesses),
                **owner,
            ).pk
        )
    for pk, (_, _, source) in zip(accesses, data["access_tokens"], strict=True):
        AccessToken.objects.filter(pk=pk).update(
            source_refresh_token_id=_once(taken, "source", source, refreshes)
        )
    for number, end in enumerate(data["others"]):
        expires = now + end
        Grant.objects.create(
            code=f"code {number}", expires=expires, redirect_uri="https://a.example", **owner
        )
        DeviceGrant.objects.create(
            device_code=f"d{number}", user_code=f"u{number}", client_id="x", expires=expires
        )
        PushedAuthorizationRequest.objects.create(request_uri=f"urn:{number}", client_id="x", expires=expires)


def _once(taken: set[Any], kind: str, index: int | None, keys: list[int]) -> int | None:
    if index is None or index >= len(keys) or (kind, index) in taken:
        return None
    taken.add((kind, index))
    return keys[index]


def survivors(now: datetime, options: dict[str, Any]) -> dict[str, set[int]]:
    """Return the rows that stay, by the six rules, one row at a time."""
    expire_seconds = options["REFRESH_TOKEN_EXPIRE_SECONDS"]
    lifetime = timedelta(seconds=expire_seconds) if expire_seconds else None
    refresh = {row.pk: row for row in RefreshToken.objects.all()}
    access = {row.pk: row for row in AccessToken.objects.all()}
    id_tokens = {row.pk: row for row in IDToken.objects.all()}
    kept_for = timedelta(seconds=options["REFRESH_TOKEN_GRACE_PERIOD_SECONDS"])
    if options["REFRESH_TOKEN_REUSE_PROTECTION"]:
        kept_for = lifetime  # type: ignore[assignment]
    for pk, row in list(refresh.items()):
        if row.revoked is not None:
            if kept_for is not None and row.revoked < now - kept_for:
                del refresh[pk]
        elif row.access_token_id is None or (
            lifetime is not None and access[row.access_token_id].expires < now - lifetime
        ):
            del refresh[pk]
    holders = {row.access_token_id for row in refresh.values()}
    access = {pk: row for pk, row in access.items() if row.expires >= now or pk in holders}
    holders = {row.id_token_id for row in access.values()}
    id_tokens = {pk: row for pk, row in id_tokens.items() if row.expires >= now or pk in holders}
    others = {
        model.__name__: set(model.objects.filter(expires__gte=now).values_list("pk", flat=True))
        for model in (Grant, DeviceGrant, PushedAuthorizationRequest)
    }
    return {"RefreshToken": set(refresh), "AccessToken": set(access), "IDToken": set(id_tokens), **others}


def stored() -> dict[str, set[int]]:
    return {model.__name__: set(model.objects.values_list("pk", flat=True)) for model in MODELS}


def clear(now: datetime, *, size: int, by_index: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    for stage in clear_out_stages(now):
        walk = stage.walk(by_index=by_index)
        after, last = None, walk.last()
        while last is not None and (window := walk.next_window(after=after, last=last, size=size)):
            after = walk.from_json(walk.to_json(window.upto))
            counts += stage.delete_window(walk, window)
    return counts


@on_every_engine
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=rows, options=provider_settings, size=st.sampled_from([1, 2, 3, 100]), by_index=st.booleans())
def test_the_rows_that_go_are_those_of_the_plain_definition(
    engine: EngineDatabase, data: dict[str, Any], options: dict[str, Any], size: int, by_index: bool
) -> None:
    engine.empty()
    now = timezone.now()
    store(now, data)
    with override_settings(OAUTH2_PROVIDER=options):
        before, expected = stored(), survivors(now, options)
        counts = clear(now, size=size, by_index=by_index)
    assert stored() == expected
    gone = {model._meta.db_table: len(before[model.__name__] - expected[model.__name__]) for model in MODELS}
    assert counts == Counter(gone)


def stages_with_rows(now: datetime) -> list[str]:
    """Return the names of the stages that have something to walk."""
    return [stage.name for stage in clear_out_stages(now) if stage.walk().first() is not None]


def make_refresh_tokens(count: int, **values: Any) -> list[RefreshToken]:
    user = get_user_model().objects.get_or_create(username="someone")[0]
    application = Application.objects.get_or_create(client_id="client", defaults={"user": user})[0]
    return [
        RefreshToken.objects.create(
            token=secrets.token_urlsafe(), user=user, application=application, **values
        )
        for _ in range(count)
    ]


@on_every_engine
@override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": 3600})
def test_many_refresh_tokens_go_in_one_walk_and_few_by_their_index(engine: EngineDatabase) -> None:
    now = timezone.now()
    make_refresh_tokens(3, revoked=now - timedelta(days=1))
    make_refresh_tokens(3)
    analyze(*(model._meta.db_table for model in MODELS))
    assert stages_with_rows(now) == ["revoked_and_orphaned_and_idle_refresh_tokens"]
    live = AccessToken.objects.bulk_create(
        AccessToken(token=f"{number}", expires=now + timedelta(hours=1)) for number in range(300)
    )
    for access_token in live:
        make_refresh_tokens(1, access_token=access_token)
    analyze(*(model._meta.db_table for model in MODELS))
    assert stages_with_rows(now) == ["revoked_refresh_tokens", "orphaned_refresh_tokens"]


@on_every_engine
@override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": 3600})
def test_the_newest_refresh_token_goes_first_so_that_nothing_has_to_forget_where_it_came_from(
    engine: EngineDatabase,
) -> None:
    now = timezone.now()
    (rotated,) = make_refresh_tokens(1, revoked=now - timedelta(days=1))
    came_of_it = AccessToken.objects.create(
        token="access", expires=now - timedelta(days=1), source_refresh_token=rotated
    )
    make_refresh_tokens(1, access_token=came_of_it)
    stage = clear_out_stages(now)[0]
    walk = stage.walk(by_index=False)
    last = walk.last()
    assert last is not None
    newest = walk.next_window(after=None, last=last, size=1)
    assert newest is not None
    assert +stage.delete_window(walk, newest) == {"oauth2_provider_refreshtoken": 1}
    oldest = walk.next_window(after=newest.upto, last=last, size=1)
    assert oldest is not None
    assert +stage.delete_window(walk, oldest) == {
        "oauth2_provider_refreshtoken": 1,
        "oauth2_provider_accesstoken": 1,
    }


@on_postgresql
def test_where_no_refresh_token_is_orphaned_the_table_is_not_read_to_know(engine: EngineDatabase) -> None:
    """Those that rotation left without an access token are revoked: of both, each alone, there are many."""
    fill(application=Application.objects.create(client_id="client").pk, rows=20_000)
    RefreshToken.objects.filter(revoked__isnull=False, pk__lte=2_000).update(access_token=None)
    analyze(RefreshToken._meta.db_table)
    stages = {stage.name: stage for stage in clear_out_stages(timezone.now())}
    with CaptureQueriesContext(connection) as queries:
        assert stages["orphaned_refresh_tokens"].walk(by_index=True).last() is None
    (statement,) = selects(queries)
    assert max(map(rows_read, nodes(plan_of(statement, is_run=True)))) <= 2_000


@on_every_engine
def test_clear_expired_counts_what_went_by_table_and_keeps_the_rest(engine: EngineDatabase) -> None:
    now = timezone.now()
    user = get_user_model().objects.create(username="someone")
    application = Application.objects.create(client_id="client", user=user)
    for number in range(7):
        AccessToken.objects.create(
            token=f"{number}", expires=now + timedelta(days=number - 4.5), application=application
        )
    with override_settings(OAUTH2_PROVIDER={"CLEAR_EXPIRED_TOKENS_BATCH_SIZE": 2}):
        counts = clear_expired()
    assert {table: count for table, count in counts.items() if count} == {"oauth2_provider_accesstoken": 5}
    assert set(AccessToken.objects.values_list("token", flat=True)) == {"5", "6"}


@on_every_engine
def test_what_is_deleted_leaves_its_time_in_the_applications_last_used(engine: EngineDatabase) -> None:
    now = timezone.now()
    used, registered = (Application.objects.create(client_id=name, client_secret="") for name in ("u", "r"))
    for number, (application, scope) in enumerate(
        [(used, "read"), (used, "read"), (registered, "oauth2_provider:registration")]
    ):
        token = AccessToken.objects.create(
            token=f"{number}", expires=now - timedelta(hours=1), application=application, scope=scope
        )
        AccessToken.objects.filter(pk=token.pk).update(created=now - timedelta(days=3 + number))
    clear_expired()
    used.refresh_from_db()
    registered.refresh_from_db()
    assert used.last_used is not None
    assert abs(used.last_used - (now - timedelta(days=3))) < timedelta(seconds=1)
    assert registered.last_used is None


@on_every_engine
def test_the_marks_of_many_applications_are_raised_by_one_statement_and_never_lowered(
    engine: EngineDatabase,
) -> None:
    now = timezone.now()
    made = Application.objects.bulk_create(Application(client_id=f"client {n}") for n in range(30))
    Application.objects.filter(pk=made[0].pk).update(last_used=now)
    used = {
        application.pk: now - timedelta(days=number + 1, microseconds=number)
        for number, application in enumerate(made)
    }
    with CaptureQueriesContext(connection) as queries:
        raise_marks(used, "default")
    assert len(queries) == 2
    marks = dict(Application.objects.values_list("pk", "last_used"))
    assert marks == {**used, made[0].pk: now}


@pytest.mark.django_db
def test_a_connected_delete_signal_sends_the_rows_through_the_orm() -> None:
    seen: list[str] = []

    def listen(instance: AccessToken, **kwargs: Any) -> None:
        seen.append(instance.token)

    AccessToken.objects.create(token="old", expires=timezone.now() - timedelta(hours=1))
    post_delete.connect(listen, sender=AccessToken)
    try:
        counts = clear_expired()
    finally:
        post_delete.disconnect(listen, sender=AccessToken)
    assert seen == ["old"]
    assert counts["oauth2_provider_accesstoken"] == 1
