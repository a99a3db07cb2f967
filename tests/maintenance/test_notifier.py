"""A site is told of its runs by e-mail and webhook: after the commit, signed, and no run waits or fails for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import override_settings

from maintenance import runs
from maintenance.models import RunStatus
from maintenance.notifier import wait_for_deliveries
from maintenance.runner import Runner, run_here

pytestmark = pytest.mark.django_db(transaction=True)


class Hook(HTTPServer):
    """The other side: keeps what it is sent, and answers as told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers = [204]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.serve_forever, daemon=True)
    thread.start()
    yield hook
    hook.shutdown()
    thread.join()
    hook.server_close()


def break_down() -> bool:
    raise RuntimeError("Key (token)=(secret)")


def a_failing_run(**arguments: Any) -> Any:
    run = runs.enqueue("clear_expired", **arguments)
    Runner(run.pk, must_stop=break_down).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert wait_for_deliveries(20)
    return run


def test_nobody_is_told_until_a_setting_says_so(hook: Hook) -> None:
    a_failing_run()
    assert (mail.outbox, hook.received) == ([], [])


@override_settings(
    MAINTENANCE={"NOTIFY_EMAILS": ["ops@example.org"], "NOTIFY_SITE_URL": "https://site.example/"}
)
def test_a_failure_is_mailed_with_its_run_and_without_its_message() -> None:
    run = a_failing_run()
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ops@example.org"], "[Django] clear_expired failed")
    assert f"link: https://site.example/admin/maintenance/run/{run.pk}/change/" in message.body
    assert "error: RuntimeError" in message.body
    assert "secret" not in message.body


@override_settings(MAINTENANCE={"NOTIFY_EMAILS": ["ops@example.org"]})
def test_what_went_well_is_not_told_by_default() -> None:
    run_here(runs.enqueue("clear_expired"))
    assert wait_for_deliveries(20)
    assert mail.outbox == []


def test_the_webhook_is_told_what_was_asked_for_and_can_check_it(hook: Hook) -> None:
    settings = {
        "NOTIFY_WEBHOOK_URL": hook.url,
        "NOTIFY_WEBHOOK_SECRET": "shared",
        "NOTIFY_ON": ["started", "finished"],
    }
    with override_settings(MAINTENANCE=settings):
        run = run_here(runs.enqueue("clear_expired"))
        assert wait_for_deliveries(20)
    contents = {json.loads(body)["event"]: (headers, body) for headers, body in hook.received}
    assert set(contents) == {"started", "finished"}
    headers, body = contents["finished"]
    content = json.loads(body)
    assert (content["run"], content["operation"], content["status"]) == (
        str(run.pk),
        "clear_expired",
        "succeeded",
    )
    moment, given = headers["X-Maintenance-Signature"].split(",")
    expected = hmac.new(b"shared", f"{moment[2:]}.".encode() + body, hashlib.sha256).hexdigest()
    assert given == f"sha256={expected}"
    assert abs(int(moment[2:]) - time.time()) < 60
    assert headers["X-Maintenance-Event"] == "finished"


@pytest.mark.parametrize(("answers", "calls"), [([503, 204], 2), ([500], 2), ([302], 2), ([200], 1)])
def test_a_webhook_that_refuses_is_tried_once_more_and_the_log_keeps_its_address(
    hook: Hook, caplog: pytest.LogCaptureFixture, answers: list[int], calls: int
) -> None:
    hook.answers = answers
    with override_settings(MAINTENANCE={"NOTIFY_WEBHOOK_URL": f"{hook.url}?key=private"}):
        a_failing_run()
    assert len(hook.received) == calls
    assert len({headers["X-Maintenance-Delivery"] for headers, _ in hook.received}) == 1
    lines = [record for record in caplog.records if getattr(record, "action", "") == "notification_failed"]
    assert len(lines) == (0 if answers[-1] < 300 else 1)
    assert "private" not in caplog.text


def test_a_mute_webhook_neither_blocks_nor_fails_a_run() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        settings = {"NOTIFY_WEBHOOK_URL": url, "NOTIFY_ON": ["started"], "NOTIFY_TIMEOUT_SECONDS": 3}
        with override_settings(MAINTENANCE=settings):
            run = run_here(runs.enqueue("clear_expired"))
            assert run.status == RunStatus.SUCCEEDED
            assert not wait_for_deliveries(0)  # it is over, and the hook has not answered yet
            assert wait_for_deliveries(30)


@override_settings(MAINTENANCE={"NOTIFY_EMAILS": ["ops@example.org"], "NOTIFY_ON": ["finished"]})
def test_nothing_is_told_of_what_is_rolled_back() -> None:
    run = runs.enqueue("clear_expired")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        runs.cancel(run)
        raise ZeroDivisionError
    assert wait_for_deliveries(20)
    assert mail.outbox == []
    runs.cancel(run)
    assert wait_for_deliveries(20)
    assert [message.subject for message in mail.outbox] == ["[Django] clear_expired finished"]
