"""Whether a database stands where this project can take it over from django-oauth-toolkit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

RELEASED_MIGRATIONS = (
    "0001_squashed_0003_auto_20201211_1314",
    "0004_squashed_0022_refreshtoken_token_family_index",
)
"""Replace those of django-oauth-toolkit up to 3.4.1."""
UNRELEASED_MIGRATION = "0023_squashed_0025_pushed_authorization_requests"
"""Replaces those that follow 3.4.1."""


@register(Tags.database)
def check_migration_state(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Find a database that stands between the states of django-oauth-toolkit this project takes over.

    `migrate` runs this before it touches anything.
    """
    messages: list[CheckMessage] = []
    for alias in databases or ():
        applied = _applied_migrations(alias)
        if applied.isdisjoint((*RELEASED_MIGRATIONS, UNRELEASED_MIGRATION)):
            messages += _takeover_messages(alias, applied)
    return messages


def _applied_migrations(alias: str) -> set[str]:
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return {name for app, name in applied if app == "oauth2_provider"}


def _takeover_messages(alias: str, applied: set[str]) -> Iterable[CheckMessage]:
    if not applied:
        return
    released = [name for migration in RELEASED_MIGRATIONS for name in _replaced_by(migration)]
    unreleased = _replaced_by(UNRELEASED_MIGRATION)
    last = max(applied & {*released, *unreleased}, default="none of its migrations")
    if not applied.issuperset(released):
        yield Error(
            f"Database {alias!r} stands at {last} of django-oauth-toolkit, below 3.4.1 ({released[-1]}).",
            hint=(
                "Nothing was changed. Install django-oauth-toolkit==3.4.1 in place of this project, run "
                "`manage.py migrate oauth2_provider`, then come back and run `manage.py migrate`."
            ),
            id="oauth2_provider.E020",
        )
    elif applied & set(unreleased) and not applied.issuperset(unreleased):
        yield Error(
            f"Database {alias!r} stands at {last} of django-oauth-toolkit, between two releases.",
            hint=(
                f"Nothing was changed. Run django-oauth-toolkit's own migrations up to {unreleased[-1]} or "
                f"back to {released[-1]}, then come back and run `manage.py migrate`."
            ),
            id="oauth2_provider.E021",
        )


def _replaced_by(migration: str) -> list[str]:
    module = import_module(f"oauth2_provider.migrations.{migration}")
    return sorted(name for _app, name in module.Migration.replaces)
