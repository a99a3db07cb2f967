"""Clear-outs on PostgreSQL: clear_expired() beside hand-written windows, on the same data.

    python benchmarks/deletion_draft.py --host /path/of/socket --rows 100000 --mix full --rounds 2

Fills one template database and copies it for each turn; prints seconds, statements and what went.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

USERS, APPLICATIONS = 10_000, 200
FILL_OWNERS = """
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT i, '!', false, 'user' || i, '', '', '', false, true, now() FROM generate_series(1, {users}) i;
INSERT INTO oauth2_provider_application (id, client_id, redirect_uris, client_type, authorization_grant_type,
  client_secret, name, skip_authorization, created, updated, algorithm, post_logout_redirect_uris, hash_client_secret,
  allowed_origins, registration_source, client_jwks, client_jwks_uri, token_endpoint_auth_method, last_used)
SELECT i, 'client' || i, '', 'confidential', 'authorization-code', '', 'app' || i, false, now() - interval '2 years',
  now(), '', '', true, '', 'manual', '', '', '', {last_used} FROM generate_series(1, {applications}) i;
"""
FULL = """
CREATE TEMP TABLE kinds AS SELECT i AS id, random() AS r, random() < 0.3 AS with_id FROM generate_series(1, {n}) i;
INSERT INTO oauth2_provider_idtoken (id, jti, expires, scope, created, updated, application_id, user_id)
SELECT id, gen_random_uuid(), CASE WHEN r >= 0.95 THEN now() + interval '10 hours' ELSE now() - interval '60 days' END,
  'openid', now() - interval '61 days', now(), id % {applications} + 1, id % {users} + 1 FROM kinds WHERE with_id;
INSERT INTO oauth2_provider_accesstoken (id, token, token_checksum, expires, scope, application_id, user_id, created,
  updated, resource, id_token_id)
SELECT id, md5(id::text), encode(sha256(id::text::bytea), 'hex'),
  CASE WHEN r >= 0.95 THEN now() + interval '10 hours' ELSE now() - interval '60 days' - id * interval '1 ms' END,
  'read write', id % {applications} + 1, id % {users} + 1, now() - interval '61 days' + id * interval '1 ms', now(), '[]',
  CASE WHEN with_id THEN id END FROM kinds;
INSERT INTO oauth2_provider_refreshtoken (id, token, token_checksum, application_id, user_id, created, updated, resource,
  access_token_id, revoked, token_family)
SELECT id, md5('r' || id), encode(sha256(('r' || id)::bytea), 'hex'), id % {applications} + 1, id % {users} + 1,
  now() - interval '61 days', now(), '[]', id, CASE WHEN r < 0.85 THEN now() - interval '50 days' END, gen_random_uuid()
FROM kinds WHERE r >= 0.6;
INSERT INTO oauth2_provider_grant (id, code, expires, redirect_uri, scope, application_id, user_id, created, updated,
  code_challenge, code_challenge_method, nonce, claims, resource)
SELECT i, md5('g' || i), now() - interval '30 days', 'https://a.example/', 'read', i % {applications} + 1, i % {users} + 1,
  now() - interval '30 days', now(), '', '', '', '', '[]' FROM generate_series(1, {n} / 20) i;
"""
EVERYDAY = """
INSERT INTO oauth2_provider_idtoken (id, jti, expires, scope, created, updated, application_id, user_id)
SELECT i, gen_random_uuid(), now() + CASE WHEN i % 116 = 0 AND {gone} THEN interval '-2 hours' ELSE interval '9 hours' END,
  'openid', now(), now(), i % {applications} + 1, i % {users} + 1 FROM generate_series(1, {n} * 3 / 10) i;
INSERT INTO oauth2_provider_refreshtoken (id, token, token_checksum, application_id, user_id, created, updated, resource,
  revoked, token_family)
