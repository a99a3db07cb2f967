"""A run's page in a real browser, under a strict Content-Security-Policy: watched while a real runner is at work."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from maintenance import runs
from maintenance.models import Run, RunEvent, RunStatus, Trigger
from maintenance.runner import Runner
from tests.browser import OpenPage, axe, fits, log_in, screenshot

from .stepping import Worker

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "narrow": {"narrow": True}}
every_look = pytest.mark.parametrize("look", LOOKS)


@pytest.fixture(autouse=True)
def strict_site(settings: Any) -> None:
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return get_user_model().objects.create_superuser("operator", password="a password")


@pytest.fixture
def clearing(operator: Any, make_tokens: Callable[..., Any]) -> Run:
    """A run that has 1,000 rows to clear, asked for by the operator."""
    make_tokens(expired=1000, live=5)
    return runs.request_run(
        "clear_expired", {}, trigger=Trigger.ADMIN, requested_by=operator, reason="The disk is filling up."
    )


def open_run(page: Page, user: Any, run: Run) -> None:
    log_in(page, user)
    page.goto(reverse("admin:maintenance_run_change", args=[run.pk]))


def test_an_operator_watches_a_run_move_and_pauses_resumes_and_cancels_it(
    page: Page, operator: Any, clearing: Run, start_worker: Callable[..., Worker]
) -> None:
    open_run(page, operator, clearing)
    badge = page.locator(".m-standing .m-badge")
    expect(badge).to_have_text("Enqueued")
    worker = start_worker(clearing)
    expect(badge).to_have_text("Running")
    worker.windows(5)
    rows = page.locator(".m-counts dd")
    expect(rows).to_have_text("600")
    expect(page.get_by_role("status")).to_contain_text("Running")

    page.get_by_role("button", name="Pause").click()
    expect(badge).to_have_text("Pausing")
    worker.finish()
    expect(badge).to_have_text("Paused")  # without a reload
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    paused = rows.inner_text()

    page.get_by_role("button", name="Resume").click()
    expect(badge).to_have_text("Enqueued")
    second = start_worker(clearing)
    expect(badge).to_have_text("Running")

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel this run?")
    clearing.refresh_from_db()
    assert clearing.status == RunStatus.RUNNING  # nothing has happened yet
    page.get_by_role("button", name="Cancel the run").click()
    second.finish()
    expect(badge).to_have_text("Cancelled")
    assert int(rows.inner_text().replace(",", "")) >= int(paused.replace(",", ""))
    assert [*RunEvent.objects.filter(run=clearing.pk, actor="operator").values_list("kind", flat=True)] == [
        "enqueued",
        "pause_requested",
        "resumed",
        "cancel_requested",
    ]


def test_a_live_page_keeps_the_focus_and_opened_figures(
    page: Page, operator: Any, clearing: Run, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker(clearing)
    worker.windows(3)
    open_run(page, operator, clearing)
    expect(page.locator(".m-counts dd")).to_have_text("400")
    summary = page.locator("summary", has_text="The figures as a table")
    summary.focus()
    page.keyboard.press("Enter")
    worker.windows(2)
    expect(page.locator(".m-counts dd")).to_have_text("600")
    expect(page.locator("details[data-keep=sizes-figures] tbody tr")).to_have_count(6)
    assert page.evaluate("document.activeElement.matches('details[open] > summary')")
    page.get_by_role("button", name="Pause").focus()
    worker.windows(1)
    expect(page.locator(".m-counts dd")).to_have_text("700")
    assert page.evaluate("document.activeElement.dataset.focus") == "pause"


def test_a_hidden_page_asks_nothing(page: Page, operator: Any, clearing: Run) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    open_run(page, operator, clearing)
    with page.expect_response("**/live/"):
        pass
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    before = len(asked)
    page.wait_for_timeout(3500)  # longer than it would have taken to ask again
    assert len(asked) == before
    with page.expect_response("**/live/"):
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {value: false, configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )


def test_without_javascript_the_page_is_right_and_reloads_for_who_asks(
    open_page: OpenPage, operator: Any, clearing: Run, start_worker: Callable[..., Worker]
) -> None:
    page = open_page(javascript=False)
    worker = start_worker(clearing)
    worker.windows(3)
    open_run(page, operator, clearing)
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    page.get_by_role("link", name="Reload every 10 seconds").click()
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the run").click()
    worker.finish()
    page.goto(reverse("admin:maintenance_run_change", args=[clearing.pk]))
    expect(page.locator(".m-standing .m-badge")).to_have_text("Cancelled")
    assert page.get_by_role("link", name="Reload").count() == 0


@every_look
def test_a_running_run(
    look: str, open_page: OpenPage, operator: Any, clearing: Run, start_worker: Callable[..., Worker]
) -> None:
    page = open_page(**LOOKS[look])
    worker = start_worker(clearing)
    worker.windows(6)
    open_run(page, operator, clearing)
    expect(page.locator(".m-counts dd")).to_have_text("700")
    expect(page.locator(".m-facts")).to_contain_text("To go")
    axe(page)
    fits(page)
    screenshot(page, f"run-running-{look}")


@every_look
def test_a_failed_run(look: str, open_page: OpenPage, operator: Any, clearing: Run) -> None:
    seen: list[Run] = []
    Runner(clearing.pk, window_rows=100, on_window=seen.append, must_stop=lambda: len(seen) == 4).advance()
    now = timezone.now()
    Run.objects.filter(pk=clearing.pk).update(
        status=RunStatus.FAILED,
        active_key=None,
        started=now - timedelta(minutes=4),
        finished=now,
        error_class="OperationalError",
        error_message="canceling statement due to lock timeout",
        traceback='  File "maintenance/runner.py", line 180, in _window\n    result = stage.work(position, size)\n',
    )
    runs.note(clearing, RunEvent.Kind.FAILED, text="OperationalError")
    page = open_page(**LOOKS[look])
    open_run(page, operator, clearing)
    page.get_by_text("Where in the code").click()
    expect(page.locator(".m-traceback")).to_contain_text("in _window")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    axe(page)
    fits(page)
    screenshot(page, f"run-failed-{look}")


@every_look
def test_the_list_of_runs(look: str, open_page: OpenPage, operator: Any, clearing: Run) -> None:
    purge = runs.request_run("purge_runs", {"days": 30}, trigger=Trigger.SCHEDULE)
    runs.pause(purge)
    page = open_page(**LOOKS[look])
    log_in(page, operator)
    page.goto(reverse("admin:maintenance_run_changelist"))
    expect(page.locator(".m-badge")).to_have_text(["Paused", "Enqueued"])
    expect(page.locator("#result_list")).to_contain_text("operator (Admin)")
    axe(page)
    screenshot(page, f"runs-{look}")
    page.locator("#searchbar").fill("no such run")
    page.locator("#changelist-search input[type=submit]").click()
    expect(page.locator(".m-badge")).to_have_count(0)


@every_look
def test_a_run_that_a_throttle_holds(look: str, open_page: OpenPage, operator: Any, clearing: Run) -> None:
    seen: list[Run] = []
    throttle = lambda run: (25.0, "replication lag 3.2 s > 2.0 s") if seen else None  # noqa: E731
    with override_settings(MAINTENANCE={"THROTTLE": throttle}):
        Runner(clearing.pk, window_rows=100, budget_seconds=60, on_window=seen.append).advance()
    page = open_page(**LOOKS[look])
    open_run(page, operator, clearing)
    expect(page.locator(".m-standing .m-badge")).to_have_text("Held")
    expect(page.locator(".m-standing .m-sentence")).to_contain_text(
        re.compile(r"Replication lag 3\.2 s > 2\.0 s; looks again in \d+ s, at ")
    )
    expect(page.locator(".m-timeline")).to_contain_text("Held replication lag 3.2 s > 2.0 s")
    axe(page)
    fits(page)
    screenshot(page, f"run-held-{look}")


@every_look
def test_a_sharded_run(
    look: str, open_page: OpenPage, operator: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=1000)
    run = runs.request_run(
        "clear_expired",
        {},
        trigger=Trigger.ADMIN,
        requested_by=operator,
        shards=3,
        reason="After the incident.",
    )
    while not Run.objects.filter(parent=run.pk).exists():
        Runner(run.pk, budget_seconds=60).advance()
    first, second, _third = Run.objects.filter(parent=run.pk).order_by("shard_key")
    Runner(first.pk, window_rows=100).advance()
    windows: list[Run] = []
    Runner(
        second.pk, window_rows=100, on_window=windows.append, must_stop=lambda: len(windows) == 2
    ).advance()
    page = open_page(**LOOKS[look])
    open_run(page, operator, run)
    expect(page.locator(".m-standing .m-badge")).to_have_text("Running")
    expect(page.locator(".m-standing .m-sentence")).to_have_text("Its shards are at work.")
    expect(page.locator("[data-part=shards] tbody tr")).to_have_count(3)
    expect(page.locator("[data-part=shards] .m-badge")).to_have_text(["Succeeded", "Interrupted", "Enqueued"])
    axe(page)
    fits(page)
    screenshot(page, f"run-sharded-{look}")
    page.locator("[data-part=shards] a").first.click()
    expect(page.locator(".breadcrumbs")).to_contain_text("Sharded run")


@every_look
def test_the_question_before_a_run_is_cancelled(
    look: str, open_page: OpenPage, operator: Any, clearing: Run
) -> None:
    page = open_page(**LOOKS[look])
    open_run(page, operator, clearing)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel this run?")
    axe(page)
    fits(page)
    screenshot(page, f"run-cancel-{look}")
    page.get_by_role("link", name="Leave it as it is").click()
    expect(page.locator(".m-standing .m-badge")).to_have_text("Enqueued")
