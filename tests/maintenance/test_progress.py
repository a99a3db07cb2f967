"""How far, how quick, until when: figures from a run's own row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from maintenance import runs, shards
from maintenance.models import Run, RunStatus, Trigger
from maintenance.progress import eta_seconds, progress_of
from maintenance.runner import Runner, run_here
from maintenance.windows import WindowMark


def marks(*steps: tuple[float, float], rows: int = 1000, seconds: float = 0.4) -> list[WindowMark]:
    """Return windows that ended at `steps`: time and progress."""
    return [
        WindowMark(ended=ended, size=rows, rows=rows, seconds=seconds, progress=progress)
        for ended, progress in steps
    ]


def steady(count: int, *, every: float = 0.5, share: float = 0.001, start: float = 0.1) -> list[WindowMark]:
    return marks(*((number * every, start + number * share) for number in range(count)))


def test_eta_is_what_is_left_at_the_speed_of_the_recent_windows() -> None:
    assert eta_seconds(steady(100), 0.2) == pytest.approx(0.8 / 0.002, rel=0.01)


def test_there_is_no_eta_before_one_percent() -> None:
    assert eta_seconds(steady(100, start=0.0, share=0.0001), 0.0099) is None
    assert eta_seconds(steady(100, start=0.0, share=0.0001), 0.0101) is not None


def test_there_is_no_eta_from_one_or_two_windows_or_where_nothing_moves() -> None:
    assert eta_seconds(steady(2), 0.2) is None
    assert eta_seconds(steady(50, share=0.0), 0.2) is None


def test_an_hour_of_rest_does_not_spoil_the_eta() -> None:
    before, after = steady(40), steady(40, start=0.14)
    rested = [*before, *marks(*((3600 + mark.ended, mark.progress) for mark in after))]
    assert eta_seconds(rested, 0.18) == pytest.approx(0.82 / 0.002, rel=0.1)


def test_eta_follows_a_run_that_becomes_slower() -> None:
    slow = steady(60, every=2.0, start=0.14)
    both = [*steady(40), *marks(*((20 + mark.ended, mark.progress) for mark in slow))]
    assert eta_seconds(both, 0.2) == pytest.approx(0.8 / 0.0005, rel=0.05)


def test_another_pass_begins_the_reckoning_anew() -> None:
    again = [
        *steady(40, start=0.9),
        *marks(*((20 + number * 0.5, number * 0.002) for number in range(1, 60))),
    ]
    assert eta_seconds(again, 0.12) == pytest.approx(0.88 / 0.004, rel=0.1)


@pytest.mark.django_db
def test_stages_are_told_by_name_with_what_is_done_of_each(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=300)
    run = runs.enqueue("clear_expired")
    windows = iter((False, True))
    Runner(run.pk, window_rows=100, on_window=lambda _run: next(windows) and runs.pause(_run)).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.PAUSED
    with CaptureQueriesContext(connection) as queries:
        progress = progress_of(run)
    assert len(queries) == 0
    by_title = {stage.title: stage for stage in progress.stages}
    assert by_title["Revoked refresh tokens"].state == "done"
    assert by_title["Access tokens"].state == "current"
    assert 0.5 < by_title["Access tokens"].fraction < 0.8
    assert by_title["Grants"].state == "waiting"
    assert by_title["Grants"].fraction == 0.0
    assert progress.rows == 200
    assert progress.mean_rate == pytest.approx(200 / run.seconds_worked)
    assert progress.rate is None  # nobody is at it
    assert progress.eta_seconds is None


@pytest.mark.django_db
def test_a_run_that_is_done_is_at_a_hundred_percent(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=10)
    progress = progress_of(run_here(runs.enqueue("clear_expired")))
    assert progress.percent == 100
    assert {stage.state for stage in progress.stages} == {"done"}


@pytest.mark.django_db
def test_shards_count_for_the_whole(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=400)
    run = runs.enqueue("clear_expired", shards=2)
    while not Run.objects.filter(parent=run.pk).exists():
        Run.objects.filter(pk=run.pk).update(not_before=None)
        Runner(run.pk, budget_seconds=60).advance()
    run.refresh_from_db()
    first, second = shards.shards_of_stage(run).order_by("shard_key")
    Runner(first.pk).advance()
    progress = progress_of(run, list(shards.shards_of_stage(run).order_by("shard_key")))
    assert [shard.fraction for shard in progress.shards] == [1.0, 0.0]
    assert progress.rows == 200
    current = next(stage for stage in progress.stages if stage.state == "current")
    assert current.fraction == 0.5
    assert progress.fraction == pytest.approx((current.number - 0.5) / len(progress.stages))
    assert second.status == RunStatus.ENQUEUED


@pytest.mark.django_db
def test_a_run_whose_operation_is_gone_has_no_stages_and_is_shown_all_the_same(admin_client: Any) -> None:
    run = Run.objects.create(
        operation="gone", trigger=Trigger.CODE, cursor={"positions": [None], "stage": 0}, progress=0.25
    )
    progress = progress_of(run)
    assert (progress.stages, progress.percent) == ([], 25)
    assert admin_client.get(f"/admin/maintenance/run/{run.pk}/change/").status_code == 200
