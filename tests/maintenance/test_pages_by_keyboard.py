"""The operators' pages by keyboard alone: every control is reached with Tab, shows its focus, and works with Enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from playwright.sync_api import Page, expect

from maintenance import runs
from maintenance.models import Run, RunStatus
from tests.browser import log_in

pytestmark = pytest.mark.browser
CONTROLS = "#content-main :is(a[href], button, summary, textarea, [tabindex='0'])"
MOST_TABS = 120


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return get_user_model().objects.create_superuser("operator")


def tab_through(page: Page) -> list[str]:
    """Press Tab from the top to the end; return the controls of the page that were never in focus, or showed it not."""
    page.evaluate("document.body.focus()")
    page.evaluate(
        "selector => [...document.querySelectorAll(selector)]"
        ".filter(item => item.checkVisibility()).forEach((item, at) => item.dataset.at = at)",
        CONTROLS,
    )
    missing = set(page.evaluate("[...document.querySelectorAll('[data-at]')].map(item => item.dataset.at)"))
    assert missing
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(() => { const item = document.activeElement, style = getComputedStyle(item);"
            "return [item.dataset.at, style.outlineStyle !== 'none' || item.matches('textarea')] })()"
        )
        if found[1]:
            missing.discard(found[0])
        if not missing:
            break
    return [
        page.locator(f"[data-at='{at}']").evaluate("item => item.outerHTML.slice(0, 200)") for at in missing
    ]


def enter(page: Page, role: Any, name: str) -> None:
    """Tab to a control and press Enter."""
    wanted = page.get_by_role(role, name=name, exact=True)
    expect(wanted).to_have_count(1)
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("item => item === document.activeElement"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} is never in focus")


def test_the_dashboard(page: Page, operator: Any) -> None:
    log_in(page, operator)
    page.goto(reverse("admin:maintenance_dashboard_changelist"))
    assert tab_through(page) == []
    page.reload()
    enter(page, "link", "Preview Clear expired")
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview: Clear expired")


def test_a_run_is_cancelled(page: Page, operator: Any) -> None:
    run = runs.enqueue("clear_expired")
    log_in(page, operator)
    page.goto(reverse("admin:maintenance_run_change", args=[run.pk]))
    assert tab_through(page) == []
    page.reload()
    enter(page, "button", "Cancel")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel this run?")
    assert tab_through(page) == []
    page.reload()
    enter(page, "button", "Cancel the run")
    expect(page.locator(".m-standing .m-badge")).to_have_text("Cancelled")
    assert Run.objects.get().status == RunStatus.CANCELLED


def test_a_preview_is_confirmed(page: Page, operator: Any, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=3)
    log_in(page, operator)
    page.goto(f"{reverse('admin:maintenance_run_now', args=['clear_expired'])}?preview")
    assert tab_through(page) == []
    page.reload()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.type("The disk is filling up.")
    enter(page, "button", "Confirm and run")
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()
    assert Run.objects.get().reason == "The disk is filling up."
