"""A real browser for tests: headless Chromium on a live server.

    pytestmark = pytest.mark.browser

    def test_something(page):  # light, as wide as a desk's screen
        page.goto("/o/applications/")
        axe(page)
        screenshot(page, "applications")

    def test_something_else(open_page):
        page = open_page(dark=True, narrow=True, javascript=False)

Paths are relative to the live server. A request that leaves it fails the test, and so does what breaks the page's
Content-Security-Policy or throws in a script. Rows are real ones: the tests commit. SCREENSHOTS=1 writes the pictures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = ROOT / "docs" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
WIDE = {"width": 1120, "height": 760}
NARROW = {"width": 360, "height": 720}
TIMEOUT_MILLISECONDS = 15_000
AXE_SCRIPT = Axe().axe_script
VIOLATIONS = "axe.run({resultTypes: ['violations']}).then(results => results.violations)"

expect.set_options(timeout=TIMEOUT_MILLISECONDS)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module.

    Its loop counts as running in this thread for as long as it lives, which Django's ORM refuses unless told not to.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"no Chromium on PATH ({', '.join(NAMES)})")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What went wrong in the browser unasked. A test that means it to takes it out."""
    return []


@pytest.fixture
def open_page(live_server: LiveServer, chromium: Browser, faults: list[str]) -> Iterator[OpenPage]:
    """Return a function that opens a page; each has cookies of its own."""
    contexts: list[BrowserContext] = []

    def note_request(url: str) -> None:
        if url.startswith("http") and not url.startswith(f"{live_server.url}/"):
            faults.append(f"a request left the server: {url}")

    def note_console(text: str) -> None:
        if "Content Security Policy" in text:
            faults.append(text)

    def open_one(*, dark: bool = False, narrow: bool = False, javascript: bool = True) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,
            color_scheme="dark" if dark else "light",
            viewport=NARROW if narrow else WIDE,
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        context.on("request", lambda request: note_request(request.url))
        context.on("console", lambda message: note_console(message.text))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A light, wide page."""
    return open_page()


def log_in(page: Page, user: Any) -> None:
    """Give the page's browser a session of `user`, without the login page."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "domain": "localhost", "path": "/"}])


def axe(page: Page) -> None:
    """Assert that the page has no serious or critical violation of accessibility, as axe-core finds them."""
    assert faults_of_accessibility(page) == []


def faults_of_accessibility(page: Page) -> list[str]:
    """Return the serious and critical violations that axe-core finds: the rule, where, why.

    What is in order, the most of what it finds, stays in the browser: to carry it here takes as long as to find it.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in page.evaluate(VIOLATIONS)
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def change_look(page: Page, *, dark: bool = False, narrow: bool = False) -> None:
    """Show the page that is there as `open_page` would have opened it, its colours without the time to fade."""
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.set_viewport_size(NARROW if narrow else WIDE)
    page.evaluate("document.getAnimations().forEach(each => each instanceof CSSTransition && each.finish())")


def fits(page: Page) -> None:
    """Assert that nobody has to scroll sideways."""
    width, room = _widths(page)
    assert width <= room


def width_beyond(page: Page) -> list[str]:
    """Return, where somebody has to scroll sideways, by how much."""
    width, room = _widths(page)
    return [f"{width} pixels wide in a window of {room}"] if width > room else []


def _widths(page: Page) -> tuple[int, int]:
    width, room = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    return width, room


def screenshot(page: Page, name: str) -> None:
    """Write docs/screenshots/<name>.png if the environment variable SCREENSHOTS asks for it."""
    if os.environ.get("SCREENSHOTS"):
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")
