"""Maintenance on a site in full traffic: web server, worker and clients are processes and threads of their own.

The clients speak HTTP as fast as they can while a run works; what they notice, and what is left, is what counts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone

from maintenance.models import Run, RunStatus
from oauth2_provider.models import AccessToken, Application, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_servers
from tests.journeys.processes import Site
from tests.oauth2_provider.credentials import make_client, make_user
from tests.oauth2_provider.models.test_expiry_under_traffic import fill
from tests.oauth2_provider.traffic import Session, Traffic
from tests.servers import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.redis]

WINDOWS = '{"WINDOW_INITIAL_ROWS": 100, "WINDOW_MAXIMUM_ROWS": 200}'


class Http:
    """Posts to a site as Django's test client would."""

    def __init__(self, site: Site) -> None:
        self.base = site.base
        self.session = requests.Session()

    def post(self, path: str, data: dict[str, str]) -> requests.Response:
        return self.session.post(f"{self.base}{path}", data, timeout=30)


@pytest.fixture
def site(engine: EngineDatabase, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, engine.url, MAINTENANCE=WINDOWS)
    try:
        site.start_broker()
        site.start_web()
        site.start_worker()
        yield site
    finally:
        site.stop()


def session(site: Site, user: Any, application: Application, name: str) -> Session:
    made = Session(user, application, name)
    made.client = Http(site)
    return made


def enqueue(site: Site, operation: str, **arguments: Any) -> Run:
    """Ask for a run as application code of the site does; returns it."""
    site.shell(f"from maintenance.runs import enqueue; enqueue({operation!r}, **{arguments!r})")
    return Run.objects.get(operation=operation)


def finished(run: Run) -> Run:
    """Return `run` once a worker has ended it."""

    def is_over() -> bool:
        run.refresh_from_db()
        return not run.is_active

    wait_until(is_over, seconds=90, what="the end of the run")
    assert run.status == RunStatus.SUCCEEDED, (run.error_class, run.error_message)
    return run


@on_servers
def test_clear_expired_disturbs_nobody_and_takes_nothing_live(engine: EngineDatabase, site: Site) -> None:
    user, application = make_user("ann"), make_client("client")
    fill(user, application)
    traffic = Traffic()
    lasting = [session(site, user, application, f"lasting {number}").start() for number in range(2)]
    names = iter(range(10_000))
    http = Http(site)

    def come_and_go() -> bool:
        guest = session(site, user, application, f"guest {next(names)}").start_with_code()
        assert guest.step()
        revocation = {"client_id": application.client_id, "token": str(guest.refresh_token)}
        return http.post("/o/revoke_token/", revocation).status_code == 200

    for client in lasting:
        traffic.start(client.step)
    traffic.start(come_and_go)
    traffic.wait_for(10)
    run = finished(enqueue(site, "clear_expired"))
    traffic.wait_for(10)
    traffic.stop()
    assert run.windows > 10
    assert run.counts["oauth2_provider_accesstoken"] >= 3000
    assert not AccessToken.objects.filter(expires__lt=timezone.now() - timedelta(days=1)).exists()
    assert [client.step() for client in lasting] == [True, True]


@on_servers
def test_when_a_revocation_is_done_nothing_from_before_works(engine: EngineDatabase, site: Site) -> None:
    ann, bob, application = make_user("ann"), make_user("bob"), make_client("client")
    refreshing = [session(site, ann, application, f"refresh {number}").start() for number in range(2)]
    exchanging = [session(site, ann, application, f"code {number}").start_with_code() for number in range(40)]
    bystander = session(site, bob, application, "bob").start()
    traffic = Traffic()
    for client in (*refreshing, bystander):
        traffic.start(client.step)
    waiting = iter(exchanging)

    def exchange() -> bool:
        client = next(waiting, None)
        return client is not None and (client.step() or True)

    traffic.start(exchange)
    traffic.wait_for(10)
    run = finished(enqueue(site, "revoke_user_tokens", user_id=ann.pk))
    assert run.cursor["pass"] <= 5, "clients outran the revocation"
    assert not AccessToken.objects.filter(user=ann).exists()
    assert not RefreshToken.objects.filter(user=ann, revoked=None).exists()
    traffic.wait_for(3)  # of the bystander
    traffic.stop()
    assert not AccessToken.objects.filter(user=ann).exists()
    assert all(client.is_refused for client in refreshing)
    assert not any(client.step() for client in exchanging)
    assert bystander.step()


@on_servers
def test_an_application_that_wakes_up_during_the_clean_up_keeps_its_token(
    engine: EngineDatabase, site: Site
) -> None:
    asleep = make_sleepers(60)
    order = random.Random(engine.engine).sample(asleep, len(asleep))
    http = Http(site)
    answers: dict[str, int] = {}

    def wake_one() -> bool:
        client_id, secret = order[len(answers)]
        credentials = {"client_id": client_id, "client_secret": secret}
        request = {"grant_type": "client_credentials", "scope": "read", **credentials}
        answers[client_id] = http.post("/o/token/", request).status_code
        return len(answers) < len(order)

    traffic = Traffic()
    traffic.start(wake_one)
    traffic.wait_for(5)
    finished(enqueue(site, "cleanup_inactive_applications"))
    wait_until(lambda: len(answers) == len(order) or traffic.errors, what="an answer for each")
    traffic.stop()
    awake = {client_id for client_id, status in answers.items() if status == 200}
    assert set(answers.values()) <= {200, 401}
    assert len(awake) >= 5
    assert set(Application.objects.values_list("client_id", flat=True)) == awake
    live = AccessToken.objects.filter(expires__gt=timezone.now())
    assert set(live.values_list("application__client_id", flat=True)) == awake


def make_sleepers(number: int) -> list[tuple[str, str]]:
    """Store confidential clients unused for years, with expired tokens; returns their ids and secrets."""
    long_ago = timezone.now() - timedelta(days=1000)
    sleepers = []
    for index in range(number):
        application = Application(
            client_id=f"sleeper-{index}",
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        )
        sleepers.append((application.client_id, application.client_secret))
        application.save()
        AccessToken.objects.bulk_create(
            AccessToken(token="", token_checksum=f"{index} {n}", expires=long_ago, application=application)
            for n in range(10)
        )
    AccessToken.objects.update(created=long_ago)
    Application.objects.update(created=long_ago, last_used=long_ago)
    return sleepers
