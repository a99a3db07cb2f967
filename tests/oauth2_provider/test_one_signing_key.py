"""Of each algorithm one key signs: also after the migration that says so, and under a deadlock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from oauth2_provider.flows import signing_keys
from oauth2_provider.models import SigningKey
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers
from tests.servers import wait_until

BEFORE = ("oauth2_provider", "c0008_device_flow")
AFTER = ("oauth2_provider", "c0009_one_signing_key")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def migrate(target: tuple[str, str]) -> Any:
    """Migrate to `target`; returns the registry of the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate([target])
    return MigrationExecutor(connection).loader.project_state([target]).apps


@pytest.fixture
def old_keys(engine: EngineDatabase) -> Iterator[Any]:
    """The table as it was before; the newest again afterwards."""
    try:
        yield migrate(BEFORE).get_model("oauth2_provider", "SigningKey").objects
    finally:
        SigningKey.objects.all().delete()
        call_command("migrate", verbosity=0, interactive=False)


@on_every_engine
def test_of_active_keys_from_before_the_oldest_goes_on_signing(old_keys: Any) -> None:
    """OpenID Connect Core 1.0 section 10.1.1: the others stay published, for what they have signed."""
    stored = [
        ("RS256", LONG_AGO, None),
        ("ES256", LONG_AGO, LONG_AGO),
        ("RS256", LONG_AGO, None),
        ("ES256", LONG_AGO, None),
        ("RS256", None, None),
        ("RS256", LONG_AGO, None),
    ]
    for number, (algorithm, activated, retired) in enumerate(stored):
        old_keys.create(
            kid=f"key {number}",
            algorithm=algorithm,
            encrypted="",
            activated=activated,
            retired=retired,
        )
    started = datetime.now(UTC)
    migrate(AFTER)

    keys = list(SigningKey.objects.order_by("pk"))
    assert [key.state for key in keys] == ["active", "retired", "retired", "active", "next", "retired"]
    assert [key.signs for key in keys] == ["RS256", None, None, "ES256", None, None]
    assert keys[1].retired == LONG_AGO
    assert all(started <= keys[number].retired <= datetime.now(UTC) for number in (2, 5))


WAITS_FOR_A_LOCK = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
    "mysql": "SELECT variable_value FROM information_schema.global_status "
    "WHERE variable_name = 'Innodb_row_lock_current_waits'",
}


def is_waited_for() -> bool:
    """Tell whether another connection waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS_FOR_A_LOCK[connection.vendor])
        return int(cursor.fetchone()[0]) > 0


def lock(key: SigningKey) -> None:
    list(SigningKey.objects.select_for_update().filter(pk=key.pk).values_list("pk"))


def set_deadlock_timeout(*, seconds: int) -> None:
    """PostgreSQL: who waits so long first is the victim."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET deadlock_timeout = '{seconds}s'")


@on_servers
def test_a_rotation_that_loses_a_deadlock_is_run_again(engine: EngineDatabase) -> None:
    """Another transaction locks the keys against the order of a rotation, and is the one that the database spares."""
    first, second = (signing_keys.create_key("ES256") for _ in range(2))
    others = [signing_keys.create_key("EdDSA") for _ in range(20)]

    def rotate() -> str:
        try:
            set_deadlock_timeout(seconds=3)
            return signing_keys.rotate("ES256", keep=timedelta(days=30), is_forced=True).kid
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            set_deadlock_timeout(seconds=60)
            # MariaDB spares who has changed more
            SigningKey.objects.filter(pk__in=[key.pk for key in others]).update(created=LONG_AGO)
            lock(second)
            rotation = pool.submit(rotate)
            wait_until(is_waited_for, seconds=20, what="the rotation waits")
            lock(first)  # would raise here, if this were the victim
        assert rotation.result(timeout=30) == second.kid
    assert SigningKey.objects.active("ES256").get() == second
    assert SigningKey.objects.filter(algorithm="ES256", retired__isnull=False).get() == first
    assert SigningKey.objects.next("ES256").count() == 1