SELECT i, md5('o' || i), encode(sha256(('o' || i)::bytea), 'hex'), i % {applications} + 1, i % {users} + 1,
  now() - interval '2 days', now(), '[]', now() - interval '1 hour' - random() * interval '1 day', gen_random_uuid()
FROM generate_series(1, {n} * 775 / 10000) i WHERE {gone};
INSERT INTO oauth2_provider_accesstoken (id, token, token_checksum, expires, scope, application_id, user_id, created,
  updated, resource, id_token_id, source_refresh_token_id)
SELECT i, md5(i::text), encode(sha256(i::text::bytea), 'hex'),
  CASE WHEN i % 106 = 0 AND {gone} THEN now() - random() * interval '1 day'
    ELSE now() + random() * interval '10 hours' + interval '1 hour' END, 'read write',
  i % {applications} + 1, i % {users} + 1, now() - interval '1 hour', now(), '[]',
  CASE WHEN i % 116 <> 0 AND i <= {n} * 3 / 10 THEN i END,
  CASE WHEN {gone} AND i % 26 = 0 AND i / 26 <= {n} * 775 / 10000 THEN i / 26 END
FROM generate_series(1, {n}) i;
INSERT INTO oauth2_provider_refreshtoken (id, token, token_checksum, application_id, user_id, created, updated, resource,
  access_token_id, token_family)
SELECT {n} + i, md5('r' || i), encode(sha256(('r' || i)::bytea), 'hex'), i % {applications} + 1, i % {users} + 1,
  now() - interval '1 hour', now(), '[]', i, gen_random_uuid() FROM generate_series(1, {n}) i
WHERE i % 106 <> 0 AND i % 5 < 3;
INSERT INTO oauth2_provider_grant (id, code, expires, redirect_uri, scope, application_id, user_id, created, updated,
  code_challenge, code_challenge_method, nonce, claims, resource)
SELECT i, md5('g' || i), now() - interval '1 hour', 'https://a.example/', 'read', i % {applications} + 1, i % {users} + 1,
  now(), now(), '', '', '', '', '[]' FROM generate_series(1, {n} / 20) i WHERE {gone};
