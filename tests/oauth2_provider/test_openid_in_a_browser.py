"""OpenID Connect from discovery to logout, with relying parties that others wrote and a person at a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from cryptojwt import KeyJar
from django.contrib.auth import get_user_model
from idpyoidc.client.rp_handler import RPHandler
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from oauth2_provider.models import AccessToken, Application
from oauth2_provider.oauth2_validators import OAuth2Validator
from tests.browser import OpenPage, axe, fits, log_in, screenshot

from .openid import SITE
from .pages_site import CALLBACK

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.oauth2_provider.pages_site")]

VERIFIER = "a-code-verifier-of-more-than-forty-three-characters"
LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "narrow": {"narrow": True}}
every_look = pytest.mark.parametrize("look", LOOKS)


class ClaimingValidator(OAuth2Validator):
    def get_additional_claims(self):  # type: ignore[no-untyped-def]
        return {"email": lambda request: request.user.email, "given_name": lambda request: "Some"}


@pytest.fixture(autouse=True)
def strict_site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]
    settings.OAUTH2_PROVIDER = {**SITE, "OAUTH2_VALIDATOR_CLASS": f"{__name__}.ClaimingValidator"}
    settings.LOGOUT_REDIRECT_URL = CALLBACK
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def someone(transactional_db: None) -> Any:
    return get_user_model().objects.create_user("someone", password="a password", email="someone@example.org")


@pytest.fixture
def photo_printer(live_server: LiveServer, transactional_db: None) -> Application:
    """A confidential client that wants its users back on the live server, after logout too."""
    application = Application(
        name="Photo Printer",
        client_id="photo-printer",
        client_secret="a secret of the photo printer's own",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        algorithm=Application.RS256_ALGORITHM,
        redirect_uris=live_server.url + CALLBACK,
        post_logout_redirect_uris=live_server.url + CALLBACK,
    )
    application.save()
    return application


@pytest.fixture
def discovered(live_server: LiveServer) -> dict[str, Any]:
    return requests.get(f"{live_server.url}/o/.well-known/openid-configuration", timeout=10).json()


@pytest.fixture
def authorization_url(live_server: LiveServer, photo_printer: Application) -> Callable[..., str]:
    """Return a function that makes the URL of an authentication request."""
    session = AuthlibSession(
        photo_printer.client_id,
        scope="openid email",
        redirect_uri=live_server.url + CALLBACK,
        code_challenge_method="S256",
    )

    def make(**parameters: str) -> str:
        url, _state = session.create_authorization_url(
            f"{live_server.url}/o/authorize/", code_verifier=VERIFIER, nonce="n", **parameters
        )
        return url

    return make


def fill_in_login(page: Page, name: str = "someone") -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()


def answered(page: Page) -> dict[str, str]:
    expect(page).to_have_title("Back at the client")
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def look_at(page: Page, name: str) -> None:
    fits(page)
    axe(page)
    screenshot(page, name)


def test_authlib_from_discovery_to_logout(
    live_server: LiveServer,
    someone: Any,
    photo_printer: Application,
    discovered: dict[str, Any],
    page: Page,
) -> None:
    session = AuthlibSession(
        photo_printer.client_id,
        "a secret of the photo printer's own",
        scope="openid email",
        redirect_uri=live_server.url + CALLBACK,
        code_challenge_method="S256",
    )
    url, state = session.create_authorization_url(
        discovered["authorization_endpoint"], code_verifier=VERIFIER, nonce="a nonce"
    )
    page.goto(url)
    fill_in_login(page)
    page.get_by_role("button", name="Authorize").click()
    answered(page)
    tokens = session.fetch_token(
        discovered["token_endpoint"], authorization_response=page.url, state=state, code_verifier=VERIFIER
    )
    keys = KeySet.import_key_set(requests.get(discovered["jwks_uri"], timeout=10).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["nonce"]) == (discovered["issuer"], "a nonce")
    assert abs(claims["auth_time"] - time.time()) < 60
    refreshed = session.refresh_token(discovered["token_endpoint"])
    again = jwt.decode(refreshed["id_token"], keys, algorithms=["RS256"]).claims
    # section 12.2: the same iss, sub, aud and auth_time
    assert [again[name] for name in ("iss", "sub", "aud", "auth_time")] == [
        claims[name] for name in ("iss", "sub", "aud", "auth_time")
    ]
    told = session.get(discovered["userinfo_endpoint"]).json()
    assert told == {"sub": claims["sub"], "email": "someone@example.org"}
    asked = {"id_token_hint": refreshed["id_token"], "post_logout_redirect_uri": live_server.url + CALLBACK}
    page.goto(f"{discovered['end_session_endpoint']}?{urlencode({**asked, 'state': 'bye'})}")
    expect(page.get_by_text("Photo Printer asks to log you out here too.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    assert answered(page) == {"state": "bye"}
    assert not AccessToken.objects.exists()
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


@pytest.mark.parametrize(
    ("response_type", "algorithm"), [("code", "RS256"), ("code", "HS256"), ("code id_token", "RS256")]
)
def test_idpyoidc_from_discovery_to_logout(
    live_server: LiveServer,
    someone: Any,
    photo_printer: Application,
    page: Page,
    algorithm: str,
    response_type: str,
) -> None:
    is_hybrid = response_type != "code"
    secret = "a secret of the photo printer's own"
    photo_printer.algorithm, photo_printer.hash_client_secret = algorithm, algorithm != "HS256"
    if is_hybrid:
        photo_printer.authorization_grant_type = Application.GRANT_OPENID_HYBRID
    photo_printer.client_secret = secret
    photo_printer.save()
    issuer = f"{live_server.url}/o"
    callback = live_server.url + CALLBACK
    services = ("provider_info_discovery.ProviderInfoDiscovery", "authorization.Authorization",
                "access_token.AccessToken", "refresh_access_token.RefreshAccessToken", "userinfo.UserInfo",
                "end_session.EndSession")  # fmt: skip
    handler = RPHandler(
        base_url=live_server.url,
        keyjar=KeyJar(),  # else it writes keys of its own to files
        client_configs={
            issuer: {
                "issuer": issuer,
                "client_type": "oidc",
                "client_id": photo_printer.client_id,
                "client_secret": secret,
                "redirect_uris": [callback],
                "post_logout_redirect_uris": [callback],
                "response_types": [response_type],
                "scope": ["openid", "email"],
                "client_authn_methods": ["client_secret_basic"],
                "token_endpoint_auth_methods": ["client_secret_basic"],
                "id_token_signed_response_alg": algorithm,
                "services": {
                    name.split(".")[0]: {"class": f"idpyoidc.client.oidc.{name}"} for name in services
                },
                "add_ons": {
                    "pkce": {
                        "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                        "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
                    }
                },
            }
        },
    )
    url = handler.begin(issuer, req_args={"scope": ["openid", "email"]})
    page.goto(url if isinstance(url, str) else url["url"])
    fill_in_login(page)
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_title("Back at the client")
    parts = urlsplit(page.url)
    response = {name: values[0] for name, values in parse_qs(parts.fragment or parts.query).items()}
    result = handler.finalize(issuer, response)
    assert "error" not in result
    assert result["userinfo"]["email"] == "someone@example.org"
    assert result["userinfo"]["sub"] == str(someone.pk)
    before = AccessToken.objects.latest("pk").token
    handler.refresh_access_token(result["state"], scope="openid email")
    assert AccessToken.objects.latest("pk").token != before
    assert handler.get_user_info(result["state"])["sub"] == str(someone.pk)
    bye = handler.logout(result["state"], post_logout_redirect_uri=callback)
    page.goto(bye["url"])
    page.get_by_role("button", name="Log out").click()
    assert "state" in answered(page)
    assert not AccessToken.objects.exists()


@every_look
def test_the_logout_page_looks_right(
    someone: Any, photo_printer: Application, open_page: OpenPage, look: str
) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, someone)
    page.goto("/o/logout/?client_id=photo-printer")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log out?")
    look_at(page, f"logout-{look}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are still logged in")
    axe(page)
    page.goto("/o/logout/?id_token_hint=x")
    expect(page.get_by_role("heading", level=1)).to_have_text("This request cannot be answered")
    axe(page)


@every_look
def test_an_account_is_chosen(
    someone: Any, authorization_url: Callable[..., str], open_page: OpenPage, look: str
) -> None:
    get_user_model().objects.create_user("another", password="a password")
    page = open_page(**LOOKS[look])
    log_in(page, someone)
    page.goto(authorization_url(prompt="select_account", login_hint="another"))
    look_at(page, f"select-account-{look}")
    page.get_by_role("button", name="Another account").click()
    expect(page.get_by_label("Username")).to_have_value("another")
    fill_in_login(page, "another")
    expect(page.get_by_text("You are logged in as another.")).to_be_visible()
    page.get_by_role("button", name="Authorize").click()
    assert "code" in answered(page)


def test_claims_beyond_the_scopes_are_shown(
    someone: Any, authorization_url: Callable[..., str], page: Page
) -> None:
    log_in(page, someone)
    page.goto(authorization_url(claims='{"userinfo": {"given_name": null}}'))
    expect(page.get_by_text("It also asks to know:")).to_be_visible()
    assert page.get_by_role("list").last.get_by_role("listitem").all_inner_texts() == ["given name"]
    axe(page)


def test_a_response_is_posted_by_itself(
    someone: Any, photo_printer: Application, authorization_url: Callable[..., str], page: Page
) -> None:
    """OAuth 2.0 Form Post Response Mode section 2, under a strict Content-Security-Policy."""
    log_in(page, someone)
    page.goto(authorization_url(response_mode="form_post"))
    with page.expect_request(lambda request: request.method == "POST" and CALLBACK in request.url) as posted:
        page.get_by_role("button", name="Authorize").click()
    assert {"code", "state"} == parse_qs(posted.value.post_data or "").keys()
    assert answered(page) == {}


def test_a_response_is_posted_by_a_button_without_javascript(
    someone: Any, authorization_url: Callable[..., str], open_page: OpenPage
) -> None:
    page = open_page(javascript=False, narrow=True)
    log_in(page, someone)
    page.goto(authorization_url(response_mode="form_post"))
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Back to the application")
    with page.expect_request(lambda request: request.method == "POST" and CALLBACK in request.url) as posted:
        page.get_by_role("button", name="Continue").click()
    assert "code" in parse_qs(posted.value.post_data or "")


def test_a_client_of_another_site_may_post_a_logout(
    live_server: LiveServer, someone: Any, photo_printer: Application, page: Page, faults: list[str]
) -> None:
    """RP-Initiated Logout 1.0 section 2: POST, which comes without the session's cookie from another site."""
    log_in(page, someone)
    elsewhere = live_server.url.replace("localhost", "127.0.0.1") + CALLBACK
    form = f"<form method=post action={live_server.url}/o/logout/><input name=client_id value=photo-printer></form>"
    page.route(elsewhere, lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto(elsewhere)
    faults.remove(f"a request left the server: {elsewhere}")
    page.locator("form").evaluate("form => form.submit()")
    page.get_by_role("button", name="Log out").click()
    answered(page)
    page.goto("/o/applications/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
