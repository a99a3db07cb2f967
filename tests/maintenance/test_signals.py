"""A site hears of its runs, once each, after the fact is committed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maintenance import runs
from maintenance.models import Run
from maintenance.runner import Runner, run_here
from maintenance.signals import run_failed, run_finished, run_started
from tests.databases import EngineDatabase
from tests.engines import on_every_engine


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Run]]]:
    heard: list[tuple[str, Run]] = []
    signals = {"started": run_started, "finished": run_finished, "failed": run_failed}
    receivers = []
    for name, signal in signals.items():

        def listen(run: Run, name: str = name, **kwargs: Any) -> None:
            heard.append((name, run))

        signal.connect(listen, weak=False)
        receivers.append((signal, listen))
    yield heard
    for signal, listen in receivers:
        signal.disconnect(listen)


@on_every_engine
def test_a_run_is_announced_when_it_starts_and_ends(
    engine: EngineDatabase, heard: list[tuple[str, Run]]
) -> None:
    run = run_here(runs.enqueue("clear_expired", shards=2))
    assert heard == [("started", run), ("finished", run)]


@on_every_engine
def test_a_failure_is_announced_with_its_error(engine: EngineDatabase, heard: list[tuple[str, Run]]) -> None:
    run = runs.enqueue("clear_expired")

    def break_down(run: Run) -> bool:
        raise RuntimeError("out of order")

    Runner(run.pk, must_stop=lambda: break_down(run)).advance()
    assert [name for name, _ in heard] == ["started", "failed"]
    assert heard[1][1].error_message == "out of order"


@on_every_engine
def test_a_cancelled_run_is_announced_as_finished(
    engine: EngineDatabase, heard: list[tuple[str, Run]]
) -> None:
    run = runs.cancel(runs.enqueue("clear_expired"))
    assert heard == [("finished", run)]
