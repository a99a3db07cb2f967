"""Runs under faults: every round ends as one uninterrupted run would, with counts that are exact.

Workers are killed, Redis is flushed, stopped and started, beat is doubled, messages come twice, PostgreSQL backends are
terminated, at moments drawn from a seed. `CHAOS_ROUNDS=30 pytest tests/journeys/test_chaos.py` is the long form.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from kombu.exceptions import OperationalError

from maintenance import runs
from maintenance.dispatch import ADVANCE
from maintenance.models import ACTIVE, ArchivedApplication, Run, RunStatus, Trigger
from maintenance.operations import Job, get_operation
from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
)
from tests.databases import EngineDatabase
from tests.engines import on_postgresql
from tests.journeys.processes import Site
from worker.demo import create_demo

pytestmark = [pytest.mark.journey, pytest.mark.redis, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))
FAULTS = 3
"""For each operation."""
MODELS = (AccessToken, RefreshToken, IDToken, Grant, DeviceGrant, PushedAuthorizationRequest, Run)
TOKEN_LIFETIMES = {"REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * 3600, "REFRESH_TOKEN_REUSE_PROTECTION": True}
"""What the site of the journeys has too."""
SETTINGS = {
    "SLICE_SECONDS": 1.0,
    "LEASE_SECONDS": 4.0,
    "STATEMENT_TIMEOUT_SECONDS": 3.0,
    "WINDOW_INITIAL_ROWS": 100,
    "WINDOW_MAXIMUM_ROWS": 100,
    "MAXIMUM_LOSSES": 50,
    "NICE_RATIO": 1.0,
}


def state() -> dict[str, set[Any]]:
    """Return what is stored: the keys of every table, and which refresh tokens are revoked."""
    keys = {model.__name__: set(model.objects.values_list("pk", flat=True)) for model in MODELS}
    revoked = RefreshToken.objects.filter(revoked__isnull=False)
    return {
        **keys,
        "revoked": set(revoked.values_list("pk", flat=True)),
        "clients": set(Application.objects.values_list("client_id", flat=True)),
        "archived": set(Counter(ArchivedApplication.objects.values_list("client_id", flat=True)).items()),
        "migrated": set(AccessToken.objects.filter(scope__contains="profile").values_list("pk", flat=True)),
    }


def uninterrupted(work: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, set[Any]], list[Counter[str]]]:
    """Return the state after the operations, worked stage by stage in one go, and their counts; nothing stays."""
    counts = []
    with override_settings(OAUTH2_PROVIDER=TOKEN_LIFETIMES), transaction.atomic():
        for name, arguments in work:
            operation = get_operation(name)
            record = Run.objects.create(operation=name, trigger=Trigger.CODE)
            job = Job(arguments=operation.clean(arguments), cutoff=timezone.now(), run_id=str(record.pk))
            counts.append(Counter[str]())
            for stage in operation.stages(job):
                position = stage.begin()
                while position is not None and (result := stage.work(position, 1000)) is not None:
                    position, _ = result.position, counts[-1].update(result.counts)
        after = state()
        after["Run"] -= set(Run.objects.filter(status=RunStatus.ENQUEUED).values_list("pk", flat=True))
        transaction.set_rollback(True)
    return after, [+count for count in counts]


def make_forgotten_applications(number: int) -> None:
    """Store applications that nobody used for a year, each with tokens that are over."""
    long_ago = timezone.now() - timedelta(days=400)
    for index in range(number):
        application = Application.objects.create(
            name=f"Forgotten {index}",
            client_secret="",
            client_type=Application.CLIENT_PUBLIC,
            authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        )
        AccessToken.objects.bulk_create(
            AccessToken(
                token=f"{index} {n}", token_checksum=f"{index} {n}", expires=long_ago, application=application
            )
            for n in range(20)
        )
    forgotten = Application.objects.filter(name__startswith="Forgotten")
    AccessToken.objects.filter(application__in=forgotten).update(created=long_ago)
    forgotten.update(created=long_ago)


class Chaos:
    """Does one fault after another to a site."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site = site
        self.chance = chance
        self.sender = Celery(broker=site.environment["REDIS_URL"], set_as_current=False)
        self.done: list[str] = []

    def fault(self) -> None:
        fault: Callable[[], None] = self.chance.choice(
            [
                self.kill_worker,
                self.flush,
                self.restart_broker,
                self.double_beat,
                self.repeat,
                self.terminate_backends,
            ]
        )
        self.done.append(fault.__name__)
        fault()

    def kill_worker(self) -> None:
        self.site.kill("worker")
        self.site.start_worker()

    def flush(self) -> None:
        self.site.broker.flushall()

    def restart_broker(self) -> None:
        self.site.kill("broker")
        time.sleep(self.chance.uniform(0, 1))  # how long it is away: no state to wait for
        self.site.start_broker()

    def double_beat(self) -> None:
        self.site.kill("second beat")
        self.site.start_beat("second beat")

    def repeat(self) -> None:
        for run in Run.objects.filter(status__in=ACTIVE):
            for _ in range(2):
                with suppress(OperationalError):
                    self.sender.send_task(ADVANCE, args=[str(run.pk)], queue="maintenance", retry=False)

    def terminate_backends(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@on_postgresql
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_goes_under_faults_is_what_goes_without(
    engine: EngineDatabase, tmp_path: Path, seed: int
) -> None:
    create_demo(tokens=4000)
    make_forgotten_applications(30)
    users = list(get_user_model().objects.order_by("pk").values_list("pk", flat=True)[10:20])
    old = timezone.now() - timedelta(days=400)
    for _ in range(300):
        run = Run.objects.create(operation="clear_expired", trigger=Trigger.CODE, status=RunStatus.SUCCEEDED)
        run.events.create(kind="enqueued")
    Run.objects.update(created=old)
    second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(task="maintenance.tasks.sweep").update(interval=second, expire_seconds=10)
    work = [
        ("revoke_user_tokens", {"user_ids": users}),
        ("migrate_token_scopes", {"old": "write", "new": "write profile", "force": True}),
        ("cleanup_inactive_applications", {}),
        ("clear_expired", {}),
        ("purge_runs", {}),
    ]
    expected, counts = uninterrupted(work)

    site = Site(tmp_path, engine.url, MAINTENANCE=json.dumps(SETTINGS))
    chaos = Chaos(site, random.Random(seed))
    try:
        site.start_broker()
        site.start_worker()
        site.start_beat()
        made = []
        for name, arguments in work:
            # every other round the clean-up is done by two workers side by side
            shards = 2 if name == "clear_expired" and seed % 2 else 1
            made.append(runs.enqueue(name, shards=shards, **arguments))
            deadline = time.monotonic() + 150
            faults = FAULTS if name != "purge_runs" else 2
            while runs_are_active() and time.monotonic() < deadline:
                time.sleep(chaos.chance.uniform(0.1, 1.5))  # when a fault strikes is what the seed decides
                if faults:
                    faults -= 1
                    chaos.fault()
    finally:
        site.stop()
    for run in made:
        run.refresh_from_db()
    assert len(chaos.done) >= len(work), "the runs were over before anything struck"
    assert [run.status for run in made] == [RunStatus.SUCCEEDED] * len(made), chaos.done
    after = state()
    after["Run"] -= {run.pk for run in made} | {shard.pk for run in made for shard in run.shard_runs.all()}
    assert after == expected, chaos.done
    assert [+Counter(run.total_counts) for run in made] == counts, chaos.done


def runs_are_active() -> bool:
    return Run.objects.filter(status__in=ACTIVE).exists()
