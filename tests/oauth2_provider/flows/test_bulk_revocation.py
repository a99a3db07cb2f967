"""Revoking by set: who is hit, what is left, and what was given meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import post_delete
from django.utils import timezone

from oauth2_provider.flows.bulk_revocation import (
    Holder,
    remaining_credentials,
    revocation_slow_path_reasons,
    revoke_credentials,
)
from oauth2_provider.models import AccessToken, Grant, IDToken, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user, working

HOLDERS: dict[str, tuple[Callable[..., Holder], set[tuple[str, str]]]] = {
    "a user": (lambda ann, one: Holder(users=(ann,)), {("ann", "one"), ("ann", "two")}),
    "a user on an application": (
        lambda ann, one: Holder(users=(ann,), application=one),
        {("ann", "one")},
    ),
    "the users of an application": (
        lambda ann, one: Holder(users=None, application=one),
        {("ann", "one"), ("bob", "one")},
    ),
    "everybody": (
        lambda ann, one: Holder(users=None),
        {("ann", "one"), ("ann", "two"), ("bob", "one"), ("bob", "two")},
    ),
}


@on_every_engine
@pytest.mark.parametrize("whose", HOLDERS)
@pytest.mark.parametrize("window_rows", [1, 100])
def test_everything_of_the_holder_ends_and_nothing_else(
    engine: EngineDatabase, whose: str, window_rows: int
) -> None:
    users = {name: make_user(name) for name in ("ann", "bob")}
    applications = {name: make_client(name) for name in ("one", "two")}
    given = {
        (user, application): give_credentials(users[user], applications[application])
        for user in users
        for application in applications
    }
    machine = AccessToken.objects.create(
        token="a client's own", expires=timezone.now() + timedelta(hours=1), application=applications["one"]
    )
    make_holder, hit = HOLDERS[whose]

    counts = revoke_credentials(make_holder(users["ann"].pk, applications["one"].pk), window_rows=window_rows)

    for key, rows in given.items():
        rows.pop("spent")
        assert len(working(rows.values())) == (0 if key in hit else len(rows)), key
    assert working([machine])
    assert dict(counts) == {
        "oauth2_provider_accesstoken": 2 * len(hit),
        "oauth2_provider_refreshtoken": len(hit),
        "oauth2_provider_idtoken": 2 * len(hit),
        "oauth2_provider_grant": len(hit),
        "oauth2_provider_devicegrant": len(hit),
    }


@on_every_engine
def test_a_revoked_refresh_token_keeps_its_row_and_the_date_of_an_earlier_one_stands(
    engine: EngineDatabase,
) -> None:
    user = make_user("ann")
    given = give_credentials(user, make_client("one"))
    earlier = RefreshToken.objects.get(pk=given["spent"].pk).revoked
    revoke_credentials(Holder(users=(user.pk,)))
    assert RefreshToken.objects.get(pk=given["spent"].pk).revoked == earlier
    revoked = RefreshToken.objects.get(pk=given["refresh_token"].pk)
    assert revoked.revoked is not None
    assert revoked.access_token_id is None
    assert revoked.updated == revoked.revoked


@on_every_engine
def test_what_came_out_of_an_older_credential_counts_as_old_and_a_new_login_does_not(
    engine: EngineDatabase,
) -> None:
    user, application = make_user("ann"), make_client("one")
    owner = {"user": user, "application": application}
    now = timezone.now()
    later = now + timedelta(hours=1)
    old = give_credentials(user, application)
    exchanged = Grant.objects.create(
        code="exchanged",
        expires=later,
        redeemed=now,
        token_family=uuid.uuid4(),
        token_checksum="c" * 64,
        **owner,
    )
    no_family = RefreshToken.objects.create(token="no family", revoked=now, **owner)
    cutoff = timezone.now()
    rotated = RefreshToken.objects.create(
        token="rotated meanwhile", token_family=old["refresh_token"].token_family, **owner
    )
    out_of_code = RefreshToken.objects.create(
        token="exchanged meanwhile", token_family=exchanged.token_family, **owner
    )
    bare = AccessToken.objects.create(token="bare", expires=later, **owner)
    AccessToken.objects.filter(pk=bare.pk).update(token_checksum=exchanged.token_checksum)
    successor = AccessToken.objects.create(
        token="out of no family", expires=later, source_refresh_token=no_family, **owner
    )
    familyless = RefreshToken.objects.create(token="familyless", access_token=successor, **owner)
    new = give_credentials(user, application, "new")
    new.pop("spent")
    new.pop("device_grant")  # a device code has no date: each that the user allowed is taken back

    from oauth2_provider.flows import bulk_revocation

    holder = Holder(users=(user.pk,))
    for stage in bulk_revocation.revocation_stages(holder, cutoff):
        for work in bulk_revocation._windows(stage, 2):
            work()

    assert not remaining_credentials(holder, cutoff)
    assert not working([rotated, out_of_code, bare, successor, familyless])
    assert len(working(new.values())) == len(new)


@pytest.mark.django_db
def test_a_connected_delete_signal_has_tokens_revoked_one_by_one() -> None:
    seen: list[Any] = []

    def listen(instance: Any, **kwargs: Any) -> None:
        seen.append(instance.pk)

    user = make_user("ann")
    given = give_credentials(user, make_client("one"))
    expected = {given["access_token"].pk, given["bare_access_token"].pk}
    post_delete.connect(listen, sender=AccessToken)
    try:
        assert revocation_slow_path_reasons() == ["oauth2_provider.AccessToken has delete signals connected"]
        counts = revoke_credentials(Holder(users=(user.pk,)))
    finally:
        post_delete.disconnect(listen, sender=AccessToken)
    assert set(seen) == expected
    assert counts["oauth2_provider_accesstoken"] == 2
    assert not IDToken.objects.exists()
    assert revocation_slow_path_reasons() == []
