"""An operation of a site's own gets all that ours have: the example of docs/maintenance.md, run as it stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance import runs, tasks
from maintenance.exceptions import InvalidArguments
from maintenance.models import Run, RunStatus
from maintenance.operations import unregister
from maintenance.runner import run_here

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "maintenance.md"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clear_sessions() -> Iterator[None]:
    """Register the example."""
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    exec(compile(example, str(DOCUMENT), "exec"), {"__name__": "example"})
    now = timezone.now()
    for number in range(10):
        Session.objects.create(session_key=f"over {number}", expire_date=now - timedelta(days=number + 0.5))
    Session.objects.create(session_key="live", expire_date=now + timedelta(days=1))
    yield
    unregister("clear_sessions")


def test_it_runs_in_windows_with_its_arguments() -> None:
    run = run_here(runs.enqueue("clear_sessions", days=7), window_rows=2)
    assert (run.status, run.counts, run.windows) == (RunStatus.SUCCEEDED, {"django_session": 3}, 2)
    assert Session.objects.count() == 8


def test_its_arguments_are_validated() -> None:
    with pytest.raises(InvalidArguments, match="days"):
        runs.enqueue("clear_sessions", days=-1)


def test_it_has_a_command() -> None:
    output = StringIO()
    call_command("maintenance_run", "clear_sessions", "--days", "7", "--dry-run", "--json", stdout=output)
    assert json.loads(output.getvalue())["counts"] == {"django_session": 3}
    call_command("maintenance_run", "clear_sessions", stdout=output)
    assert list(Session.objects.values_list("session_key", flat=True)) == ["live"]


def test_it_has_a_task_for_schedules() -> None:
    tasks.run_operation("clear_sessions", days=3)
    assert Run.objects.get().arguments == {"days": 3}


def test_it_has_a_page_in_the_admin(admin_client: Client) -> None:
    page = reverse("admin:maintenance_run_now", args=["clear_sessions"])
    assert b"Over for so many days." in admin_client.get(page).content
    preview = admin_client.post(page, {"days": "3"}).context["signed"]
    admin_client.post(page, {"confirm": "yes", "preview": preview, "reason": "a test"})
    assert Run.objects.get().arguments == {"days": 3}
