"""One site on one database, run by either side: the toolkit's interpreter or this project's."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

Rows = dict[str, list[dict[str, Any]]]
"""Table name -> its rows in the order of their keys."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """`database` is an entry of DATABASES, `rsa_key` the file of the key that signs ID tokens."""

    database: dict[str, Any]
    peer: Path
    rsa_key: Path

    def toolkit(self, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
        """Run `python -m <arguments>` with django-oauth-toolkit."""
        return self._run(self.peer, arguments, stdin)

    def ours(self, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
        """Run `python -m <arguments>` with this project."""
        return self._run(Path(sys.executable), arguments, stdin, PYTHONPATH=str(ROOT))

    def _run(
        self, python: Path, arguments: tuple[str, ...], stdin: Any, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTHON"))
        }
        environment = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "takeover_site.settings",
            "TAKEOVER_DATABASE": json.dumps(self.database),
            "TAKEOVER_RSA_KEY": str(self.rsa_key),
            "OAUTHLIB_INSECURE_TRANSPORT": "1",
            **variables,
        }
        return subprocess.run(
            [str(python), "-m", *arguments],
            cwd=HERE,
            env=environment,
            input=json.dumps(stdin),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Open a DB-API cursor; commits at the end."""
        connection = self._connect()
        try:
            yield connection.cursor()
            connection.commit()
        finally:
            connection.close()

    def _connect(self) -> Any:
        if self.is_postgresql:
            return psycopg.connect(
                host=self.database["HOST"], user=self.database["USER"], dbname=self.database["NAME"]
            )
        return sqlite3.connect(self.database["NAME"])

    @property
    def is_postgresql(self) -> bool:
        return str(self.database["ENGINE"]).endswith("postgresql")

    def execute(self, statement: str) -> None:
        with self.cursor() as cursor:
            cursor.execute(statement)

    def rows(self) -> Rows:
        """Return what is in every table but django_migrations."""
        with self.cursor() as cursor:
            return {
                table: _rows(cursor, table) for table in self._tables(cursor) if table != "django_migrations"
            }

    def migrations(self) -> set[str]:
        """Return the names of the provider's migrations that the database has recorded."""
        with self.cursor() as cursor:
            cursor.execute("SELECT name FROM django_migrations WHERE app = 'oauth2_provider'")
            return {name for (name,) in cursor.fetchall()}

    def _tables(self, cursor: Any) -> list[str]:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            if self.is_postgresql
            else "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]

    def schema(self) -> set[tuple[str, ...]]:
        """Return the provider's tables as facts: columns, constraints and indexes with their names."""
        with self.cursor() as cursor:
            facts: set[tuple[str, ...]] = set()
            for statement in POSTGRESQL_SCHEMA if self.is_postgresql else SQLITE_SCHEMA:
                cursor.execute(statement)
                facts |= {tuple(map(str, row)) for row in cursor.fetchall()}
            return facts


SQLITE_SCHEMA = (
    """SELECT 'column', t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk
       FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.name LIKE 'oauth2_provider%'""",
    """SELECT 'foreign key', t.name, f."from", f."table", f."to", f.on_delete
       FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.name LIKE 'oauth2_provider%'""",
    """SELECT 'index', t.name, CASE i.origin WHEN 'c' THEN i.name END, i."unique", group_concat(c.name)
       FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
       WHERE t.name LIKE 'oauth2_provider%' GROUP BY t.name, i.name""",
)
"""SQLite numbers the indexes of UNIQUE columns in the order of columns: their names say nothing."""
POSTGRESQL_SCHEMA = (
    """SELECT 'column', table_name, column_name, data_type, character_maximum_length, is_nullable,
              column_default, identity_generation
       FROM information_schema.columns WHERE table_name LIKE 'oauth2_provider%'""",
    """SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)
       FROM pg_constraint WHERE conrelid::regclass::text LIKE 'oauth2_provider%' AND contype <> 'n'""",
    """SELECT 'index', tablename, indexname, indexdef FROM pg_indexes
       WHERE tablename LIKE 'oauth2_provider%'""",
)


def postgresql_database(url: str, name: str) -> dict[str, Any]:
    """Return the DATABASES entry of database `name` on the server at `url`."""
    server = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": server["host"],
        "USER": server["user"],
        "NAME": name,
    }


def _rows(cursor: Any, table: str) -> list[dict[str, Any]]:
    cursor.execute(f'SELECT * FROM "{table}"')
    columns = [column[0] for column in cursor.description]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return sorted(rows, key=lambda row: str(row.get("id", row)))
