"""Test databases on SQLite, PostgreSQL and MariaDB, and one of them as "default" for the time of a test.

`connection_settings` makes what stands in DATABASES. `EngineDatabase` is a migrated database that can take the
place of "default", in this thread and in those a test starts, and is empty again after each test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import ServerMissing, Servers

ENGINES = ("sqlite", "postgresql", "mariadb")
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}


def connection_settings(engine: str, *, name: str) -> dict[str, Any]:
    """Return the DATABASES entry of a database called `name` (a path on SQLite) on `engine`.

    Raises ServerMissing where the machine has no such server.
    """
    if engine == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            },
            "TEST": {"NAME": name},
        }
    if engine == "postgresql":
        url = urlsplit(Servers.of_this_run().postgresql_url())
        host = parse_qs(url.query).get("host", [url.hostname])[0]
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": Path(name).stem,
            "USER": "postgres",
            "HOST": host,
            "PORT": str(url.port or ""),
        }
    if engine == "mariadb":
        url = urlsplit(Servers.of_this_run().mariadb_url())
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": Path(name).stem,
            "USER": "root",
            "HOST": "127.0.0.1",
            "PORT": str(url.port),
            "OPTIONS": {"charset": "utf8mb4"},
        }
    raise ValueError(f"no such engine: {engine!r}; there are {', '.join(ENGINES)}")


class EngineDatabase:
    """A migrated database on `engine`, one for each pytest process."""

    def __init__(self, engine: str, *, name: str | None = None) -> None:
        self.engine = engine
        if name is None:
            name = f"engine_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
            if engine == "sqlite":
                name = str(Servers.of_this_run().directory / f"{name}.sqlite3")
        self.settings = connection_settings(engine, name=name)
        self._initial_rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
        self._create()

    @property
    def url(self) -> str:
        """The DATABASE_URL for a subprocess."""
        name = self.settings["NAME"]
        if self.engine == "sqlite":
            return f"sqlite:///{name}"
        if self.engine == "postgresql":
            return f"postgres://postgres:@/{name}?host={self.settings['HOST']}"
        return f"mysql://root@127.0.0.1:{self.settings['PORT']}/{name}"

    @contextmanager
    def as_default(self) -> Iterator[None]:
        """Let "default" be this database, here and in threads started meanwhile."""
        from django.db import connections

        before = connections.settings["default"]
        connections["default"].close()
        del connections["default"]
        connections.settings["default"] = self._configured()
        try:
            yield
        finally:
            connections["default"].close()
            del connections["default"]
            connections.settings["default"] = before

    @contextmanager
    def as_alias(self, alias: str) -> Iterator[None]:
        """Let `alias` be this database, beside "default"."""
        from django.db import connections

        connections.settings[alias] = self._configured()
        try:
            yield
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]

    def _configured(self) -> dict[str, Any]:
        from django.db import connections

        return connections.configure_settings({"default": {**self.settings}})["default"]

    def empty(self) -> None:
        """Remove what a test left; what migrations put in is there again."""
        from django.db import connection, transaction

        tables = [table for table in connection.introspection.table_names() if table not in KEPT_TABLES]
        with transaction.atomic(), connection.cursor() as cursor:
            filled = [table for table in tables if _has_rows(cursor, connection.ops.quote_name(table))]
            self._delete(cursor, filled)
            for table, (columns, rows) in self._initial_rows.items():
                self._insert(cursor, table, columns, rows)

    def _create(self) -> None:
        from django.core.management import call_command
        from django.db import connection

        self._create_empty()
        with self.as_default():
            call_command("migrate", verbosity=0, interactive=False)
            with connection.cursor() as cursor:
                for table in connection.introspection.table_names():
                    quoted = connection.ops.quote_name(table)
                    if table not in KEPT_TABLES and _has_rows(cursor, quoted):
                        cursor.execute(f"SELECT * FROM {quoted}")
                        columns = [column[0] for column in cursor.description]
                        self._initial_rows[table] = columns, cursor.fetchall()

    def _create_empty(self) -> None:
        name = self.settings["NAME"]
        if self.engine == "sqlite":
            for suffix in ("", "-wal", "-shm"):
                Path(f"{name}{suffix}").unlink(missing_ok=True)
        elif self.engine == "postgresql":
            import psycopg

            with psycopg.connect(
                f"host={self.settings['HOST']} user=postgres dbname=postgres", autocommit=True
            ) as server:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                server.execute(f'CREATE DATABASE "{name}"')
        else:
            import MySQLdb

            server = MySQLdb.connect(host="127.0.0.1", port=int(self.settings["PORT"]), user="root")
            server.query(f"DROP DATABASE IF EXISTS `{name}`")
            server.query(f"CREATE DATABASE `{name}`")
            server.close()

    def _delete(self, cursor: Any, tables: list[str]) -> None:
        from django.db import connection

        quoted = [connection.ops.quote_name(table) for table in tables]
        if not quoted:
            return
        if self.engine == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(quoted)} CASCADE")
            return
        with connection.constraint_checks_disabled():
            if self.engine == "sqlite":
                cursor.execute("PRAGMA defer_foreign_keys = ON")
            for table in quoted:
                cursor.execute(f"DELETE FROM {table}")

    def _insert(self, cursor: Any, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        from django.db import connection

        quote = connection.ops.quote_name
        if self.engine == "sqlite":
            cursor.execute("PRAGMA defer_foreign_keys = ON")
        names = ", ".join(quote(column) for column in columns)
        places = ", ".join(["%s"] * len(columns))
        with connection.constraint_checks_disabled():
            cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({places})", rows)


def _has_rows(cursor: Any, quoted_table: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {quoted_table})")
    return bool(cursor.fetchone()[0])


@contextmanager
def standing_in(engine: str, blocker: Any) -> Iterator[EngineDatabase]:
    """Let "default" be a database on `engine`, opened to the tests by pytest-django's `blocker`; empty it at the end.

    Skips the test where the machine has no such server.
    """
    import pytest

    with blocker.unblock():
        database = _engine_database(engine)
        if isinstance(database, str):
            pytest.skip(database)
        with database.as_default():
            yield database
            database.empty()


@cache
def _engine_database(engine: str) -> EngineDatabase | str:
    """Return the database, or why there is none; both once a process."""
    try:
        return EngineDatabase(engine)
    except ServerMissing as missing:
        return str(missing)
