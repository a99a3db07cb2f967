"""May this process be sent requests? Its databases answer, and hold the schema that the code is for."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connections, router
from django.db.migrations.executor import MigrationExecutor

from oauth2_provider.models import get_access_token_model

from .models import Run

_ready: set[str] = set()
"""Databases found migrated: a schema goes forward only while a process lives."""


def find_unreadiness() -> str | None:
    """Return why not, a sentence without private matter; None where it is ready."""
    for alias in sorted({router.db_for_write(Run), router.db_for_write(get_access_token_model())}):
        reason = _problem(alias)
        if reason is not None:
            return reason
    return None


def _problem(alias: str) -> str | None:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        if alias in _ready:
            return None
        executor = MigrationExecutor(connections[alias])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        return f"The database {alias!r} cannot be reached ({type(error).__name__})."
    if missing:
        return f"{len(missing)} migrations are not applied to {alias!r}: run manage.py migrate."
    if not settings.DEBUG:
        _ready.add(alias)
    return None


def forget_readiness() -> None:
    """Have migrations looked at anew."""
    _ready.clear()
