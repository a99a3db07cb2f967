"""Deleting some rows at a time of those that an index finds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db.models.signals import post_delete

from oauth2_provider.models import AccessToken, DeviceGrant, IDToken
from oauth2_provider.models.deletion import compile_delete_some
from oauth2_provider.models.deletion.outcome import Outcome
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import make_client

TABLE = DeviceGrant._meta.db_table


def make_codes(client_id: str, *, status: str, count: int) -> None:
    for number in range(count):
        name = f"{client_id} {status} {number}"
        DeviceGrant.objects.create(
            device_code=name, user_code=name, client_id=client_id, status=status, expires="2020-01-01T00:00Z"
        )


@on_every_engine
@pytest.mark.parametrize("is_listened_to", [False, True])
def test_some_rows_go_at_a_time_and_it_is_told_how_many_were_looked_at(
    engine: EngineDatabase, is_listened_to: bool
) -> None:
    make_codes("mine", status="denied", count=5)
    make_codes("mine", status="authorized", count=1)
    make_codes("others", status="denied", count=2)
    among = DeviceGrant.objects.filter(client_id="mine").order_by()
    denied = among.filter(status="denied")

    def listen(**kwargs: Any) -> None:
        """As a site may; rows then go by the ORM."""

    if is_listened_to:
        post_delete.connect(listen, sender=DeviceGrant)
    try:
        delete_some = compile_delete_some(denied, among=among, by="client_id", is_held=False)
        gone, looked_at, stayed = [], [], []
        for _ in range(3):
            outcome = delete_some(4)
            gone.append(outcome.counts[TABLE])
            looked_at.append(outcome.chosen)
            stayed.append(outcome.stayed)
    finally:
        post_delete.disconnect(listen, sender=DeviceGrant)
    assert (sum(gone), gone[2], looked_at) == (5, 0, [4, min(4, 6 - gone[0]), 1])
    assert stayed == [chosen - went for chosen, went in zip(looked_at, gone, strict=True)]
    assert set(DeviceGrant.objects.values_list("client_id", "status")) == {
        ("mine", "authorized"),
        ("others", "denied"),
    }


@on_every_engine
def test_what_a_row_of_another_table_holds_stays(engine: EngineDatabase) -> None:
    application = make_client("client")
    _, held, other = (
        IDToken.objects.create(application=owner, expires="2020-01-01T00:00Z")
        for owner in (application, application, make_client("another"))
    )
    AccessToken.objects.create(
        token="holder", application=application, id_token=held, expires="2100-01-01T00:00Z"
    )
    delete_some = compile_delete_some(
        IDToken.objects.order_by(),
        among=IDToken.objects.filter(application=application).order_by(),
        by="application",
        holder=AccessToken._meta.get_field("id_token"),
        is_held=False,
    )
    for gone, chosen in ((1, 2), (0, 1)):
        counts = Counter({IDToken._meta.db_table: gone})
        assert delete_some(5) == Outcome(counts=counts, chosen=chosen, stayed=1)
    assert {*IDToken.objects.all()} == {held, other}


@on_every_engine
def test_where_no_row_can_be_meant_none_is_looked_at(engine: EngineDatabase) -> None:
    make_codes("mine", status="denied", count=1)
    rows = DeviceGrant.objects.order_by()
    delete_some = compile_delete_some(rows, among=rows.filter(pk__in=[]), by="client_id")
    assert delete_some(4) == Outcome()
    assert rows.exists()
