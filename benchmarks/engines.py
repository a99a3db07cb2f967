"""MariaDB and SQLite to run both sides on; their data comes from a PostgreSQL, which makes it fastest."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from .server import PREFIX, Server

LOADED = (
    "auth_user",
    "oauth2_provider_application",
    "oauth2_provider_idtoken",
    "oauth2_provider_refreshtoken",
    "oauth2_provider_accesstoken",
    "oauth2_provider_grant",
)
CHUNK = 2000
OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


@dataclass(frozen=True, kw_only=True)
class SqliteFiles:
    """Databases as files below `directory`."""

    directory: Path
    engine = "sqlite"

    @property
    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def database(self, name: str) -> dict[str, Any]:
        path = str(self.directory / f"{name}.sqlite3")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": OPTIONS}

    def create(self, name: str, *, template: str | None = None) -> dict[str, Any]:
        database = self.database(name)
        for suffix in ("", "-wal", "-shm"):
            Path(database["NAME"] + suffix).unlink(missing_ok=True)
        if template is not None:
            shutil.copyfile(self.database(template)["NAME"], database["NAME"])
        return database

    def insert(self, name: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        marks, names = ", ".join("?" * len(columns)), ", ".join(columns)
        with closing(self._connect(name)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)

    def adapt(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return value.hex if isinstance(value, UUID) else _as_json(value)

    def settle(self, name: str) -> None:
        with closing(self._connect(name)) as connection:
            connection.execute("ANALYZE")
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def count_rows(self, name: str, tables: tuple[str, ...]) -> dict[str, int]:
        with closing(self._connect(name)) as connection:
            return {table: connection.execute(_count(table)).fetchone()[0] for table in tables}

    def _connect(self, name: str) -> sqlite3.Connection:
        return sqlite3.connect(self.database(name)["NAME"])


@dataclass(frozen=True, kw_only=True)
class MariaDB:
    """Databases on a MariaDB of the benchmark's own, with the durability it has by default."""

    socket: str
    port: int
    engine = "mariadb"

    @property
    def version(self) -> str:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            return f"MariaDB {cursor.fetchone()[0].partition('-')[0]}"

    def database(self, name: str) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": f"{PREFIX}_{name}",
            "USER": "root",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "OPTIONS": {"charset": "utf8mb4"},
        }

    def create(self, name: str, *, template: str | None = None) -> dict[str, Any]:
        database = self.database(name)
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {database['NAME']}")
            cursor.execute(f"CREATE DATABASE {database['NAME']} CHARACTER SET utf8mb4")
        if template is not None:
            self._copy(self.database(template)["NAME"], database["NAME"])
        return database

    def insert(self, name: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        marks, names = ", ".join(["%s"] * len(columns)), ", ".join(columns)
        with closing(self._connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            cursor.executemany(f"INSERT INTO `{table}` ({names}) VALUES ({marks})", rows)
            connection.commit()

    def adapt(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None)
        return str(value) if isinstance(value, UUID) else _as_json(value)

    def settle(self, name: str) -> None:
        with closing(self._connect(name)) as connection, connection.cursor() as cursor:
            for table in LOADED:
                cursor.execute(f"ANALYZE TABLE `{table}`")
                cursor.fetchall()

    def count_rows(self, name: str, tables: tuple[str, ...]) -> dict[str, int]:
        counts = {}
        with closing(self._connect(name)) as connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(_count(table).replace('"', "`"))
                counts[table] = cursor.fetchone()[0]
        return counts

    def _copy(self, source: str, target: str) -> None:
        client = ["--no-defaults", f"--socket={self.socket}", "--user=root"]
        dump = subprocess.Popen(["mariadb-dump", *client, source], stdout=subprocess.PIPE)
        subprocess.run(["mariadb", *client, target], stdin=dump.stdout, check=True)
        if dump.wait():
            raise SystemExit("mariadb-dump failed")

    def _connect(self, name: str | None = None) -> Any:
        import MySQLdb

        database = {"database": f"{PREFIX}_{name}"} if name else {}
        return MySQLdb.connect(
            unix_socket=self.socket, user="root", charset="utf8mb4", autocommit=False, **database
        )


@contextmanager
def sqlite_files() -> Iterator[SqliteFiles]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        yield SqliteFiles(directory=Path(directory))


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Yield a server started from what is on PATH. Raises ServerMissing."""
    from tests.servers import Servers

    directory = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    servers = Servers(directory)
    try:
        url = servers.mariadb_url()
        server = MariaDB(socket=str(directory / "mariadb" / "socket"), port=urlsplit(url).port or 0)
        with closing(server._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")  # the suite's server has none
        yield server
    finally:
        servers.stop()


def load(source: Server, source_name: str, target: SqliteFiles | MariaDB, name: str) -> None:
    """Copy the rows of database `source_name` on PostgreSQL into the empty tables of database `name` on `target`."""
    with source._connect(dbname=f"{PREFIX}_{source_name}") as connection:
        for table in LOADED:
            with connection.transaction(), connection.cursor(name="rows") as cursor:
                cursor.execute(f'SELECT * FROM "{table}" ORDER BY id'.encode())
                while rows := cursor.fetchmany(CHUNK):
                    columns = [column.name for column in cursor.description or ()]
                    target.insert(name, table, columns, [[target.adapt(v) for v in row] for row in rows])


def _as_json(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _count(table: str) -> str:
    return f'SELECT count(*) FROM "oauth2_provider_{table}"'
