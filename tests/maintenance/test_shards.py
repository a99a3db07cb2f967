"""Sharded runs: contiguous ranges side by side, exact totals, a barrier between stages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance import runs
from maintenance.exceptions import InvalidArguments, NeededByWhole, TransitionRefused
from maintenance.models import ACTIVE, WAITING, Run, RunEvent, RunStatus
from maintenance.operations import Job, get_operation
from maintenance.runner import Runner, run_here
from oauth2_provider.models import AccessToken, Application, Grant, IDToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers
from tests.oauth2_provider.credentials import make_client

TABLE = "oauth2_provider_accesstoken"
APPLICATIONS = "oauth2_provider_application"
MakeTokens = Callable[..., Any]


def work_side_by_side(run: Run, workers: int) -> None:
    """Let `workers` threads take whatever of the run waits, until it has ended."""

    def work() -> None:
        while Run.objects.filter(pk=run.pk, status__in=ACTIVE).exists():
            for waiting in Run.objects.filter(status__in=WAITING).values_list("pk", flat=True):
                Run.objects.filter(pk=waiting).update(not_before=None)
                Runner(waiting, window_rows=7).advance()
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    run.refresh_from_db()


def start_shards(run: Run) -> list[Run]:
    """Advance `run` until it has shards, and return those."""
    while not Run.objects.filter(parent=run.pk).exists():
        Run.objects.filter(pk=run.pk).update(not_before=None)
        Runner(run.pk).advance()
    run.refresh_from_db()
    return list(run.shard_runs.order_by("shard_key"))


@on_every_engine
def test_the_shards_of_a_stage_cover_each_row_once(engine: EngineDatabase, make_tokens: MakeTokens) -> None:
    make_tokens(expired=90, live=10)
    AccessToken.objects.filter(token__in=[f"expired {n}" for n in range(10, 40)]).delete()  # sparse keys
    job = Job(arguments={}, cutoff=timezone.now())
    (stage,) = (s for s in get_operation("clear_expired").stages(job) if s.name == "access_tokens")
    walk = stage.walk("pk")  # type: ignore[attr-defined]
    first, last = walk.to_json(walk.first()), walk.to_json(walk.last())
    parts = stage.split({"by": "pk", "first": first, "last": last, "after": None}, 4)
    assert len(parts) == 4
    assert parts[0]["after"] is None
    assert [part["after"] for part in parts[1:]] == [part["last"] for part in parts[:-1]]
    assert parts[-1]["last"] == last


@on_servers
def test_shards_work_side_by_side_and_the_run_shows_the_whole(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    owner = make_tokens(expired=60, live=5)
    id_tokens = [IDToken.objects.create(expires=timezone.now() - timedelta(days=n + 1)) for n in range(20)]
    for id_token, access_token in zip(
        id_tokens, AccessToken.objects.filter(token__startswith="e"), strict=False
    ):
        AccessToken.objects.filter(pk=access_token.pk).update(id_token=id_token)
    run = runs.enqueue("clear_expired", shards=3)
    work_side_by_side(run, 3)
    assert run.status == RunStatus.SUCCEEDED
    # ID tokens go only after the access tokens that held them: the stages waited for each other
    assert {table: n for table, n in run.total_counts.items() if n} == {
        TABLE: 60,
        "oauth2_provider_idtoken": 20,
    }
    assert run.total_counts == run.counts
    assert Run.objects.filter(parent=run).count() > 2
    assert AccessToken.objects.filter(application=owner).count() == 5


@on_servers
def test_inactive_applications_are_removed_side_by_side_and_archived_with_the_whole(
    engine: EngineDatabase,
) -> None:
    now = timezone.now()
    for number in range(30):
        application = make_client(f"client {number}")
        AccessToken.objects.create(
            token=f"old {number}", application=application, expires=now - timedelta(days=99)
        )
    AccessToken.objects.update(created=now - timedelta(days=100))
    Application.objects.update(created=now - timedelta(days=400))
    AccessToken.objects.filter(token__endswith="7").update(expires=now + timedelta(hours=1))
    run = runs.enqueue("cleanup_inactive_applications", shards=3)
    assert len(start_shards(run)) == 3
    work_side_by_side(run, 3)
    assert run.status == RunStatus.SUCCEEDED
    assert {table: n for table, n in run.counts.items() if n} == {TABLE: 27, APPLICATIONS: 27}
    assert all(shard.rows for shard in run.shard_runs.all())
    assert run.archived_applications.count() == 27
    assert set(Application.objects.values_list("client_id", flat=True)) == {
        "client 7",
        "client 17",
        "client 27",
    }


@pytest.mark.django_db
def test_a_sharded_run_can_be_worked_in_one_process(make_tokens: MakeTokens) -> None:
    make_tokens(expired=60, live=5)
    run = run_here(runs.enqueue("clear_expired", shards=4), window_rows=5)
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 60)
    shards_worked = sum(run.shard_runs.values_list("seconds_worked", flat=True))
    assert run.seconds_worked == pytest.approx(shards_worked)
    assert run.seconds_worked > 0


@pytest.mark.django_db
def test_pause_resume_and_cancel_reach_the_shards(make_tokens: MakeTokens) -> None:
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=3)
    start_shards(run)
    runs.pause(run)
    statuses = Run.objects.filter(parent=run).values_list("status", flat=True)
    assert set(statuses) == {RunStatus.PAUSED}
    runs.resume(run)
    assert set(statuses.all()) == {RunStatus.ENQUEUED}
    runs.cancel(run)
    assert set(statuses.all()) == {RunStatus.CANCELLED}


@pytest.mark.django_db
def test_a_shard_that_pauses_after_the_whole_was_resumed_is_not_left_behind(make_tokens: MakeTokens) -> None:
    """It was in its window all the while."""
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=3)
    start_shards(run)

    def pause_and_resume(shard: Run) -> None:
        if shard.windows == 1:
            runs.resume(runs.pause(Run.objects.get(pk=run.pk)))

    shard = run.shard_runs.order_by("shard_key")[0]
    Runner(shard.pk, window_rows=5, on_window=pause_and_resume).advance()
    shard.refresh_from_db()
    assert shard.status == RunStatus.PAUSED
    run = run_here(run, window_rows=5)
    assert (run.status, run.rows) == (RunStatus.SUCCEEDED, 60)


@pytest.mark.django_db
def test_a_failed_shard_fails_the_run_and_a_retry_goes_on_with_it(make_tokens: MakeTokens) -> None:
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=2)
    while not (shard := Run.objects.filter(parent=run).first()):
        Run.objects.filter(pk=run.pk).update(not_before=None)
        Runner(run.pk).advance()

    def break_down(_: Run) -> None:
        raise RuntimeError

    Runner(shard.pk, window_rows=5, on_window=break_down).advance()
    Run.objects.filter(pk=run.pk).update(not_before=None)
    failed = run_here(run)
    assert (failed.status, failed.error_class) == (RunStatus.FAILED, "ShardFailed")
    retried = run_here(runs.retry(failed), window_rows=5)
    assert (retried.status, retried.rows) == (RunStatus.SUCCEEDED, 60)


@pytest.mark.django_db
def test_a_shard_is_not_cancelled_alone_while_the_whole_goes_on(
    make_tokens: MakeTokens, admin_client: Client
) -> None:
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=2)
    shard = start_shards(run)[0]
    with pytest.raises(NeededByWhole, match=f"Cancel the whole: run {run.pk}"):
        runs.cancel(shard)
    with pytest.raises(CommandError, match=f"Cancel the whole: run {run.pk}"):
        call_command("maintenance_runs", "cancel", str(shard.pk))
    page = admin_client.get(reverse("admin:maintenance_run_change", args=[shard.pk])).content.decode()
    assert "/control/pause/" in page
    assert "/control/cancel/" not in page
    path = reverse("admin:maintenance_run_control", args=[shard.pk, "cancel"])
    refused = admin_client.post(path, {"confirmed": "yes"}, follow=True).content.decode()
    assert f"Cancel the whole: run {run.pk}" in refused
    shard.refresh_from_db()
    assert shard.status in WAITING
    Run.objects.filter(pk=run.pk).update(not_before=None)
    assert run_here(run).rows == 60


@pytest.mark.django_db
def test_a_shard_of_a_whole_that_is_cancelled_or_failed_can_be_cancelled(make_tokens: MakeTokens) -> None:
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=3)
    first, second, third = start_shards(run)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.CANCELLING)
    assert runs.cancel(first).status == RunStatus.CANCELLED
    Run.objects.filter(pk=run.pk).update(status=RunStatus.CANCELLED)
    assert runs.cancel(second).status == RunStatus.CANCELLED
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED)
    assert runs.cancel(third).status == RunStatus.CANCELLED


@pytest.mark.django_db
def test_a_retry_of_the_whole_takes_up_the_shards_that_failed_or_were_cancelled(
    make_tokens: MakeTokens,
) -> None:
    make_tokens(expired=60)
    run = runs.enqueue("clear_expired", shards=3)
    broken, dropped, left = start_shards(run)

    def break_down(_: Run) -> None:
        raise RuntimeError

    Runner(broken.pk, window_rows=5, on_window=break_down).advance()
    Run.objects.filter(pk=run.pk).update(not_before=None)
    Runner(run.pk).advance()
    run.refresh_from_db()
    assert (run.status, run.error_class) == (RunStatus.FAILED, "ShardFailed")
    runs.cancel(dropped)
    with pytest.raises(TransitionRefused):
        runs.retry(dropped)
    runs.retry(run, actor="ann")
    statuses = dict(run.shard_runs.values_list("pk", "status"))
    assert statuses == dict.fromkeys((broken.pk, dropped.pk, left.pk), RunStatus.ENQUEUED)
    assert dropped.events.get(kind=RunEvent.Kind.RETRY).actor == "ann"
    done = run_here(run, window_rows=5)
    assert (done.status, done.rows, done.total_counts) == (RunStatus.SUCCEEDED, 60, {TABLE: 60})
    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_purging_takes_the_shards_along(make_tokens: MakeTokens) -> None:
    make_tokens(expired=20)
    run_here(runs.enqueue("clear_expired", shards=2))
    stored = Run.objects.count()
    assert stored > 1
    Run.objects.update(created=timezone.now() - timedelta(days=400))
    purge = run_here(runs.enqueue("purge_runs"))
    assert purge.counts["maintenance_run"] == stored
    assert list(Run.objects.all()) == [purge]


@pytest.mark.django_db
@pytest.mark.parametrize("shards", [0, 65])
def test_a_number_of_shards_that_makes_no_sense_is_refused(shards: int) -> None:
    with pytest.raises(InvalidArguments, match="shards"):
        runs.enqueue("clear_expired", shards=shards)
    assert not Grant.objects.exists()
