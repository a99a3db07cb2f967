"""Window sizes: grow smoothly, shrink at once, stay within bounds; time limits stay inside the transaction."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from maintenance import runs
from maintenance.models import RunEvent, RunStatus
from maintenance.operations import register
from maintenance.operations.clear_expired import ClearExpired, ClearExpiredStage
from maintenance.runner import Runner, run_here
from maintenance.windows import REMEMBERED, WindowMark, WindowSizes, next_size, remember
from oauth2_provider.models import AccessToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_postgresql, on_servers
from tests.servers import wait_until

from .locks import row_locked


@pytest.mark.django_db
@override_settings(MAINTENANCE={"WINDOW_TARGET_SECONDS_SQLITE": 0.4})
@pytest.mark.parametrize(
    ("size", "seconds", "after"),
    [
        (1000, 0.4, 1000),  # just right
        (1000, 0.1, 1500),  # could be 4000: grows by half at most
        (1000, 4.0, 550),  # ten times too slow: half way to 100
        (50_000, 0.01, 50_000),
        (100, 60.0, 100),
    ],
)
def test_the_next_window_approaches_the_target_time(size: int, seconds: float, after: int) -> None:
    assert next_size(size, seconds, "default") == after


@pytest.mark.django_db
@override_settings(MAINTENANCE={"WINDOW_TARGET_SECONDS_SQLITE": 0.4})
@pytest.mark.parametrize(("seconds", "after"), [(0.1, 1000), (0.4, 1000), (4.0, 550)])
def test_a_window_that_was_not_full_makes_none_larger(seconds: float, after: int) -> None:
    assert next_size(1000, seconds, "default", is_full=False) == after


@on_every_engine
@override_settings(MAINTENANCE={"WINDOW_TARGET_SECONDS": 5.0, "WINDOW_TARGET_SECONDS_SQLITE": 5.0})
def test_the_ends_of_stages_make_no_window_larger(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=3)
    run = run_here(runs.enqueue("clear_expired"))
    assert (run.rows, run.windows, run.window_rows) == (3, 1, 1000)


@on_postgresql
def test_the_time_of_a_window_has_the_check_of_foreign_keys_in(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """It is the greater part; without it windows were two or three times as long as they should be."""
    make_tokens(expired=2)
    with deletion_checked_for(seconds=0.2):
        run = run_here(runs.enqueue("clear_expired"))
    assert run.rows == 2
    assert run.seconds_worked > 0.4


@contextmanager
def deletion_checked_for(*, seconds: float) -> Iterator[None]:
    """Have the check of each access token that is deleted take so long, as with a large table that refers to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION check_slowly() RETURNS trigger LANGUAGE plpgsql "
            f"AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER slow_check AFTER DELETE ON oauth2_provider_accesstoken "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_slowly()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION check_slowly CASCADE")


@on_every_engine
def test_windows_grow_while_they_are_quick(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=700)
    with override_settings(
        MAINTENANCE={
            "WINDOW_INITIAL_ROWS": 100,
            "WINDOW_TARGET_SECONDS": 5.0,
            "WINDOW_TARGET_SECONDS_SQLITE": 5.0,
        }
    ):
        run = run_here(runs.enqueue("clear_expired"))
    assert run.rows == 700
    assert run.window_rows is not None
    assert run.window_rows > 200


@on_every_engine
def test_the_last_windows_are_written_with_the_cursor(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """What the run's page draws costs no statement: it goes with the one UPDATE of the window."""
    make_tokens(expired=250)
    run = runs.enqueue("clear_expired")
    with CaptureQueriesContext(connection) as queries:
        run_here(run, window_rows=100)
    changes = [query["sql"].partition(" WHERE ")[0] for query in queries if query["sql"].startswith("UPDATE")]
    written = [change for change in changes if "recent_win" in change]
    run.refresh_from_db()
    marks = [WindowMark.unpack(values) for values in run.recent_windows]
    assert [mark.rows for mark in marks] == [100, 100, 50]
    assert [mark.size for mark in marks] == [100, 100, 100]
    assert [mark.progress for mark in marks] == sorted(mark.progress for mark in marks)
    assert len(written) == len(marks) == run.windows
    assert all("cursor" in statement and "counts" in statement for statement in written)


def test_no_more_windows_are_remembered_than_a_row_should_hold() -> None:
    marks: list[Any] | None = None
    for number in range(REMEMBERED + 5):
        marks = remember(
            marks,
            WindowMark(
                ended=1_900_000_000.123 + number, size=50_000, rows=49_999, seconds=0.41234, progress=0.5
            ),
        )
    assert marks is not None
    assert len(marks) == REMEMBERED
    assert WindowMark.unpack(marks[0]).ended == pytest.approx(1_900_000_005.12)
    assert len(json.dumps(marks)) < 6_000


@on_servers
def test_a_locked_row_is_waited_for_and_the_window_tried_again(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """Live traffic comes first: the lock timeout ends the wait, and the window comes back."""
    make_tokens(expired=20)
    run = runs.enqueue("clear_expired")
    retries = run.events.filter(kind=RunEvent.Kind.RETRIED)

    def work() -> None:
        run_here(run)
        connections.close_all()

    with override_settings(MAINTENANCE={"LOCK_TIMEOUT_SECONDS": 0.2}):
        worker = threading.Thread(target=work)
        with row_locked("expired 7"):
            worker.start()
            while not retries.exists() and worker.is_alive():
                worker.join(0.05)
        worker.join()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 20)
    assert retries.first().text.startswith("OperationalError")  # type: ignore[union-attr]


DEADLOCK = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
    "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
}


