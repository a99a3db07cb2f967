"""Which applications are inactive, why one stays, and what goes with one that does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models.signals import post_delete
from django.test import override_settings
from django.utils import timezone

from oauth2_provider.flows import application_archive
from oauth2_provider.flows.client_secrets import add_client_secret, find_presented_secret
from oauth2_provider.flows.inactive_applications import (
    DeadRows,
    InactivityRule,
    candidates,
    judge,
    remove_applications,
)
from oauth2_provider.models import (
    AccessToken,
    Application,
    ClientSecret,
    DeviceGrant,
    Grant,
    IDToken,
    RefreshToken,
)
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import make_client, make_user

NOW = timezone.now()
OWNED = (AccessToken, RefreshToken, IDToken, Grant, DeviceGrant)


def rule(**values: Any) -> InactivityRule:
    return InactivityRule(**{"now": NOW, "days": 90, "never_authorized_days": 30, **values})


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def make_old(
    client_id: str, *, created: float = 400, last_used: float | None = None, **fields: Any
) -> Application:
    application = make_client(client_id, **fields)
    Application.objects.filter(pk=application.pk).update(
        created=ago(created), last_used=None if last_used is None else ago(last_used)
    )
    application.refresh_from_db()
    return application


def give_token(
    application: Application, *, created: float, expires: float, scope: str = "read"
) -> AccessToken:
    token = AccessToken.objects.create(
        token=f"{application.pk} {created} {expires}",
        application=application,
        expires=ago(expires),
        scope=scope,
    )
    AccessToken.objects.filter(pk=token.pk).update(created=ago(created))
    return token


def give_refresh_token(application: Application, **fields: Any) -> RefreshToken:
    user, _ = get_user_model().objects.get_or_create(username="ann")
    token = RefreshToken.objects.create(
        token=f"r{application.pk}", application=application, user=user, **fields
    )
    RefreshToken.objects.filter(pk=token.pk).update(created=ago(200))
    return token


def give_grant(application: Application) -> Grant:
    user, _ = get_user_model().objects.get_or_create(username="ann")
    return Grant.objects.create(
        code="live", application=application, user=user, expires=ago(-1), redirect_uri="https://a.example"
    )


def give_device_grant(application: Application) -> DeviceGrant:
    return DeviceGrant.objects.create(
        device_code="d", user_code="u", client_id=application.client_id, expires=ago(-1)
    )


STORIES: dict[str, tuple[Callable[[], Any], str | None]] = {
    "registered long ago, never used": (lambda: make_old("a"), "never_authorized"),
    "registered lately, never used": (lambda: make_old("a", created=29), None),
    "used long ago": (lambda: make_old("a", last_used=91), "dormant"),
    "used lately": (lambda: make_old("a", last_used=89), None),
    "only a registration token": (
        lambda: give_token(make_old("a"), created=40, expires=-9000, scope="oauth2_provider:registration"),
        "never_authorized",
    ),
    "a live token": (lambda: give_token(make_old("a"), created=100, expires=-1), "has_active_tokens"),
    "an expired token of long ago": (lambda: give_token(make_old("a"), created=100, expires=99), "dormant"),
    "an expired token of lately": (
        lambda: give_token(make_old("a"), created=50, expires=49),
        "recently_used",
    ),
    "an old token, but a young application": (
        lambda: give_token(make_old("a", created=60), created=100, expires=99),
        "too_young",
    ),
    "a live refresh token": (lambda: give_refresh_token(make_old("a")), "has_active_tokens"),
    "a revoked refresh token": (lambda: give_refresh_token(make_old("a"), revoked=ago(150)), "dormant"),
    "a live code": (lambda: give_grant(make_old("a")), "has_active_grants"),
    "a live device code": (lambda: give_device_grant(make_old("a")), "has_active_grants"),
    "one that needs no consent": (lambda: make_old("a", skip_authorization=True), "skip_authorization"),
    "a protected one": (lambda: make_old("protected"), "protected"),
}


@on_every_engine
@pytest.mark.parametrize("story", STORIES)
def test_each_application_is_judged_by_its_story(engine: EngineDatabase, story: str) -> None:
    make, expected = STORIES[story]
    make()
    the_rule = rule(is_protected=lambda application: application.client_id == "protected")
    verdicts = judge(the_rule, candidates(the_rule).values_list("pk", flat=True))
    assert [verdict.as_dict()["reason"] for verdict in verdicts] == ([expected] if expected else [])
    assert all(
        verdict.as_dict()["deleted"] == (expected in ("dormant", "never_authorized")) for verdict in verdicts
    )
    keys = [verdict.application.pk for verdict in verdicts]
    in_brief = judge(rule(protected_among={"protected"}.intersection), keys, in_brief=True)
    assert [verdict.as_dict() for verdict in in_brief] == [verdict.as_dict() for verdict in verdicts]


@on_every_engine
def test_an_idle_refresh_token_does_not_keep_its_application(engine: EngineDatabase) -> None:
    application = make_old("a")
    give_refresh_token(application, access_token=give_token(application, created=100, expires=99))
    with override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": 86400}):
        [verdict] = judge(rule(), [application.pk])
    assert verdict.as_dict()["reason"] == "dormant"


def fill(application: Application) -> None:
    """Give an application dead rows of every kind, pointing at each other, and a registration token."""
    user, _ = get_user_model().objects.get_or_create(username="ann")
    owner = {"application": application, "user": user}
    spent = RefreshToken.objects.create(token=f"s{application.pk}", revoked=ago(100), **owner)
    id_token = IDToken.objects.create(expires=ago(100), **owner)
    access_token = AccessToken.objects.create(
        token=f"a{application.pk}",
        expires=ago(100),
        id_token=id_token,
        source_refresh_token=spent,
        **owner,
    )
    RefreshToken.objects.create(
        token=f"h{application.pk}", revoked=ago(99), access_token=access_token, **owner
    )
    IDToken.objects.create(expires=ago(-1), **owner)
    Grant.objects.create(
        code=f"{application.pk}", expires=ago(100), redirect_uri="https://a.example", **owner
    )
    DeviceGrant.objects.create(
        device_code=f"{application.pk}", user_code="u", client_id=application.client_id, expires=ago(100)
    )
    for model in OWNED[:4]:
        model.objects.update(created=ago(120))
    give_token(application, created=200, expires=-9000, scope="oauth2_provider:registration")


def remove(keys: list[Any], *, size: int = 2) -> Any:
    from django.db import transaction

    archive: list[Any] = []
    dead, kind = DeadRows(rule(), keys), 0
    while kind is not None:
        with transaction.atomic():
            _, kind = dead.delete(size=size, kind=kind)
    with transaction.atomic():
        verdicts, counts = remove_applications(rule(), keys, archive=archive.extend)
    return verdicts, counts, archive


@on_every_engine
def test_an_application_goes_with_all_it_has_and_its_neighbour_keeps_everything(
    engine: EngineDatabase,
) -> None:
    gone, kept = make_old("gone", last_used=100), make_old("kept", last_used=10)
    fill(gone)
    fill(kept)
    verdicts, counts, archive = remove([gone.pk, kept.pk])
    assert [(verdict.application.client_id, verdict.kept) for verdict in verdicts] == [("gone", None)]
    assert [application.client_id for application in archive] == ["gone"]
    assert counts["oauth2_provider_application"] == 1
    assert list(Application.objects.values_list("client_id", flat=True)) == ["kept"]
    assert {model.__name__: model.objects.count() for model in OWNED} == {
        "AccessToken": 2,
        "RefreshToken": 2,
        "IDToken": 2,
        "Grant": 1,
        "DeviceGrant": 1,
    }


@on_every_engine
def test_tokens_that_came_to_be_held_meanwhile_stay_and_the_others_go(engine: EngineDatabase) -> None:
    """More of them than a window has rows, and first in the order in which rows are chosen."""
    held, gone = make_old("held", last_used=100), make_old("gone", last_used=100)
    user = get_user_model().objects.create(username="somebody")
    for number in range(3):
        RefreshToken.objects.create(
            token=f"{number}",
            application=held,
            user=user,
            access_token=give_token(held, created=100 + number, expires=99),
        )
        give_token(gone, created=100 + number, expires=99)
    verdicts, _, archive = remove([held.pk, gone.pk])
    assert [verdict.kept for verdict in verdicts] == ["has_active_tokens", None]
    assert [application.client_id for application in archive] == ["gone"]
    assert set(AccessToken.objects.values_list("application", flat=True)) == {held.pk}
    assert (AccessToken.objects.count(), RefreshToken.objects.count()) == (3, 3)


@pytest.mark.parametrize("place", [0, 3, 5])
@on_every_engine
def test_dead_rows_go_a_few_at_a_time_and_live_ones_stay(engine: EngineDatabase, place: int) -> None:
    application = make_old("a", last_used=100)
    for number in range(6):
        if number == place:
            live = give_token(application, created=1, expires=-1)
        else:
            give_token(application, created=100 + number, expires=99)
    user, _ = get_user_model().objects.get_or_create(username="ann")
    for code in ("x", "y"):
        Grant.objects.create(code=code, application=application, user=user, expires=ago(99), redirect_uri="")
    Grant.objects.update(created=ago(100))
    went: Counter[str] = Counter()
    dead, kind = DeadRows(rule(), [application.pk]), 0
    while kind is not None:
        counts, kind = dead.delete(size=3, kind=kind)
        assert counts.total() <= 3
        went += counts
    assert went == {AccessToken._meta.db_table: 5, Grant._meta.db_table: 2}
    assert AccessToken.objects.get().pk == live.pk


@on_every_engine
def test_an_application_used_between_two_windows_loses_no_more(engine: EngineDatabase) -> None:
    stays, goes = make_old("stays", last_used=100), make_old("goes", last_used=100)
    for application in (stays, goes):
        for number in range(2):
            give_token(application, created=100 + number, expires=99)
    dead = DeadRows(rule(), [stays.pk, goes.pk])
    _, kind = dead.delete(size=1)
    left = AccessToken.objects.filter(application=stays).count()
    Application.objects.filter(pk=stays.pk).update(last_used=ago(0))
    while kind is not None:
        _, kind = dead.delete(size=1, kind=kind)
    assert AccessToken.objects.filter(application=stays).count() == left
    assert not AccessToken.objects.filter(application=goes).exists()
    assert DeadRows(rule(), [stays.pk]).delete(size=1) == ({}, None)


@pytest.mark.django_db
def test_a_connected_delete_signal_sees_each_application_go() -> None:
    seen: list[str] = []

    def listen(instance: Application, **kwargs: Any) -> None:
        seen.append(instance.client_id)

    application = make_old("gone", last_used=100)
    fill(application)
    post_delete.connect(listen, sender=Application)
    try:
        remove([application.pk])
    finally:
        post_delete.disconnect(listen, sender=Application)
    assert seen == ["gone"]
    assert not AccessToken.objects.exists()


@on_every_engine
def test_an_archived_application_comes_back_as_it_was(engine: EngineDatabase) -> None:
    application = make_old(
        "gone", last_used=100, user=make_user("owner"), client_secret="chosen by a person", name="Old friend"
    )
    before = Application.objects.filter(pk=application.pk).values().get()
    document = json.loads(json.dumps(application_archive.archived([application])[0]))
    assert document[0]["fields"]["user"] == ["owner"]
    remove([application.pk])
    restored = application_archive.restore(document)
    after = Application.objects.filter(pk=restored.pk).values().get()
    assert after.pop("last_used") > NOW
    before.pop("last_used")
    assert after == before
    with pytest.raises(application_archive.NotRestorable, match="There is an application with the client_id"):
        application_archive.restore(document)


@pytest.mark.django_db
def test_a_secret_that_was_stored_plain_is_archived_as_a_hash_of_it() -> None:
    application = make_old("plain", client_secret="in the clear", hash_client_secret=False)
    document = application_archive.archived([application])[0]
    assert "in the clear" not in json.dumps(document)
    application.delete()
    restored = application_archive.restore(document)
    from oauth2_provider.hashers import check_client_secret

    assert check_client_secret("in the clear", restored.client_secret)
    assert restored.hash_client_secret is True


@on_every_engine
def test_an_archived_application_brings_its_secrets_back(engine: EngineDatabase) -> None:
    application = make_old("gone", last_used=100)
    made = [add_client_secret(application, name="one", expires=NOW + timedelta(days=1))]
    made.append(add_client_secret(application, name="two"))
    before = list(ClientSecret.objects.order_by("name").values())
    document = json.loads(json.dumps(application_archive.archived([application])[0]))
    assert not any(each.secret in json.dumps(document) for each in made)
    remove([application.pk])
    assert not ClientSecret.objects.exists()
    restored = application_archive.restore(document)
    after = list(ClientSecret.objects.order_by("name").values())
    for row in (*before, *after):
        assert row.pop("id")
    assert after == [{**row, "application_id": restored.pk} for row in before]
    assert find_presented_secret("gone", made[0].secret) is not None


@pytest.mark.django_db
def test_archiving_many_takes_no_more_statements_than_archiving_one(django_assert_num_queries: Any) -> None:
    applications = [make_old(f"gone {number}", user=make_user(f"owner {number}")) for number in range(5)]
    add_client_secret(applications[0], name="further")
    fresh = list(Application.objects.order_by("pk"))
    with django_assert_num_queries(2):  # the owners, the further secrets
        documents = application_archive.archived(fresh)
    assert [document[0]["fields"]["user"] for document in documents] == [[f"owner {n}"] for n in range(5)]
    assert [len(document) for document in documents] == [2, 1, 1, 1, 1]
