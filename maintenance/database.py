"""What a window's transaction asks of the engine: that it neither waits nor runs for long.

Local to the transaction where the engine can (PostgreSQL, so that it is right behind a pooler), else set before
and reset after the window. On SQLite the connection's own busy timeout holds.
"""

from __future__ import annotations

from django.db import connections

from .settings import maintenance_settings


def set_timeouts(using: str, *, in_transaction: bool = False) -> None:
    """Bound lock waits and statements on `using`; called before and at the start of the transaction."""
    connection = connections[using]
    lock, statement = (
        maintenance_settings.LOCK_TIMEOUT_SECONDS,
        maintenance_settings.STATEMENT_TIMEOUT_SECONDS,
    )
    if connection.vendor == "postgresql" and in_transaction:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
                [f"{lock * 1000:.0f}ms", f"{statement * 1000:.0f}ms"],
            )
    elif connection.vendor == "mysql" and not in_transaction:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [max(1, round(lock))])
            if connection.mysql_is_mariadb:  # type: ignore[attr-defined]
                cursor.execute("SET SESSION max_statement_time = %s", [statement])


def reset_timeouts(using: str) -> None:
    """Undo what outlives the transaction."""
    connection = connections[using]
    if connection.vendor != "mysql" or connection.in_atomic_block or connection.connection is None:
        return
    if not connection.is_usable():
        return
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = DEFAULT")
        if connection.mysql_is_mariadb:  # type: ignore[attr-defined]
            cursor.execute("SET SESSION max_statement_time = DEFAULT")


def check_foreign_keys(using: str) -> None:
    """Have the foreign keys checked now, where that would be the greater part of the commit.

    So the time that the window writes into the run's row has it in; and the row is then locked for the commit alone: a
    click on Pause writes it, and must not wait for the checks of a whole window.
    """
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def close_unusable(*aliases: str) -> None:
    """Close those connections that the server has ended: the next statement opens others."""
    for alias in set(aliases):
        connection = connections[alias]
        if not connection.in_atomic_block and not connection.is_usable():
            connection.close()
