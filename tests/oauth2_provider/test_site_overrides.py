"""What a site subclasses or replaces by name goes on working: validators, backends, views, mixins, templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from jwcrypto import jwk, jwt

from oauth2_provider.models import AccessToken, Application, DeviceGrant

from .conftest import RegisteredClient
from .overriding_site import called
from .test_remote_introspection import AuthorizationServer, live, server

__all__ = ["server"]  # the fixture
pytestmark = pytest.mark.urls("tests.oauth2_provider.overriding_site")
SITE = "tests.oauth2_provider.overriding_site"
KEY = jwk.JWK.generate(kty="RSA", size=2048)
BEARER = {"authorization": "Bearer token"}
Register = Callable[..., RegisteredClient]
Store = Callable[..., AccessToken]


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    called.clear()
    cache.clear()


@pytest.fixture
def own_templates(settings: Any, tmp_path: Path) -> Callable[[str, str], None]:
    """Return a function that writes a template of the site's own."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


# -- validators


def test_openid_hooks_are_called_through_the_validator(
    client: Client, register: Register, exchange: Any, settings: Any, own_templates: Any, user: Any
) -> None:
    own_templates("own_authorize.html", "")
    settings.OAUTH2_PROVIDER = {
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": KEY.export_to_pem(private_key=True, password=None).decode(),
        "SCOPES": {"openid": "Know who you are"},
        "OAUTH2_VALIDATOR_CLASS": f"{SITE}.OpenIDValidator",
    }
    tokens = exchange(register(algorithm=Application.RS256_ALGORITHM), scope="openid")
    assert {"finalize_id_token", "_save_id_token"} <= set(called)
    claims = jwt.json_decode(jwt.JWT(jwt=tokens["id_token"], key=KEY).claims)
    expected = {"iss": "https://id.example", "staff": False, "tenant": "main", "seen": "id_token"}
    assert expected.items() <= claims.items()
    info = client.get("/o/userinfo/", headers={"authorization": f"Bearer {tokens['access_token']}"}).json()
    assert info == {"sub": str(user.pk), "staff": False, "tenant": "main", "seen": "userinfo"}
    discovered = client.get("/o/.well-known/openid-configuration").json()
    assert discovered["claims_supported"] == ["sub", "staff"]


def test_the_reading_of_an_id_token_is_a_seam(
    client: Client, register: Register, exchange: Any, settings: Any, own_templates: Any
) -> None:
    from .overriding_site import OpenIDValidator

    own_templates("own_authorize.html", "")
    settings.OAUTH2_PROVIDER = {
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": KEY.export_to_pem(private_key=True, password=None).decode(),
        "SCOPES": {"openid": "Know who you are"},
        "OAUTH2_VALIDATOR_CLASS": f"{SITE}.OpenIDValidator",
    }
    tokens = exchange(register(algorithm=Application.RS256_ALGORITHM), scope="openid")
    called.clear()
    found = OpenIDValidator()._load_id_token(tokens["id_token"])
    assert found.user.get_username() == "someone"
    assert called == ["_load_id_token", "_get_key_for_token", "_get_client_by_audience"]


def test_secrets_passwords_and_storage_are_seams(
    client: Client, register: Register, settings: Any, user: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_VALIDATOR_CLASS": f"{SITE}.PasswordValidator"}
    registered = register(authorization_grant_type=Application.GRANT_PASSWORD)
    form = {
        "grant_type": "password",
        "username": "someone",
        "password": "a password",
        "client_id": registered.application.client_id,
    }
    assert client.post("/o/token/", {**form, "client_secret": registered.secret}).status_code == 401
    answer = client.post("/o/token/", {**form, "client_secret": "the master key"})
    assert answer.status_code == 200
    assert "build_http_request" in called
    assert AccessToken.objects.get().token == "not stored"


def test_users_of_another_server_are_found_as_the_site_says(
    client: Client, db: None, settings: Any, server: AuthorizationServer
) -> None:
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "OAUTH2_VALIDATOR_CLASS": f"{SITE}.EmailValidator",
    }
    server.answer = live(email="alice@example.org")
    answer = client.get("/by-mixins/", headers={"authorization": "Bearer remote"})
    assert answer.json() == {"owner": "alice"}


# -- the backend


