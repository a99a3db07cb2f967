"""Test databases on SQLite, PostgreSQL and MariaDB, and one of them as "default" for the time of a test.

`connection_settings` makes what stands in DATABASES. `EngineDatabase` is a migrated database that can take the
place of "default", in this thread and in those a test starts, and is empty again after each test. The migrations
run once on each engine, for all processes of a run: every other database is a copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import ServerMissing, Servers, locked

ENGINES = ("sqlite", "postgresql", "mariadb")
DEFAULT_ENGINE = os.environ.get("TEST_ENGINE", "sqlite")
KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}
BIG_TABLE_BYTES = 128 * 1024


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


def name_of_this_process(name: str) -> str:
    """Return what `connection_settings` takes for a database that no process beside this one uses."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return str(Servers.of_this_run().directory / f"{name}_{worker}.sqlite3")


class EngineDatabase:
    """A migrated database on `engine`, one for each pytest process."""

    def __init__(self, engine: str, *, name: str | None = None) -> None:
        self.engine = engine
        self.settings = connection_settings(engine, name=name or name_of_this_process("engine"))
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

    def as_default(self) -> AbstractContextManager[None]:
        """Let "default" be this database, here and in threads started meanwhile."""
        return _as_default(self.settings)

    @contextmanager
    def as_alias(self, alias: str) -> Iterator[None]:
        """Let `alias` be this database, beside "default"."""
        from django.db import connections

        connections.settings[alias] = _configured(self.settings)
        try:
            yield
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]

    def empty(self) -> None:
        """Remove what a test left; what migrations put in is there again."""
        from django.db import connection, transaction

        tables = [table for table in connection.introspection.table_names() if table not in KEPT_TABLES]
        with transaction.atomic(), connection.cursor() as cursor:
            if self.engine == "postgresql":
                _truncate_big(cursor)
            self._delete(cursor, _filled(cursor, tables))
            for table, (columns, rows) in self._initial_rows.items():
                self._insert(cursor, table, columns, rows)

    def _create(self) -> None:
        from django.db import connection

        _copy_template(self.engine, self.settings)
        with self.as_default(), connection.cursor() as cursor:
            for table in _filled(cursor, connection.introspection.table_names()):
                if table not in KEPT_TABLES:
                    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                    columns = [column[0] for column in cursor.description]
                    self._initial_rows[table] = columns, cursor.fetchall()

    def _delete(self, cursor: Any, tables: list[str]) -> None:
        from django.db import connection

        with connection.constraint_checks_disabled():
            if self.engine == "sqlite":
                cursor.execute("PRAGMA defer_foreign_keys = ON")
            if self.engine == "postgresql":
                cursor.execute(
                    "SET LOCAL session_replication_role = replica"
                )  # no check of a row's referrers
            for table in tables:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")

    def _insert(self, cursor: Any, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        from django.db import connection

        quote = connection.ops.quote_name
        if self.engine == "sqlite":
            cursor.execute("PRAGMA defer_foreign_keys = ON")
        names = ", ".join(quote(column) for column in columns)
        places = ", ".join(["%s"] * len(columns))
        with connection.constraint_checks_disabled():
            cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({places})", rows)


def analyze(*tables: str) -> None:
    """Bring the planner's knowledge of `tables` of "default" up to date."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # what is told only later would count as changed since
            cursor.execute("SELECT pg_stat_force_next_flush()")
        for table in tables:
            cursor.execute(f"ANALYZE {'TABLE ' if connection.vendor == 'mysql' else ''}{table}")
            cursor.fetchall() if connection.vendor == "mysql" else None


def _configured(database: dict[str, Any]) -> dict[str, Any]:
    from django.db import connections

    return connections.configure_settings({"default": {**database}})["default"]


@contextmanager
def _as_default(database: dict[str, Any]) -> Iterator[None]:
    from django.db import connections

    before = connections.settings["default"]
    connections["default"].close()
    del connections["default"]
    connections.settings["default"] = _configured(database)
    try:
        yield
    finally:
        connections["default"].close()
        del connections["default"]
        connections.settings["default"] = before


def _filled(cursor: Any, tables: list[str]) -> list[str]:
    """Return those of `tables` that have rows."""
    from django.db import connection

    quote = connection.ops.quote_name
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {quote(table)})"
            for number, table in enumerate(tables)
        )
    )
    return [tables[number] for (number,) in cursor.fetchall()]


def _truncate_big(cursor: Any) -> None:
    """Truncate what PostgreSQL takes longer to delete, and what it has statistics of that a next test would see.

    The rest is deleted: a TRUNCATE makes new files for the table and for each of its indexes.
    """
    cursor.execute(
        "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> ALL (%s) AND (reltuples >= 0 OR pg_relation_size(oid) > %s)",
        [list(KEPT_TABLES), BIG_TABLE_BYTES],
    )
    if tables := ", ".join(table for (table,) in cursor.fetchall()):
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def _copy_template(engine: str, copy: dict[str, Any]) -> None:
    """Make the database that `copy` names a copy of the migrated one, which the first process to ask makes."""
    from django.core.management import call_command

    directory = Servers.of_this_run().directory
    template = connection_settings(engine, name=str(directory / "migrated.sqlite3"))
    made = directory / f"migrated-{engine}"
    with locked(directory / f"{made.name}.lock"):
        if not made.exists():
            _create_empty(engine, template)
            with _as_default(template):
                call_command("migrate", verbosity=0, interactive=False)
            made.touch()
    _create_empty(engine, copy, template=template["NAME"])


def _create_empty(engine: str, database: dict[str, Any], *, template: str = "") -> None:
    """Make a database anew, with nothing in it or what is in `template`."""
    name = database["NAME"]
    if engine == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)
        if template:
            shutil.copyfile(template, name)
    elif engine == "postgresql":
        import psycopg

        copied = f' TEMPLATE "{template}"' if template else ""
        server = f"host={database['HOST']} user=postgres dbname=postgres"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"{copied}')
    else:
        import MySQLdb

        with closing(
            MySQLdb.connect(host="127.0.0.1", port=int(database["PORT"]), user="root")
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}`")
            if template:
                connection.select_db(name)
                _copy_tables(cursor, template)
                connection.commit()


def _copy_tables(cursor: Any, template: str) -> None:
    """Copy the tables of another database into the current one: MariaDB copies no database."""
    cursor.execute("SET foreign_key_checks = 0")
    cursor.execute(f"SHOW TABLES FROM `{template}`")
    for (table,) in cursor.fetchall():
        cursor.execute(f"SHOW CREATE TABLE `{template}`.`{table}`")
        cursor.execute(cursor.fetchone()[1])
        cursor.execute(f"INSERT INTO `{table}` SELECT * FROM `{template}`.`{table}`")


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
