"""The pages in a real browser, under a strict Content-Security-Policy, gone through with clients that others wrote."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer
from requests_oauthlib import OAuth2Session as OAuthlibSession

from oauth2_provider.flows.client_secrets import add_client_secret
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken
from tests.browser import OpenPage, axe, fits, log_in, screenshot

from .credentials import give_credentials, make_client
from .pages_site import CALLBACK

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.oauth2_provider.pages_site")]

SCOPES = {
    "read": "Read your profile and your photos",
    "write": "Add photos and change their captions",
    "contacts": "See whom you share albums with",
}
LOOKS = {
    "light": {},
    "dark": {"dark": True},
    "narrow": {"narrow": True},
}
every_look = pytest.mark.parametrize("look", LOOKS)


@pytest.fixture(autouse=True)
def strict_site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]
    settings.OAUTH2_PROVIDER = {"SCOPES": SCOPES}
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def someone(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("someone", password="a password")


@pytest.fixture
def photo_printer(live_server: LiveServer, transactional_db: None) -> Application:
    """A public client of the code grant that wants its users back on the live server."""
    return make_client("photo-printer", name="Photo Printer", redirect_uris=live_server.url + CALLBACK)


@pytest.fixture
def authlib(live_server: LiveServer, photo_printer: Application) -> AuthlibSession:
    return AuthlibSession(
        photo_printer.client_id,
        scope="read write contacts",
        redirect_uri=live_server.url + CALLBACK,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )


VERIFIER = "a-code-verifier-of-more-than-forty-three-characters"


@pytest.fixture
def authorization_url(live_server: LiveServer, authlib: AuthlibSession) -> str:
    url, _state = authlib.create_authorization_url(f"{live_server.url}/o/authorize/", code_verifier=VERIFIER)
    return url


def fill_in_login(page: Page) -> None:
    page.get_by_label("Username").fill("someone")
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()


def answered(page: Page) -> dict[str, str]:
    """Wait until the browser is back at the client; return what it brought along."""
    expect(page).to_have_title("Back at the client")
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_authlib_gets_a_token_through_login_and_consent(
    live_server: LiveServer, someone: Any, authlib: AuthlibSession, authorization_url: str, page: Page
) -> None:
    page.goto(authorization_url)
    fill_in_login(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Photo Printer asks for access")
    assert page.get_by_role("list").get_by_role("listitem").all_inner_texts() == list(SCOPES.values())
    page.get_by_role("button", name="Authorize").click()
    answered(page)
    token = authlib.fetch_token(
        f"{live_server.url}/o/token/", authorization_response=page.url, code_verifier=VERIFIER
    )
    assert token["scope"] == "read write contacts"
    assert AccessToken.objects.get(token=token["access_token"]).user == someone
    assert RefreshToken.objects.get(token=token["refresh_token"]).user == someone


def test_requests_oauthlib_gets_a_token_without_javascript_on_a_phone(
    live_server: LiveServer, someone: Any, photo_printer: Application, open_page: OpenPage
) -> None:
    session = OAuthlibSession(
        photo_printer.client_id,
        redirect_uri=live_server.url + CALLBACK,
        scope=["read"],
        pkce="S256",
    )
    url, _state = session.authorization_url(f"{live_server.url}/o/authorize/")
    page = open_page(narrow=True, javascript=False)
    page.goto(url)
    fill_in_login(page)
    page.get_by_role("button", name="Authorize").click()
    answered(page)
    token = session.fetch_token(
        f"{live_server.url}/o/token/", authorization_response=page.url, include_client_id=True
    )
    assert token["scope"] == ["read"]
    assert AccessToken.objects.get(token=token["access_token"]).user == someone


def test_who_cancels_is_sent_back_with_nothing(someone: Any, authorization_url: str, page: Page) -> None:
    log_in(page, someone)
    page.goto(authorization_url)
    page.get_by_role("button", name="Cancel").click()
    assert answered(page)["error"] == "access_denied"
    assert not Grant.objects.exists()


@pytest.mark.parametrize(("presses", "is_granted"), [(1, False), (2, True)])
def test_consent_is_given_and_refused_by_the_keyboard_alone(
    someone: Any, authorization_url: str, page: Page, presses: int, is_granted: bool
) -> None:
    log_in(page, someone)
    page.goto(authorization_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    for _ in range(presses):
        page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Authorize" if is_granted else "Cancel")
    page.keyboard.press("Enter")
    assert ("code" in answered(page)) == is_granted


@every_look
def test_login_and_consent_look_right(
    someone: Any, authorization_url: str, open_page: OpenPage, look: str
) -> None:
    page = open_page(**LOOKS[look])
    page.goto(authorization_url)
    look_at(page, f"login-{look}")
    fill_in_login(page)
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    look_at(page, f"consent-{look}")


@every_look
def test_the_error_page_says_what_is_wrong_and_sends_nobody_on(
    someone: Any, photo_printer: Application, open_page: OpenPage, look: str
) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, someone)
    query = "client_id=photo-printer&response_type=code&redirect_uri=https://evil.example/"
    answer = page.goto(f"/o/authorize/?{query}")
    assert answer is not None
    assert answer.status == 400
    expect(page.get_by_role("heading", level=1)).to_have_text("This request cannot be answered")
    assert page.locator("code").inner_text() == "invalid_request"
    assert page.get_by_role("link").all_inner_texts() == ["Skip to the content"]
    look_at(page, f"error-{look}")


def test_a_wrong_password_is_said_where_a_screen_reader_finds_it(
    someone: Any, authorization_url: str, page: Page
) -> None:
    page.goto(authorization_url)
    page.get_by_label("Username").fill("someone")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".errorlist.nonfield")).to_contain_text("correct username and password")
    axe(page)


def test_a_client_that_registered_itself_is_shown_as_such(
    someone: Any, photo_printer: Application, authorization_url: str, page: Page
) -> None:
    Application.objects.update(registration_source="dcr")
    log_in(page, someone)
    page.goto(authorization_url)
    expect(page.get_by_text("This application registered itself.")).to_be_visible()
    axe(page)


def test_an_application_is_registered_edited_and_deleted(someone: Any, page: Page) -> None:
    log_in(page, someone)
    page.goto("/o/applications/")
    page.get_by_role("link", name="Register an application").click()
    page.get_by_label("Name").fill("Photo Printer")
    page.get_by_label("Client type").select_option("Confidential")
    page.get_by_label("Authorization grant type").select_option("Authorization code")
    page.get_by_role("button", name="Save").click()
    uris = page.get_by_label("Redirect URIs", exact=True)
    expect(uris).to_have_attribute("aria-invalid", "true")
    expect(uris).to_have_accessible_description(re.compile("At least one redirect URI is needed"))
    axe(page)
    uris.fill("https://printer.example/callback")
    page.get_by_role("button", name="Save").click()
    assert len(page.locator("#new-client-secret").inner_text()) == 128
    page.reload()
    expect(page.locator("#new-client-secret")).to_have_count(0)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Name").fill("Poster Printer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Poster Printer")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("You have registered no application.")).to_be_visible()
    assert not Application.objects.exists()


def test_a_secret_is_rotated(someone: Any, page: Page) -> None:
    mine = make_client(
        "mine", name="Album exporter", user=someone, client_type="confidential", client_secret="the old one"
    )
    log_in(page, someone)
    page.goto(f"/o/applications/{mine.pk}/")
    page.get_by_role("link", name="Add a secret").click()
    page.get_by_role("button", name="Add").click()
    name = page.get_by_label("Name")
    expect(name).to_have_attribute("aria-invalid", "true")
    axe(page)
    name.fill("The new server")
    page.get_by_label("Last day").fill("2099-12-31")
    page.get_by_role("button", name="Add").click()
    assert len(page.locator("#new-client-secret").inner_text()) == 128
    axe(page)
    page.get_by_role("link", name="Revoke the first secret").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke the first secret?")
    axe(page)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("link", name="Revoke The new server")).to_be_visible()
    expect(page.locator("#new-client-secret")).to_have_count(0)
    expect(page.get_by_text("First secret")).to_have_count(0)
    mine.refresh_from_db()
    assert (mine.client_secret, mine.client_secrets.get().name) == ("", "The new server")


def test_access_is_revoked(someone: Any, photo_printer: Application, page: Page) -> None:
    given = give_credentials(someone, photo_printer)
    given["bare_access_token"].revoke()
    log_in(page, someone)
    page.goto("/o/applications/")
    page.get_by_role("link", name="Authorized access").click()
    page.get_by_role("link", name="Revoke Photo Printer").click()
    axe(page)
    page.get_by_label("Also end everything else").check()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No application can act for you.")).to_be_visible()
    assert not AccessToken.objects.exists()
    assert not Grant.objects.exists()


@pytest.fixture
def furnished(someone: Any, photo_printer: Application, settings: Any) -> Application:
    """Someone who has applications, and has authorized some."""
    mine = make_client(
        "wTqB7rZkVnXy2eHs",
        name="Album exporter",
        user=someone,
        client_type="confidential",
        client_secret="a secret",
        redirect_uris="https://export.example/callback https://export.example/silent",
        allowed_origins="https://export.example",
    )
    add_client_secret(mine, name="The new server", expires=timezone.now() + timedelta(days=365))
    make_client("other", name="Wedding slideshow with quite a long name for a phone", user=someone)
    for application in (photo_printer, mine):
        give_credentials(someone, application)["bare_access_token"].revoke()
    return mine


@every_look
def test_the_pages_of_an_account_look_right(
    someone: Any, furnished: Application, open_page: OpenPage, look: str
) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, someone)
    own = f"/o/applications/{furnished.pk}/"
    token = AccessToken.objects.filter(application=furnished).get()
    for name, path in {
        "applications": "/o/applications/",
        "application": own,
        "application-edit": f"{own}update/",
        "application-delete": f"{own}delete/",
        "application-secret-add": f"{own}secrets/add/",
        "application-secret-revoke": f"{own}secrets/first/revoke/",
        "application-register": "/o/applications/register/",
        "authorized-access": "/o/authorized_tokens/",
        "authorized-access-revoke": f"/o/authorized_tokens/{token.pk}/delete/",
    }.items():
        page.goto(path)
        look_at(page, f"{name}-{look}")


def look_at(page: Page, name: str) -> None:
    axe(page)
    fits(page)
    screenshot(page, name)
