"""Scopes replaced in what was issued, held against the rule applied to each text by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import post_save
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauth2_provider.flows.scope_migration import (
    InvalidScopeMigration,
    ScopeMigration,
    migrate_scopes,
    scope_migration,
)
from oauth2_provider.models import AccessToken, DeviceGrant, Grant, IDToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user

WORDS = ["read", "Read", "reader", "re%d", "re_d", "write", "read:all"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), max_size=6)


def store(scopes: list[str]) -> None:
    AccessToken.objects.bulk_create(
        AccessToken(token="", token_checksum=f"{number}", scope=scope, expires=timezone.now())
        for number, scope in enumerate(scopes)
    )


def stored() -> list[str]:
    return list(AccessToken.objects.order_by("pk").values_list("scope", flat=True))


@pytest.mark.parametrize(
    ("new", "before", "after"),
    [
        (["view"], "read write", "view write"),
        (["view"], "write read", "write view"),
        (["view"], "reader unread read", "reader unread view"),
        (["write"], "read write", "write"),
        (["write"], "write read", "write"),
        (["a", "b"], "x read y", "x a b y"),
        (["read", "write"], "read", "read write"),
        ([], "read write", "write"),
        ([], "read", ""),
        (["view"], "Read", "Read"),
    ],
)
def test_a_scope_is_replaced_as_a_whole_word_in_its_place(new: list[str], before: str, after: str) -> None:
    migration = scope_migration("read", new, force=True)
    assert migration.replaced(before) == after


@on_every_engine
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scopes=texts, old=st.sampled_from(WORDS), new=st.lists(st.sampled_from(WORDS), max_size=2, unique=True)
)
def test_the_database_comes_to_what_the_rule_says(
    engine: EngineDatabase, scopes: list[str], old: str, new: list[str]
) -> None:
    engine.empty()
    migration = ScopeMigration(old=old, new=tuple(new))
    store(scopes)
    counts = migrate_scopes(migration, window_rows=2)
    has_old = [old in scope.split() for scope in scopes]
    expected = [
        migration.replaced(scope) if has else scope for scope, has in zip(scopes, has_old, strict=True)
    ]
    assert stored() == expected
    assert counts["oauth2_provider_accesstoken"] == sum(has_old)


@on_every_engine
def test_every_table_with_a_scope_is_gone_through_and_a_second_time_changes_nothing(
    engine: EngineDatabase,
) -> None:
    give_credentials(make_user("ann"), make_client("one"))
    for model in (AccessToken, IDToken, Grant, DeviceGrant):
        model.objects.update(scope="read write")
    migration = scope_migration("read", "view", force=True)
    assert dict(+migrate_scopes(migration)) == {
        "oauth2_provider_accesstoken": 2,
        "oauth2_provider_idtoken": 2,
        "oauth2_provider_grant": 1,
        "oauth2_provider_devicegrant": 1,
    }
    for model in (AccessToken, IDToken, Grant, DeviceGrant):
        assert set(model.objects.values_list("scope", flat=True)) == {"view write"}
    assert not +migrate_scopes(migration)


@pytest.mark.django_db
def test_a_connected_save_signal_has_rows_saved_one_by_one() -> None:
    store(["read write", "write"])
    AccessToken.objects.update(updated=timezone.now() - timedelta(days=1))
    seen: list[Any] = []

    def listen(instance: AccessToken, update_fields: Any, **kwargs: Any) -> None:
        seen.append((instance.scope, set(update_fields)))

    post_save.connect(listen, sender=AccessToken)
    try:
        migrate_scopes(scope_migration("read", "write"))
    finally:
        post_save.disconnect(listen, sender=AccessToken)
    assert seen == [("write", {"scope", "updated"})]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("read write", "view", "'read write' is no scope (RFC 6749 section 3.3)."),
        ("", "view", "'' is no scope (RFC 6749 section 3.3)."),
        ("read", ["a b"], "'a b' is no scope (RFC 6749 section 3.3)."),
        ("read", 'vi"ew', "'vi\"ew' is no scope (RFC 6749 section 3.3)."),
        ("read", "read", "'read' would become itself."),
        ("read", "view", "The scopes backend does not know view. Add it to SCOPES first, or force it."),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: Any, message: str) -> None:
    known = override_settings(OAUTH2_PROVIDER={"SCOPES": {"read": "", "write": ""}})
    with known, pytest.raises(InvalidScopeMigration) as refused:
        scope_migration(old, new)
    assert str(refused.value) == message
