"""Transactions that lose a race for locks are run again."""

from __future__ import annotations

import threading
import uuid

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models import F
from django.utils import timezone

from oauth2_provider.batching import (
    IsAnyOf,
    atomically,
    estimated_count,
    estimated_total,
    is_among,
)
from oauth2_provider.models import Application, IDToken
from tests.databases import EngineDatabase, analyze
from tests.engines import on_every_engine, on_servers
from tests.oauth2_provider.credentials import make_client


def rename(pk: int, name: str) -> None:
    Application.objects.filter(pk=pk).update(name=name)


class Crossing:
    """Two threads that rename the same two rows in opposite order, and meet between the two."""

    def __init__(self, first: int, second: int) -> None:
        self.keys = (first, second)
        self.met = threading.Barrier(2)
        self.attempts = 0
        self.errors: list[BaseException] = []

    def go(self) -> None:
        orders = (self.keys, self.keys[::-1])
        threads = [threading.Thread(target=self._cross, args=order) for order in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

    def _cross(self, first: int, second: int) -> None:
        has_met = False

        def work() -> None:
            nonlocal has_met
            self.attempts += 1
            rename(first, f"by {first}")
            if not has_met:
                has_met = True
                self.met.wait(timeout=30)
            rename(second, f"by {first}")

        try:
            atomically(work, using="default")
        except BaseException as error:
            self.errors.append(error)
        finally:
            connections.close_all()


@on_servers
def test_the_victim_of_a_deadlock_is_run_again(engine: EngineDatabase) -> None:
    keys = sorted(make_client(name).pk for name in ("one", "two"))
    crossing = Crossing(*keys)

    crossing.go()

    assert crossing.errors == []
    assert crossing.attempts == 3
    names = set(Application.objects.values_list("name", flat=True))
    assert names in ({f"by {keys[0]}"}, {f"by {keys[1]}"})


@on_servers
def test_inside_a_transaction_of_the_caller_the_error_is_raised(engine: EngineDatabase) -> None:
    application = make_client("one")
    with transaction.atomic():
        rename(application.pk, "held")

        def wait_for_it() -> None:
            try:
                with transaction.atomic():
                    limit = "SET LOCAL lock_timeout = '100ms'"
                    if engine.engine == "mariadb":
                        limit = "SET SESSION innodb_lock_wait_timeout = 1"
                    with connections["default"].cursor() as cursor:
                        cursor.execute(limit)
                    with pytest.raises(OperationalError):
                        atomically(lambda: rename(application.pk, "mine"), using="default")
                    transaction.set_rollback(True)
                    seen.append("raised")
            finally:
                connections.close_all()

        seen: list[str] = []
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        thread.join(timeout=60)
    assert seen == ["raised"]


@on_servers
def test_an_error_of_another_kind_is_raised_at_once(engine: EngineDatabase) -> None:
    attempts = 0

    def work() -> None:
        nonlocal attempts
        attempts += 1
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1 FROM there_is_no_such_table")

    with pytest.raises(Exception, match="there_is_no_such_table"):
        atomically(work, using="default")
    assert attempts == 1


def make_applications(count: int) -> None:
    Application.objects.bulk_create(Application(client_id=f"client {number}") for number in range(count))
    analyze(Application._meta.db_table)


@on_every_engine
def test_an_estimate_is_of_the_order_of_the_rows(engine: EngineDatabase) -> None:
    make_applications(600)
    assert 400 <= (estimated_total(Application, "default") or 0) <= 900
    assert 400 <= estimated_count(Application.objects.filter(client_id__gt="client"), at_most=10_000) <= 900
    assert estimated_count(Application.objects.filter(client_id="client 7"), at_most=10_000) <= 10
    assert estimated_count(Application.objects.all(), at_most=100) == 100


@on_every_engine
def test_rows_are_named_by_their_keys_of_whatever_kind(engine: EngineDatabase) -> None:
    keys = [make_client(f"client-{number}").pk for number in range(3)]
    names = Application.objects.order_by("pk").values_list("client_id", flat=True)
    assert list(names.filter(is_among("pk", keys[1:]))) == ["client-1", "client-2"]
    for clients in (["client-0"], ["client-0", "client-2", '{"},\\']):
        assert list(names.filter(is_among("client_id", clients))) == clients[:2]
    assert list(names.filter(is_among("pk", []))) == []
    jti = uuid.uuid4()
    IDToken.objects.create(jti=jti, application_id=keys[0], expires=timezone.now())
    for jtis, count in (([jti, uuid.uuid4()], 1), ([uuid.uuid4()], 0), ([str(jti)], 1)):
        assert IDToken.objects.filter(is_among("jti", jtis)).count() == count


@on_every_engine
def test_rows_that_are_named_are_looked_up_not_looked_for(engine: EngineDatabase) -> None:
    """On MariaDB the estimate is of the rows that a statement reads, and locks where it changes them."""
    make_applications(600)
    few = Application.objects.filter(client_id__in=["client 7", "client 8", "client 9"])
    named = Application.objects.filter(is_among("pk", list(few.values_list("pk", flat=True))))
    found = Application.objects.filter(IsAnyOf(F("pk"), few.values("pk")))
    assert (named.count(), found.count()) == (3, 3)
    assert [estimated_count(rows, at_most=10_000) <= 10 for rows in (named, found)] == [True, True]
