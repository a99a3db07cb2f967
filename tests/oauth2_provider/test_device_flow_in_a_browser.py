"""The device flow in a real browser, under a strict Content-Security-Policy, with clients that others wrote."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from django.contrib.auth import get_user_model
from django.core.cache import cache
from oauthlib.oauth2 import DeviceClient
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer
from requests_oauthlib import OAuth2Session as OAuthlibSession

from oauth2_provider.models import AccessToken, Application, DeviceGrant
from tests.browser import OpenPage, log_in

from .credentials import make_client
from .test_pages_in_a_browser import LOOKS, SCOPES, every_look, fill_in_login, look_at

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.oauth2_provider.pages_site")]
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(autouse=True)
def strict_site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]
    settings.OAUTH2_PROVIDER = {"SCOPES": SCOPES, "DEVICE_FLOW_INTERVAL": 0}
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def someone(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("someone", password="a password")


@pytest.fixture
def television(transactional_db: None) -> Application:
    return make_client(
        "television",
        name="Living Room TV",
        authorization_grant_type=Application.GRANT_DEVICE_CODE,
        redirect_uris="",
    )


@pytest.fixture
def started(live_server: LiveServer, television: Application) -> dict[str, Any]:
    """What the television shows, asked for over HTTP."""
    body = {"client_id": "television", "scope": "read write contacts", "resource": "https://photos.example/"}
    return requests.post(f"{live_server}/o/device-authorization/", body, timeout=20).json()


def enter(page: Page, user_code: str) -> None:
    page.get_by_label("Code").fill(user_code)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Living Room TV asks for access")


def test_authlib_gets_a_token_for_who_enters_the_code(
    live_server: LiveServer, someone: Any, started: dict[str, Any], page: Page
) -> None:
    page.goto(started["verification_uri"])
    fill_in_login(page)
    enter(page, started["user_code"].lower())
    expect(page.locator(".user-code")).to_have_text(started["user_code"])
    assert page.get_by_role("list", name="If you agree").get_by_role("listitem").all_inner_texts() == list(
        SCOPES.values()
    )
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your device is connected")
    session = AuthlibSession("television", token_endpoint_auth_method="none")
    token = session.fetch_token(
        f"{live_server}/o/token/", grant_type=GRANT_TYPE, device_code=started["device_code"]
    )
    assert token["scope"] == "read write contacts"
    assert AccessToken.objects.get(token=token["access_token"]).user == someone


def test_requests_oauthlib_gets_a_token_without_javascript_on_a_phone(
    live_server: LiveServer, someone: Any, started: dict[str, Any], open_page: OpenPage
) -> None:
    session = OAuthlibSession(client=DeviceClient("television"))
    poll = {
        "token_url": f"{live_server}/o/token/",
        "device_code": started["device_code"],
        "include_client_id": True,
    }
    pending = requests.post(
        poll["token_url"],
        {"grant_type": GRANT_TYPE, "client_id": "television", "device_code": started["device_code"]},
        timeout=20,
    )
    assert (pending.status_code, pending.json()) == (400, {"error": "authorization_pending"})
    page = open_page(narrow=True, javascript=False)
    page.goto(f"{started['verification_uri']}?user_code={started['user_code']}")
    fill_in_login(page)
    expect(page.get_by_label("Code")).to_have_value(started["user_code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your device is connected")
    token = session.fetch_token(**poll)
    assert AccessToken.objects.get(token=token["access_token"]).user == someone


def test_the_enter_key_says_no(someone: Any, started: dict[str, Any], page: Page) -> None:
    log_in(page, someone)
    page.goto("/o/device/")
    enter(page, started["user_code"])
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Cancel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your device was not connected")
    assert DeviceGrant.objects.get().status == DeviceGrant.DENIED


@every_look
def test_the_pages_of_the_device_flow_look_right(
    someone: Any, started: dict[str, Any], open_page: OpenPage, look: str
) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, someone)
    page.goto("/o/device/")
    look_at(page, f"device-code-{look}")
    page.get_by_label("Code").fill("WRONG")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    look_at(page, f"device-wrong-code-{look}")
    enter(page, started["user_code"])
    look_at(page, f"device-question-{look}")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your device is connected")
    look_at(page, f"device-connected-{look}")
    grant = DeviceGrant.objects.get()
    for status in (DeviceGrant.DENIED, DeviceGrant.EXPIRED, DeviceGrant.AUTHORIZATION_PENDING):
        DeviceGrant.objects.filter(pk=grant.pk).update(status=status)
        page.reload()
        look_at(page, f"device-{status}-{look}")