def test_headers_bodies_and_responses_are_seams_of_the_backend(
    client: Client, register: Register, settings: Any, store_token: Store
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_BACKEND_CLASS": f"{SITE}.HeaderCore"}
    store_token()
    assert client.get("/by-mixins/", headers={"x-token": "token"}).json() == {"owner": "someone"}
    registered = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    answer = client.post(
        "/o/token/", {"o-grant_type": "client_credentials"}, headers={"authorization": registered.basic}
    )
    assert (answer.status_code, answer["X-Core"]) == (200, "own")


# -- views


def test_endpoints_are_subclassed(
    client: Client, register: Register, exchange: Any, own_templates: Any
) -> None:
    own_templates("own_authorize.html", "the site's page")
    registered = register()
    tokens = exchange(registered)
    assert list(dict.fromkeys(called)) == ["get_initial", "form_valid", "authorization_flow_token_response"]
    called.clear()
    basic = {"authorization": registered.basic}
    about = client.post("/o/introspect/", {"token": tokens["access_token"]}, headers=basic)
    assert about.json()["active"] is True
    assert (
        client.post("/o/revoke_token/", {"token": tokens["access_token"]}, headers=basic).status_code == 200
    )
    assert called == ["get_token_response", "create_revocation_response"]
    assert client.post("/o/token/", {"grant_type": "password"})["X-Frame"] == "own"


def test_pages_are_subclassed(client: Client, register: Register, store_token: Store, user: Any) -> None:
    application = register(name="Nobody's").application
    store_token(application=application)
    client.force_login(user)
    assert b"Nobody&#x27;s" in client.get("/o/applications/").content
    assert set(client.get("/o/applications/register/").context["form"].fields) == {
        "name", "client_type", "authorization_grant_type",
    }  # fmt: skip
    listed = client.get("/o/authorized_tokens/").context["authorized_tokens"]
    assert [token.scope for token in listed] == ["read"]
    assert client.get("/owners-only/").json() == {"mine": []}
    register(name="Mine", user=user)
    assert client.get("/owners-only/").json() == {"mine": ["Mine"]}
    client.logout()
    assert client.get("/owners-only/").status_code == 302


def test_the_metadata_of_a_second_resource(client: Client) -> None:
    """RFC 9728 section 2."""
    assert client.get("/metadata/").json() == {
        "resource": "https://api.example/v2",
        "authorization_servers": ["https://id.example"],
        "scopes_supported": ["v2"],
        "bearer_methods_supported": ["header", "body"],
        "resource_name": "Second",
        "resource_documentation": "https://api.example/docs",
        "resource_policy_uri": "https://api.example/policy",
        "resource_tos_uri": "https://api.example/tos",
    }


def test_the_endpoints_of_the_metadata_are_where_the_site_says(client: Client) -> None:
    """RFC 8414 section 2."""
    document = client.get("/server-metadata/").json()
    assert document["issuer"] == "https://id.example"
    assert document["token_endpoint"] == "https://id.example/token"
    assert document["authorization_endpoint"] == "https://id.example/authorize"


def test_mixins_are_put_together_by_hand(client: Client, store_token: Store) -> None:
    store_token()
    assert client.get("/by-mixins/", headers=BEARER).json() == {"owner": "someone"}
    assert client.get("/by-mixins/").status_code == 401


def test_generic_views_ask_their_overrides(client: Client, store_token: Store) -> None:
    store_token()
    assert client.get("/by-overrides/?needs=read", headers=BEARER).content == b"in"
    refused = client.get("/by-overrides/?needs=write", headers=BEARER)
    assert (refused.status_code, refused.content) == (
        403,
        b"the site's words: insufficient_scope",
    )
    assert 'scope="write"' in refused["WWW-Authenticate"]
    assert called == ["verify_request", "verify_request"]


# -- templates

QUERY = (
    "response_type=code&client_id=web&state=s&scope=read&code_challenge_method=S256&code_challenge="
    + "c" * 43
)
TEMPLATES = [
    (
        "authorize.html",
        f"/o/authorize/?{QUERY}",
        "scopes scopes_descriptions application client_id redirect_uri response_type state code_challenge "
        "code_challenge_method nonce claims resource form",
    ),
    ("authorize.html", "/o/authorize/?client_id=nobody", "error"),
    ("application_list.html", "/o/applications/", "applications"),
    ("application_detail.html", "/o/applications/{application}/", "application"),
    ("application_form.html", "/o/applications/{application}/update/", "application form"),
    ("application_registration_form.html", "/o/applications/register/", "form"),
    ("application_confirm_delete.html", "/o/applications/{application}/delete/", "application"),
    ("authorized-tokens.html", "/o/authorized_tokens/", "authorized_tokens"),
    ("authorized-token-delete.html", "/o/authorized_tokens/{token}/delete/", "object"),
    ("logout_confirm.html", "/o/logout/", "application form"),
    ("device/user_code.html", "/o/device/", "form"),
    (
        "device/accept_deny.html",
        "/o/device-confirm/web/WDJBMJHT",
        "application scopes scopes_descriptions form",
    ),
    ("device/device_grant_status.html", "/o/device-grant-status/web/WDJBMJHT", "object"),
]


@pytest.mark.urls("tests.urls")
@pytest.mark.parametrize(
    ("name", "url", "names"), TEMPLATES, ids=[f"{row[0]} {row[2][:6]}" for row in TEMPLATES]
)
def test_a_template_is_overridden_by_its_name_and_has_its_context(
    client: Client,
    register: Register,
    store_token: Store,
    own_templates: Any,
    user: Any,
    settings: Any,
    name: str,
    url: str,
    names: str,
) -> None:
    settings.OAUTH2_PROVIDER = {"OIDC_ENABLED": True, "OIDC_RP_INITIATED_LOGOUT_ENABLED": True}
    own_templates(f"oauth2_provider/{name}", "the site's own {{ application.name }}")
    application = register(client_id="web", user=user).application
    token = store_token(application=application)
    DeviceGrant.objects.create(
        client_id="web", user=user, user_code="WDJBMJHT", device_code="d", scope="read", expires=token.expires
    )
    client.force_login(user)
    page = client.get(url.format(application=application.pk, token=token.pk))
    assert page.content.decode().startswith("the site's own")
    assert [missing for missing in names.split() if missing not in page.context] == []


@pytest.mark.urls("tests.urls")
def test_the_frame_of_all_pages_is_overridden_by_its_name(
    client: Client, own_templates: Any, user: Any
) -> None:
    own_templates(
        "oauth2_provider/base.html",
        "ours <title>{% block title %}{% endblock %}</title>{% block css %}{% endblock %}"
        "{% block content %}{% endblock %}",
    )
    client.force_login(user)
    text = client.get("/o/applications/").content.decode()
    assert text.startswith("ours <title>")
    assert "/o/applications/register/" in text
