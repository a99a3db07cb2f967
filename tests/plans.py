"""Big tables on PostgreSQL, and what the engine reads of them for a page.

fill(application_pk=application.pk, rows=60_000)
with CaptureQueriesContext(connection) as captured:
    client.get(path)
assert scanned(selects(captured)).isdisjoint(TOKEN_TABLES)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

FILL = {
    "auth_user": """
        INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff,
            is_active, date_joined)
        SELECT n, 'user-' || n, '', false, '', '', 'user-' || n || '@x.example', false, true, now()
        FROM generate_series(1000, 1000 + {rows} / 10) n""",
    "oauth2_provider_idtoken": """
        INSERT INTO oauth2_provider_idtoken (id, jti, expires, scope, created, updated, user_id, application_id)
        SELECT n, gen_random_uuid(), {expires}, '', now(), now(), {user}, {application}
        FROM generate_series(1, {rows}) n""",
    "oauth2_provider_accesstoken": """
        INSERT INTO oauth2_provider_accesstoken (id, token, token_checksum, expires, scope, resource, created,
            updated, user_id, application_id, id_token_id)
        SELECT n, 'token-' || n, {checksum}, {expires}, 'read', '[]', now(), now(), {user}, {application}, n
        FROM generate_series(1, {rows}) n""",
    "oauth2_provider_refreshtoken": """
        INSERT INTO oauth2_provider_refreshtoken (id, token, token_checksum, resource, created, updated, revoked,
            user_id, application_id, access_token_id)
        SELECT n, 'token-' || n, {checksum}, '[]', now(), now(), CASE WHEN n % 2 = 0 THEN now() END, {user},
            {application}, n
        FROM generate_series(1, {rows}) n""",
    "oauth2_provider_grant": """
        INSERT INTO oauth2_provider_grant (id, code, expires, redirect_uri, scope, created, updated,
            code_challenge, code_challenge_method, nonce, claims, resource, token_checksum, user_id,
            application_id)
        SELECT n, 'code-' || n, {expires} - interval '1 second' * ({rows} / 2 - 100), '', '', now(), now(), '', '',
            '', '', '[]', '', {user}, {application}
        FROM generate_series(1, {rows}) n""",
}
TOKEN_TABLES = [table for table in FILL if table != "auth_user"]


def fill(*, application: Any, rows: int, user: str = "{any_user}") -> None:
    """Store `rows` rows of each kind of token and code, and a tenth as many users.

    Half of the tokens are expired or revoked; 100 codes are alive. `application` and `user` are keys, or SQL
    expressions of a row's number `n`; `{any_user}` in one stands for that of the user whose turn it is.
    """
    values = {
        "rows": str(rows),
        "user": user.format(any_user=f"1000 + n % ({rows} / 10)"),
        "application": str(application),
        "checksum": "encode(sha256(('token-' || n)::bytea), 'hex')",
        "expires": f"now() + (n - {rows} / 2) * interval '1 second'",
    }
    with unchecked() as cursor:
        for statement in FILL.values():
            cursor.execute(statement.format(**values))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@contextmanager
def unchecked() -> Iterator[Any]:
    """Have a cursor whose rows are not looked up, each of them, in the tables they point at."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor


def selects(captured: CaptureQueriesContext) -> list[str]:
    """Return the distinct statements that read, in their order."""
    return [sql for sql in dict.fromkeys(each["sql"] for each in captured) if sql.startswith("SELECT")]


def scanned(statements: Iterable[str]) -> set[str]:
    """Return the tables that PostgreSQL would read from end to end for `statements`."""
    return {
        node["Relation Name"]
        for statement in statements
        for node in nodes(plan_of(statement))
        if node["Node Type"] == "Seq Scan"
    }


def rows_read(node: dict[str, Any]) -> float:
    """Return how many rows a node of a plan that was run has looked at at least, those it threw away included.

    Of several loops the plan has the mean, and of what they threw away that is rounded: half a row a loop may be none.
    """
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    rounded = 0.5 if thrown and node["Actual Loops"] > 1 else 0.0
    return float((node["Actual Rows"] + thrown - rounded) * node["Actual Loops"])


def plan_of(statement: str, *, is_run: bool = False) -> dict[str, Any]:
    """Return the plan of `statement`; `is_run` has it run, for the numbers of rows."""
    options = "ANALYZE, TIMING OFF, FORMAT JSON" if is_run else "FORMAT JSON"
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({options}) {statement.replace('%', '%%')}", None)
        answer = cursor.fetchone()[0]
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield `plan` and every part of it."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def multiply(row: Any, count: int, **expressions: str) -> None:
    """Copy a stored `row` `count` times, with an SQL expression of the number `n` for some columns."""
    meta = row._meta
    values = {field.column: field.column for field in meta.concrete_fields if not field.primary_key}
    values |= {column: expression.replace("%", "%%") for column, expression in expressions.items()}
    with unchecked() as cursor:
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({', '.join(values)}) "
            f"WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
            f"SELECT {', '.join(values.values())} FROM {meta.db_table}, numbers WHERE {meta.pk.column} = %s",
            [row.pk],
        )
