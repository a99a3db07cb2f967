"""Tokens are issued over HTTP, expire, and a worker started by a schedule in the database clears them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from maintenance import runs
from maintenance.models import Run, RunEvent, RunStatus, Trigger
from oauth2_provider.models import AccessToken, Application, RefreshToken, token_checksum
from tests.databases import EngineDatabase
from tests.journeys.processes import Site, running_site
from tests.plans import multiply
from tests.servers import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.redis]

CALLBACK = "https://client.example/callback"
VERIFIER = "a-code-verifier-of-more-than-forty-three-characters"
TABLE = "oauth2_provider_accesstoken"
ROWS = 100_000
SOON_MISSED = {"LEASE_SECONDS": 6.0, "STATEMENT_TIMEOUT_SECONDS": 5.0}
SLOW = {"NICE_RATIO": 1.0}
each_engine = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)


def register(grant_type: str, **fields: Any) -> tuple[str, str]:
    application = Application(
        name=grant_type,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=grant_type,
        **fields,
    )
    secret = application.client_secret
    application.save()
    return application.client_id, secret


def token_by_client_credentials(site: Site, client: tuple[str, str], scope: str) -> str:
    answer = requests.post(
        f"{site.base}/o/token/", {"grant_type": "client_credentials", "scope": scope}, auth=client, timeout=10
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def token_by_code(site: Site, client: tuple[str, str], scope: str) -> dict[str, str]:
    """Log in, consent and exchange the code, as a browser and a client would."""
    browser = requests.Session()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": client[0],
        "scope": scope,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    login = browser.get(f"{site.base}/o/authorize/", params=query, timeout=10)
    credentials = {"username": "someone", "password": "a password", **_hidden(login.text)}
    consent = browser.post(login.url, credentials, headers={"Referer": login.url}, timeout=10)
    assert "Authorize" in consent.text, consent.text
    answer = browser.post(
        f"{site.base}/o/authorize/",
        {**_hidden(consent.text), "allow": "1"},
        headers={"Referer": consent.url},
        allow_redirects=False,
        timeout=10,
    )
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    exchanged = requests.post(
        f"{site.base}/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        },
        auth=client,
        timeout=10,
    )
    assert exchanged.status_code == 200, exchanged.text
    return dict(exchanged.json())


def _hidden(page: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: value.replace("&quot;", '"').replace("&amp;", "&") for name, value in fields}


def works(site: Site, token: str) -> bool:
    answer = requests.get(f"{site.base}/api/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    return answer.status_code == 200


def is_stored(token: str) -> bool:
    return AccessToken.objects.filter(token_checksum=token_checksum(token)).exists()


@each_engine
def test_a_scheduled_run_clears_what_expired_and_nothing_else(engine: EngineDatabase, tmp_path: Path) -> None:
    user = get_user_model().objects.create_user("someone", password="a password")
    web = register(Application.GRANT_AUTHORIZATION_CODE, redirect_uris=CALLBACK)
    service = register(Application.GRANT_CLIENT_CREDENTIALS)
    with running_site(tmp_path, engine.url) as site:
        live = [
            token_by_code(site, web, "read")["access_token"],
            token_by_client_credentials(site, service, "read"),
        ]
        held = token_by_code(site, web, "read write")
        gone = token_by_client_credentials(site, service, "read write")
        assert all(works(site, token) for token in live)
        wait_until(
            lambda: AccessToken.objects.filter(expires__lt=timezone.now()).count() == 2, what="two expire"
        )
        interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(
            name="clear expired soon", task="maintenance.tasks.clear_expired", interval=interval, one_off=True
        )
        run = wait_until(
            lambda: Run.objects.filter(status=RunStatus.SUCCEEDED).first(), what="the scheduled run"
        )
        assert (run.operation, run.trigger) == ("clear_expired", Trigger.SCHEDULE)
        # the code grant's token is over too, but its refresh token holds it and can still be used
        assert {table: count for table, count in run.counts.items() if count} == {TABLE: 1}
        assert not is_stored(gone)
        assert is_stored(held["access_token"])
        assert all(works(site, token) for token in live)
        refreshed = requests.post(
            f"{site.base}/o/token/",
            {"grant_type": "refresh_token", "refresh_token": held["refresh_token"], "scope": "read"},
            auth=web,
            timeout=10,
        )
        assert works(site, refreshed.json()["access_token"])
        site.shell(
            "from django.db import transaction; from maintenance.tasks import revoke_user_tokens\n"
            f"with transaction.atomic(): revoke_user_tokens.delay_on_commit({user.pk})"
        )
        revocation = wait_until(
            lambda: Run.objects.filter(operation="revoke_user_tokens", status=RunStatus.SUCCEEDED).first(),
            what="the revocation",
        )
        assert (revocation.arguments, revocation.trigger) == ({"user_id": user.pk}, Trigger.CODE)
        assert not works(site, refreshed.json()["access_token"])
        assert [works(site, token) for token in live] == [False, True]


@each_engine
def test_a_run_survives_kill_9_and_an_empty_redis_and_counts_exactly(
    engine: EngineDatabase, tmp_path: Path
) -> None:
    service = register(Application.GRANT_CLIENT_CREDENTIALS)
    owner = Application.objects.get(client_id=service[0])
    expired = AccessToken.objects.create(
        token="token-0", application=owner, scope="read", expires=timezone.now() - timedelta(days=1)
    )
    multiply(expired, ROWS - 1, token="'token-' || n", token_checksum="'token-' || n")
    # the schedule's minute is too long for a test: the same entry, each second
    second = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(task="maintenance.tasks.sweep").update(interval=second, expire_seconds=10)
    with running_site(tmp_path, engine.url, MAINTENANCE=json.dumps(SOON_MISSED | SLOW)) as site:
        live = token_by_client_credentials(site, service, "read")
        run = runs.enqueue("clear_expired")

        def is_in_the_middle() -> bool:
            run.refresh_from_db()
            return run.status == RunStatus.RUNNING and run.rows > 0

        wait_until(is_in_the_middle, what="a run in the middle")
        site.kill("worker")
        site.broker.flushall()
        run.refresh_from_db()
        assert 0 < run.rows < ROWS
        site.environment["MAINTENANCE"] = json.dumps(SOON_MISSED)
        site.start_worker()
        wait_until(
            lambda: Run.objects.filter(pk=run.pk, status=RunStatus.SUCCEEDED).exists(),
            seconds=90,
            what="the end of the run",
        )
        run.refresh_from_db()
        assert run.counts == {TABLE: ROWS}
        assert run.events.filter(kind=RunEvent.Kind.LOST).exists()
        assert works(site, live)
    assert AccessToken.objects.count() == 1
    assert not RefreshToken.objects.exists()


@each_engine
def test_the_site_shows_that_its_worker_and_beat_live(engine: EngineDatabase, tmp_path: Path) -> None:
    token = "a monitoring token"
    with running_site(tmp_path, engine.url, MAINTENANCE=json.dumps({"MONITORING_TOKEN": token})) as site:
        assert requests.get(f"{site.base}/health/live", timeout=60).json() == {"status": "live"}
        assert requests.get(f"{site.base}/health/ready", timeout=60).json() == {"status": "ready"}
        interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(
            name="sweep soon", task="maintenance.tasks.sweep", interval=interval, one_off=True
        )
        bearer = {"Authorization": f"Bearer {token}"}

        def health() -> dict[str, Any]:
            answer: dict[str, Any] = requests.get(f"{site.base}/health/", headers=bearer, timeout=60).json()
            return answer

        alive = wait_until(
            lambda: (
                (found := health())["checks"]["beat"]["seen"] and found["checks"]["worker"]["seen"] and found
            ),
            what="signs of life",
        )
        assert (alive["status"], alive["findings"]) == ("healthy", [])
        assert alive["checks"]["broker"] == {"reachable": True}
        metrics = requests.get(f"{site.base}/metrics", headers=bearer, timeout=60).text
        assert 'maintenance_last_seen_timestamp_seconds{name="beat",queue="",role="beat"}' in metrics
        assert 'maintenance_health_status{status="healthy"} 1.0' in metrics
