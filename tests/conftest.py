"""Fixtures for the whole suite.

`db` and its like (pytest-django) run on SQLite, or on the engine in the environment variable TEST_ENGINE. A test
that must hold on several engines takes the fixture `engine` and says on which:

    @on_every_engine  # from tests.engines
    def test_something(engine): ...

    @pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
    def test_something_else(engine): ...

`engine` is a `tests.databases.EngineDatabase`: "default" for the time of the test, committed to for real, usable
from threads and, by `engine.url`, from other processes; empty again afterwards. `redis_url` is a running server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

from tests import celery
from tests.databases import DEFAULT_ENGINE, EngineDatabase, name_of_this_process
from tests.engines import engine_at_hand
from tests.servers import DIRECTORY_VARIABLE, ServerMissing, Servers

pytest_plugins = ["tests.browser"]

# A run is dozens of processes: one compiles a module for all of them, whatever the environment says of bytecode.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--first-case", action="store_true", help="of a test with parameters only the first case"
    )


def pytest_configure(config: pytest.Config) -> None:
    assert celery.app.conf.broker_url == "memory://"
    Servers.of_this_run()  # before any xdist worker: all of them share what it makes


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        Servers(Path(os.environ[DIRECTORY_VARIABLE])).stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("engine") in ("postgresql", "mariadb"):
            item.add_marker(parameters["engine"])
    if config.getoption("--first-case"):
        first = set({item.nodeid.partition("[")[0]: item for item in reversed(items)}.values())
        config.hook.pytest_deselected(items=[item for item in items if item not in first])
        items[:] = [item for item in items if item in first]
    items[:] = _longest_first(items, stretches=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _longest_first(items: list[pytest.Item], *, stretches: int) -> list[pytest.Item]:
    """Let each of the workers side by side, who get a stretch of the list each, begin with some of what takes long.

    Short tests fill what time is left at the end: a journey that begins last would be waited for alone, and tests
    that share something dear to set up would be shared out among workers who each set it up.
    """
    groups: dict[object, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("journey") or item.path.stem == "test_pages_for_everybody":
            groups[item] = [item]
        elif item.path.parent.name == "compat":  # all of them share the toolkit's databases
            groups.setdefault(item.path.parent, []).append(item)
        elif item.path.stem.startswith("test_plans"):
            groups.setdefault(item.path, []).append(item)
    dear = sorted(groups.values(), key=len, reverse=True)
    taken = {item for group in dear for item in group}
    cheap = iter([item for item in items if item not in taken])
    ordered: list[pytest.Item] = []
    for number in range(stretches):
        stretch = [item for group in dear[number::stretches] for item in group]
        size = (number + 1) * len(items) // stretches - number * len(items) // stretches
        ordered += stretch + list(islice(cheap, max(0, size - len(stretch))))
    return ordered + list(cheap)


@pytest.fixture(scope="session")
def servers() -> Servers:
    return Servers.of_this_run()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Let "default" be a copy of what one process has migrated; pytest-django's own migrates in each of them.

    After a test that commits it is as it was. Django's own flush would leave it without what migrations have put in:
    whether a later test found that would hang on which tests its process had before.
    """
    with django_db_blocker.unblock():
        database = EngineDatabase(DEFAULT_ENGINE, name=name_of_this_process("default"))
        connection.close()
        connection.settings_dict["NAME"] = database.settings["NAME"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: database.empty())
        yield


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """A database of this process's own: the queues of tests side by side do not mix."""
    try:
        server = servers.redis_url().rsplit("/", 1)[0]
    except ServerMissing as missing:
        pytest.skip(str(missing))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return f"{server}/{int(worker.removeprefix('gw')) % 16}"


engine = pytest.fixture(engine_at_hand)
