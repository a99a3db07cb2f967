"""A replica that falls behind holds a hygiene run: a real standby, which applies what it gets three seconds late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import override_settings

from maintenance import runs
from maintenance.models import RunEvent, RunStatus
from maintenance.runner import Runner
from maintenance.throttles import find_hold
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_postgresql
from tests.servers import postgresql_standby, wait_until


@on_postgresql
@override_settings(MAINTENANCE={"REPLICATION_LAG_SECONDS": 1.0, "HOLD_SECONDS": 25.0})
def test_a_run_is_held_while_a_replica_lags(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=20)
    run = runs.enqueue("clear_expired")
    with postgresql_standby(engine.settings["HOST"], apply_delay_seconds=3):
        wait_until(lambda: write_something() and find_hold(run, "default"), what="a replica that lags")
        Runner(run.pk, budget_seconds=20).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.INTERRUPTED, 0)
    assert run.hold_reason.startswith("replication lag ")
    assert run.hold_reason.endswith(" s > 1.0 s")
    assert run.not_before is not None
    assert run.events.filter(kind=RunEvent.Kind.HELD, text=run.hold_reason).exists()
    assert AccessToken.objects.count() == 20


def write_something() -> bool:
    """Have the primary send something that the standby can be late with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
    return True
