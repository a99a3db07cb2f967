"""The engine fixture itself: real databases, one engine a test, nothing left behind."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django_celery_beat.models import PeriodicTask

from tests.databases import EngineDatabase
from tests.engines import on_every_engine

VENDORS = {"sqlite": "sqlite", "postgresql": "postgresql", "mariadb": "mysql"}


@on_every_engine
def test_default_is_the_engine_of_the_test_and_starts_empty(engine: EngineDatabase) -> None:
    assert connection.vendor == VENDORS[engine.engine]
    assert not get_user_model().objects.exists()
    get_user_model().objects.create_user("left over")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "next"])
def test_a_test_that_commits_leaves_what_migrations_put_in(time: str) -> None:
    assert PeriodicTask.objects.filter(task="maintenance.tasks.sweep").exists()
    assert not get_user_model().objects.exists()
    PeriodicTask.objects.all().delete()
    get_user_model().objects.create_user("left over")


@on_every_engine
def test_rows_are_visible_to_other_threads(engine: EngineDatabase) -> None:
    get_user_model().objects.create_user("seen")
    names: list[str] = []

    def read() -> None:
        names.extend(get_user_model().objects.values_list("username", flat=True))
        connections.close_all()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert names == ["seen"]
