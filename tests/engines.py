"""Marks and the fixture for tests that run on a database engine they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.databases import ENGINES, EngineDatabase, standing_in

on_every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
on_servers = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def engine_at_hand(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[EngineDatabase]:
    """The fixture `engine`, for a test; `pytest.fixture(scope="module")(engine_at_hand)` is a module's own."""
    with standing_in(getattr(request, "param", "sqlite"), django_db_blocker) as database:
        yield database