"""
TABLES = ("refreshtoken", "accesstoken", "idtoken", "grant", "devicegrant", "pushedauthorizationrequest")


def by_hand(window: int) -> dict[str, int]:
    """Windows by primary key as one would write them for this data alone."""
    from django.db import connection

    now = "(SELECT now())"
    counts: dict[str, int] = {}

    def go(table: str, condition: str, unhook: tuple[str, str] | None = None) -> None:
        table = f"oauth2_provider_{table}"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT min(id) - 1, max(id) FROM {table}")
            after, last = cursor.fetchone()
            while after is not None and after < last:
                cursor.execute(
                    f"SELECT id FROM {table} WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s", [after, window - 1]
                )
                row = cursor.fetchone()
                upto = row[0] if row else last
                statement = (
                    f"DELETE FROM {table} t WHERE id > {after} AND id <= {upto} AND {condition}".format(
                        after=after, upto=upto
                    )
                )
                if unhook:
                    referring, column = unhook
                    statement = (
                        f"WITH gone AS ({statement} RETURNING id), u AS (UPDATE oauth2_provider_{referring} SET {column} = "
                        f"NULL WHERE {column} = ANY (ARRAY(SELECT id FROM gone))) SELECT count(*) FROM gone"
                    )
                cursor.execute(statement)
                count = cursor.fetchone()[0] if unhook else cursor.rowcount
                counts[table] = counts.get(table, 0) + count
                after = upto

    go("refreshtoken", f"revoked < {now}", ("accesstoken", "source_refresh_token_id"))
    go(
        "refreshtoken",
        "access_token_id IS NULL AND revoked IS NULL",
        ("accesstoken", "source_refresh_token_id"),
    )
    go(
        "refreshtoken",
        f"revoked IS NULL AND EXISTS (SELECT FROM oauth2_provider_accesstoken a WHERE a.id = t.access_token_id "
        f"AND a.expires < {now} - interval '1 day')",
        ("accesstoken", "source_refresh_token_id"),
    )
    go(
        "accesstoken",
        f"expires < {now} AND NOT EXISTS (SELECT FROM oauth2_provider_refreshtoken r WHERE r.access_token_id "
        "= t.id AND r.access_token_id > {after} AND r.access_token_id <= {upto})",
    )
    go(
        "idtoken",
        f"expires < {now} AND NOT EXISTS (SELECT FROM oauth2_provider_accesstoken a WHERE a.id_token_id "
        "= t.id AND a.id_token_id > {after} AND a.id_token_id <= {upto})",
    )
    for table in ("grant", "devicegrant", "pushedauthorizationrequest"):
        go(table, f"expires < {now}")
    return counts


def ours(window: int) -> dict[str, int]:
    from oauth2_provider.models import clear_expired

    return {table: count for table, count in clear_expired().items() if count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--mix", choices=["full", "everyday", "nothing"], default="full")
    parser.add_argument("--window", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["ours", "by_hand"])
    parser.add_argument("--unused", action="store_true", help="applications without last_used")
    parser.add_argument("--plans", type=float, help="print statements that take longer (ms)")
    options = parser.parse_args()
    template = f"bench_{options.mix}_{options.rows}"
    server = psycopg.connect(f"host={options.host} user=postgres dbname=postgres", autocommit=True)
    configure(options, template)
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
        fill(server, template, options)
    for _ in range(options.rounds):
        for way in (by_hand, ours):
            if options.only in (None, way.__name__):
                turn(server, template, way, options)


def configure(options: argparse.Namespace, name: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.setdefault("TEST_ENGINE", "sqlite")
    from django.conf import settings

    settings.DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": "postgres",
        "HOST": options.host,
    }
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "maintenance"]
    settings.OAUTH2_PROVIDER = {
        "REFRESH_TOKEN_EXPIRE_SECONDS": 86400,
        "CLEAR_EXPIRED_TOKENS_BATCH_SIZE": options.window,
    }
    import django

    django.setup()


def fill(server: Any, template: str, options: argparse.Namespace) -> None:
    from django.core.management import call_command
    from django.db import connection

    server.execute(f"CREATE DATABASE {template}")
    call_command("migrate", verbosity=0)
    mix = FULL if options.mix == "full" else EVERYDAY
    values = {
        "n": options.rows,
        "users": USERS,
        "applications": APPLICATIONS,
        "gone": str(options.mix != "nothing"),
        "last_used": "NULL" if options.unused else "now()",
    }
    with connection.cursor() as cursor:
        for statement in (FILL_OWNERS + mix).format(**values).split(";"):
            if statement.strip():
                cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def turn(
    server: Any, template: str, way: Callable[[int], dict[str, int]], options: argparse.Namespace
) -> None:
    from django.db import connection

    connection.close()
    server.execute("DROP DATABASE IF EXISTS bench_turn WITH (FORCE)")
    server.execute(f"CREATE DATABASE bench_turn TEMPLATE {template} STRATEGY file_copy")
    server.execute("CHECKPOINT")
    connection.settings_dict["NAME"] = "bench_turn"
    slow: list[tuple[float, str]] = []
    statements = 0

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal statements
        statements += 1
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            slow.append(((time.perf_counter() - started) * 1000, sql))

    started = time.perf_counter()
    with connection.execute_wrapper(watch):
        counts = way(options.window)
    seconds = time.perf_counter() - started
    total = sum(counts.values())
    print(
        f"{way.__name__:8} {seconds:7.2f} s {statements:6} statements {total:9} rows {total / seconds:9.0f} rows/s",
        counts,
    )
    if options.plans:
        for milliseconds, sql in sorted(slow, reverse=True)[:12]:
            if milliseconds > options.plans:
                print(f"   {milliseconds:8.1f} ms {sql[:400]}")
    connection.close()
    connection.settings_dict["NAME"] = template


if __name__ == "__main__":
    main()