def test_an_adapted_size_is_halved_once_and_then_grows_as_windows_allow() -> None:
    sizes = WindowSizes(fixed=None)
    assert (sizes.next(None), sizes.next(5000)) == (1000, 5000)
    assert sizes.halve(5000) == (5000, 2500)
    assert sizes.halve(5000) == (2500, 1250)
    assert sizes.next(5000) == 1250
    sizes.recover()
    assert sizes.next(1875) == 1875  # what the row says after the window of 1250


def test_no_window_is_halved_below_the_minimum_or_made_larger_by_it() -> None:
    assert WindowSizes(fixed=150).halve(None) == (150, 100)
    assert WindowSizes(fixed=10).halve(None) == (10, 10)


@on_servers
def test_windows_that_shrank_for_others_grow_again(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """A lost race halves the next window, and not all that follow: not even where their size is fixed."""
    make_tokens(expired=3000)
    run = runs.enqueue("clear_expired")
    lost: list[bool] = []

    class Racing(ClearExpiredStage):
        def work_window(self, walk: Any, window: Any) -> Any:
            if not lost:
                lost.append(True)
                with connection.cursor() as cursor:
                    cursor.execute(DEADLOCK[engine.engine])
            return super().work_window(walk, window)

    class RacingClearExpired(ClearExpired):
        def stages(self, job: Any) -> Any:
            return [Racing(stage.stage) for stage in super().stages(job)]

    register(RacingClearExpired)
    try:
        run = run_here(run, window_rows=800)
    finally:
        register(ClearExpired)
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 3000)
    resized = run.events.get(kind=RunEvent.Kind.WINDOW_RESIZED)
    assert resized.text == "800 rows to 400"
    sizes = [WindowMark.unpack(values).size for values in run.recent_windows or []]
    assert sizes[:3] == [400, 601, 800]


WAITS_FOR_A_LOCK = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()",
    "mariadb": "SELECT variable_value FROM information_schema.global_status "
    "WHERE variable_name = 'Innodb_row_lock_current_waits'",
}


@on_servers
@override_settings(MAINTENANCE={"LOCK_TIMEOUT_SECONDS": 30, "STATEMENT_TIMEOUT_SECONDS": 30})
def test_a_deadlock_is_the_runs_to_lose_once_and_the_window_comes_back(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """A client that locks two tokens against the window's order; the database is made to choose the run as victim."""
    make_tokens(expired=20, live=500)
    run = runs.enqueue("clear_expired")
    locked, waited_for = threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def set_deadlock_timeout(seconds: int) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SET deadlock_timeout = '{seconds}s'"
                )  # who waits so long first is the victim

    def is_waited_for() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(WAITS_FOR_A_LOCK[engine.engine])
            return int(cursor.fetchone()[0]) > 0

    def lock_two_tokens() -> None:
        set_deadlock_timeout(30)
        try:
            with transaction.atomic():
                AccessToken.objects.filter(token__startswith="live").update(
                    scope="read write"
                )  # MariaDB: the weight
                list(AccessToken.objects.select_for_update().filter(token="expired 15"))
                locked.set()
                waited_for.wait(30)
                list(AccessToken.objects.select_for_update().filter(token="expired 5"))
        except BaseException as error:
            refused.append(error)
        connections.close_all()

    def work() -> None:
        set_deadlock_timeout(3)
        run_here(run)
        connections.close_all()

    client, worker = threading.Thread(target=lock_two_tokens), threading.Thread(target=work)
    client.start()
    assert locked.wait(30)
    worker.start()
    wait_until(is_waited_for, seconds=20, what="the run waits")
    waited_for.set()
    client.join()
    worker.join()
    assert refused == []
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 20)
    assert run.events.filter(kind=RunEvent.Kind.RETRIED, text__startswith="OperationalError").count() == 1


@on_every_engine
def test_the_time_limits_end_with_the_window(engine: EngineDatabase, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=5)

    def limits() -> list[Any]:
        query = {
            "postgresql": "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')",
            "mysql": "SELECT @@innodb_lock_wait_timeout, @@max_statement_time",
            "sqlite": "PRAGMA busy_timeout",
        }[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchone())

    before = limits()
    Runner(runs.enqueue("clear_expired").pk).advance()
    assert limits() == before


@on_every_engine
def test_an_error_that_trying_again_does_not_mend_fails_the_run_and_keeps_its_cursor(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=20)
    run = runs.enqueue("clear_expired")

    def break_down(run: Any) -> None:
        if run.rows:
            raise RuntimeError("secret 123\nDETAIL: token=abc")

    Runner(run.pk, window_rows=10, on_window=break_down).advance()
    run.refresh_from_db()
    assert (run.status, run.rows) == (RunStatus.FAILED, 10)
    assert (run.error_class, "DETAIL" in run.error_message) == ("RuntimeError", False)
    assert "break_down" in run.traceback
    assert run_here(runs.retry(run)).rows == 20
