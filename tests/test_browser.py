"""The browser fixture itself: it sees pages, and it fails who leaves the server."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Error, Page

from tests.browser import OpenPage, axe, log_in

pytestmark = pytest.mark.browser


def test_pages_and_rows_are_at_hand_together(page: Page) -> None:
    user = get_user_model().objects.create_superuser("someone")
    log_in(page, user)
    page.goto("/admin/")
    assert page.title().startswith("Site administration")
    assert get_user_model().objects.get() == user


def test_dark_and_narrow_are_what_the_page_is_told(open_page: OpenPage) -> None:
    page = open_page(dark=True, narrow=True)
    page.goto("/accounts/login/")
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.evaluate("innerWidth") == 360


def test_axe_finds_what_is_wrong(page: Page) -> None:
    page.goto("/accounts/login/")
    page.evaluate("document.body.innerHTML = '<main><h1>Form</h1><input></main>'")
    with pytest.raises(AssertionError, match=r"label \(critical\)"):
        axe(page)


def test_a_request_that_leaves_the_server_is_a_fault_and_reaches_nobody(
    page: Page, faults: list[str]
) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("https://elsewhere.example/")
    assert faults == ["a request left the server: https://elsewhere.example/"]
    faults.clear()


def test_what_breaks_the_policy_is_a_fault(page: Page, faults: list[str]) -> None:
    page.route(
        "**/strict",
        lambda route: route.fulfill(
            body="<!DOCTYPE html><style>p{color:red}</style>",
            headers={"Content-Security-Policy": "default-src 'self'", "Content-Type": "text/html"},
        ),
    )
    page.goto("/strict")
    assert len(faults) == 1
    faults.clear()
