"""Tells a site's people of its runs, by e-mail and by webhook. Off until a setting names somebody.

A message leaves after the commit, from a thread of its own with short time-outs: no run waits for a mail server, none
fails for it. It is the best effort of one process; the record of what happened is the run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import router, transaction
from django.urls import NoReverseMatch, reverse

from .models import Run
from .settings import maintenance_settings
from .signals import run_failed, run_finished, run_started

logger = logging.getLogger(__name__)

EVENTS = {"started": run_started, "finished": run_finished, "failed": run_failed}
ATTEMPTS = 2
PENDING_AT_MOST = 100
SIGNATURE_HEADER = "X-Maintenance-Signature"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One event of a run, ready to be sent: neither arguments nor error messages, which may quote private rows."""

    event: str
    content: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    """The same for each attempt: the other side can tell a second one."""

    @property
    def subject(self) -> str:
        return f"{settings.EMAIL_SUBJECT_PREFIX}{self.content['operation']} {self.event}"

    @property
    def text(self) -> str:
        return "".join(
            f"{name}: {value}\n" for name, value in self.content.items() if value not in ("", None, {})
        )


class _Deliveries:
    """The threads that send, and what they have not sent yet; a forked child begins with its own."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.pending: set[Future[None]] = set()

    def submit(self, deliver: Any) -> None:
        self.pending = {future for future in self.pending if not future.done()}
        if len(self.pending) >= PENDING_AT_MOST:
            logger.warning(
                "too many notifications wait; one is dropped", extra={"action": "notification_dropped"}
            )
            return
        self.pool = self.pool or ThreadPoolExecutor(max_workers=2, thread_name_prefix="maintenance-notifier")
        self.pending.add(self.pool.submit(deliver))


_deliveries = _Deliveries()


def connect_notifier() -> None:
    """Listen to the runs."""
    for event, signal in EVENTS.items():
        signal.connect(partial(_notify, event), weak=False, dispatch_uid=f"maintenance.notifier.{event}")


def wait_for_deliveries(seconds: float) -> bool:
    """Wait for what is on its way; returns whether all of it is out."""
    return not wait(_deliveries.pending, timeout=seconds).not_done


def signature(secret: str, body: bytes, *, moment: int) -> str:
    """Return the signature header of `body`: "t=<moment>,sha256=<HMAC of "<moment>.<body>" in hex>"."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},sha256={digest}"


def _notify(event: str, run: Run, **kwargs: Any) -> None:
    emails, url = maintenance_settings.NOTIFY_EMAILS, maintenance_settings.NOTIFY_WEBHOOK_URL
    if event not in maintenance_settings.NOTIFY_ON or not (emails or url):
        return
    message = Message(event=event, content=_content(event, run))
    ways = [_send_mail] * bool(emails) + [_post] * bool(url)
    for way in ways:
        deliver = partial(_deliver, way, message)
        transaction.on_commit(
            partial(_deliveries.submit, deliver), using=router.db_for_write(Run), robust=True
        )


def _content(event: str, run: Run) -> dict[str, Any]:
    moments = {name: getattr(run, name) for name in ("created", "started", "finished")}
    return {
        "event": event,
        "run": str(run.pk),
        "operation": run.operation,
        "status": str(run.status),
        "trigger": str(run.trigger),
        "counts": run.total_counts,
        "error": run.error_class,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "link": _link(run),
    }


def _link(run: Run) -> str | None:
    try:
        path = reverse("admin:maintenance_run_change", args=[run.pk])
    except NoReverseMatch:
        return None
    return f"{(maintenance_settings.NOTIFY_SITE_URL or '').rstrip('/')}{path}"


def _deliver(way: Any, message: Message) -> None:
    """Send, and once more after a failure; what fails then is a line in the log, without addresses."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            way(message)
        except Exception as error:
            # whatever a mail server or a hook does, the run has ended as it has
            extra = {
                "action": "notification_failed",
                "run": message.content["run"],
                "error": type(error).__name__,
            }
            if attempt == ATTEMPTS:
                logger.warning("a notification could not be sent", extra=extra)
        else:
            return


def _send_mail(message: Message) -> None:
    seconds = maintenance_settings.NOTIFY_TIMEOUT_SECONDS
    EmailMessage(
        subject=message.subject,
        body=message.text,
        to=list(maintenance_settings.NOTIFY_EMAILS),
        connection=get_connection(timeout=seconds),
    ).send()


def _post(message: Message) -> None:
    """POST the event as JSON. Any answer but 2xx is a failure; redirects are not followed."""
    moment = int(time.time())
    body = json.dumps({**message.content, "sent": moment}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Maintenance-Event": message.event,
        "X-Maintenance-Delivery": message.key,
    }
    secret = maintenance_settings.NOTIFY_WEBHOOK_SECRET
    if secret:
        headers[SIGNATURE_HEADER] = signature(str(secret), body, moment=moment)
    with requests.post(
        maintenance_settings.NOTIFY_WEBHOOK_URL,
        data=body,
        headers=headers,
        timeout=maintenance_settings.NOTIFY_TIMEOUT_SECONDS,
        allow_redirects=False,
        stream=True,
    ) as response:
        if not 200 <= response.status_code < 300:
            raise requests.HTTPError(str(response.status_code))
