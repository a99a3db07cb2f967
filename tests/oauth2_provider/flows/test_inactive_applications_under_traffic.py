"""Removing inactive applications while one of them gets a token."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows.inactive_applications import (
    DeadRows,
    InactivityRule,
    candidates,
    remove_applications,
)
from oauth2_provider.models import AccessToken, Application, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_servers
from tests.oauth2_provider.credentials import make_client, make_user
from tests.servers import wait_until

SECRET = "a secret"


def make_dormant(client_id: str) -> Application:
    application = make_client(
        client_id,
        client_secret=SECRET,
        hash_client_secret=False,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    Application.objects.filter(pk=application.pk).update(
        created="2020-01-01T00:00Z", last_used="2020-01-01T00:00Z"
    )
    return application


def ask_for_token(application: Application) -> Any:
    return Client(raise_request_exception=False).post(
        "/o/token/",
        {
            "grant_type": "client_credentials",
            "client_id": application.client_id,
            "client_secret": SECRET,
        },
    )


def rule_of_today() -> InactivityRule:
    return InactivityRule(now=timezone.now(), days=90, never_authorized_days=30)


def clean_up() -> int:
    rule = rule_of_today()
    keys = list(candidates(rule).values_list("pk", flat=True))
    with transaction.atomic():
        _, counts = remove_applications(rule, keys, archive=lambda applications: None)
    return counts["oauth2_provider_application"]


def delete_windows(application: Application, *, size: int) -> list[int]:
    """Delete the dead rows of `application`; returns how many went in each window."""
    windows, kind, dead = [], 0, DeadRows(rule_of_today(), [application.pk])
    while kind is not None:
        with transaction.atomic():
            counts, kind = dead.delete(size=size, kind=kind)
        windows.append(counts.total())
    return windows


class InThread:
    """`work` in a thread with a connection of its own."""

    def __init__(self, work: Any) -> None:
        self.result: Any = None
        self.thread = threading.Thread(target=self._run, args=[work])
        self.thread.start()

    def _run(self, work: Any) -> None:
        try:
            self.result = work()
        finally:
            connections.close_all()

    def get(self) -> Any:
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()
        return self.result


def wait_for_a_waiting_connection() -> None:
    """Return once another connection waits for a lock."""

    def is_waiting() -> bool:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return bool(cursor.fetchone()[0])
            cursor.execute("SHOW ENGINE INNODB STATUS")
            return "LOCK WAIT" in cursor.fetchone()[2]

    wait_until(is_waiting, seconds=20, what="a connection that waits for a lock")


@on_servers
def test_an_application_that_is_getting_a_token_survives_with_it(engine: EngineDatabase) -> None:
    application = make_dormant("waking up")
    with transaction.atomic():
        answer = ask_for_token(application)  # in our transaction: not committed yet
        assert answer.status_code == 200, answer.content
        cleaning = InThread(clean_up)
        wait_for_a_waiting_connection()
    assert cleaning.get() == 0
    assert answer.status_code == 200
    assert AccessToken.objects.get().application_id == application.pk


@on_servers
def test_a_client_that_comes_while_its_application_goes_is_told_it_is_invalid(engine: EngineDatabase) -> None:
    application = make_dormant("too late")
    with transaction.atomic():
        assert clean_up() == 1
        asking = InThread(lambda: ask_for_token(application))
        wait_for_a_waiting_connection()
    answer = asking.get()
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert not AccessToken.objects.exists()


@on_servers
def test_clients_that_wake_up_in_any_order_keep_what_they_got(engine: EngineDatabase) -> None:
    applications = [make_dormant(f"client {number}") for number in range(30)]
    answers: dict[Any, int] = {}

    def ask() -> None:
        for application in applications:
            answers[application.pk] = ask_for_token(application).status_code

    asking = InThread(ask)
    wait_until(lambda: len(answers) >= 5)
    clean_up()
    asking.get()
    issued = {key for key, status in answers.items() if status == 200}
    assert set(answers.values()) == {200, 401}
    assert set(Application.objects.values_list("pk", flat=True)) == issued
    assert set(AccessToken.objects.values_list("application", flat=True)) == issued


@on_servers
def test_where_another_clean_up_takes_rows_of_a_window_the_rest_still_goes_in_windows(
    engine: EngineDatabase,
) -> None:
    """A window that got fewer rows than it asked for need not have been the last."""
    application, user = make_dormant("dormant"), make_user("ann")
    RefreshToken.objects.bulk_create(
        RefreshToken(token=f"{number}", application=application, user=user, revoked="2020-01-01T00:00Z")
        for number in range(30)
    )
    RefreshToken.objects.update(created="2020-01-01T00:00Z")
    keys = list(RefreshToken.objects.order_by("pk").values_list("pk", flat=True))
    with transaction.atomic():
        RefreshToken.objects.filter(pk__in=keys[5:15])._raw_delete("default")  # not committed yet
        cleaning = InThread(lambda: delete_windows(application, size=12))
        wait_for_a_waiting_connection()
    windows = cleaning.get()
    assert (sum(windows), max(windows) <= 12) == (20, True), windows
    assert not RefreshToken.objects.exists()


@on_servers
def test_a_token_that_comes_alive_while_its_window_waits_for_it_stays(engine: EngineDatabase) -> None:
    application = make_dormant("renewed")
    for name in ("one", "two"):
        AccessToken.objects.create(token=name, application=application, expires="2020-01-01T00:00Z")
    with transaction.atomic():
        AccessToken.objects.filter(token="one").update(expires="2100-01-01T00:00Z")  # not committed yet
        cleaning = InThread(lambda: delete_windows(application, size=12))
        wait_for_a_waiting_connection()
    assert sum(cleaning.get()) == 1
    assert AccessToken.objects.get().token == "one"
