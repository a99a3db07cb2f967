"""A site whose worker and beat were seen just now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maintenance.health import forget_health


@pytest.fixture(autouse=True)
def fresh_health() -> Iterator[None]:
    forget_health()
    yield
    forget_health()
