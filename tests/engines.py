"""Marks for tests that run on more than one database engine."""

from __future__ import annotations

import pytest

from tests.databases import ENGINES

on_every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
on_servers = pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
