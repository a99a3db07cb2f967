"""What a site overrides goes on working: hooks, private seams, classes named by settings or by a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory

from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken
from oauth2_provider.oauth2_backends import OAuthLibCore, get_oauthlib_core
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import BaseScopes
from oauth2_provider.views.mixins import OAuthLibMixin

from .conftest import RegisteredClient

HERE = "tests.oauth2_provider.test_overrides"
called: list[str] = []


class SiteValidator(OAuth2Validator):
    """Overrides every private seam with the arguments that the toolkit gave them."""

    def _load_application(self, client_id, request):  # type: ignore[no-untyped-def]
        called.append("_load_application")
        return super()._load_application(client_id, request)

    def _create_authorization_code(self, request, code, expires=None):  # type: ignore[no-untyped-def]
        called.append("_create_authorization_code")
        return super()._create_authorization_code(request, code, expires)

    def _save_bearer_token(self, token, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        called.append("_save_bearer_token")
        super()._save_bearer_token(token, request, *args, **kwargs)
        token["tenant"] = "main"

    def _create_access_token(self, expires, request, token, source_refresh_token=None):  # type: ignore[no-untyped-def]
        called.append(f"_create_access_token {source_refresh_token is not None}")
        return super()._create_access_token(expires, request, token, source_refresh_token)

    def _create_refresh_token(self, request, refresh_token_code, access_token, previous_refresh_token=None):  # type: ignore[no-untyped-def]
        called.append(f"_create_refresh_token {previous_refresh_token is not None}")
        return super()._create_refresh_token(
            request, refresh_token_code, access_token, previous_refresh_token
        )

    def _get_token_from_authentication_server(
        self, token, introspection_url, introspection_token, introspection_credentials
    ):  # type: ignore[no-untyped-def]
        called.append(f"_get_token_from_authentication_server {introspection_url}")

    def get_original_scopes(self, refresh_token, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        called.append("get_original_scopes")
        return super().get_original_scopes(refresh_token, request, *args, **kwargs)


class SiteCore(OAuthLibCore):
    def _get_extra_credentials(self, request: HttpRequest) -> dict[str, Any]:
        return {"from": request.path}


class OwnScopes(BaseScopes):
    def get_all_scopes(self) -> dict[str, str]:
        return {"mail": "Read your mail"}

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return ["mail"] if application.name == "The client" else []

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return ["mail"]


def own_token(request: Any, refresh_token: bool = False) -> str:
    return f"own-{request.client.client_id}-{len(called)}"


def longer(request: Any) -> int:
    return 7200 if request.client.name == "The client" else 60


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    called.clear()


def test_the_private_seams_are_called_with_the_arguments_they_had(
    register: Callable[..., RegisteredClient], exchange: Any, client: Client, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_VALIDATOR_CLASS": f"{HERE}.SiteValidator"}
    registered = register()
    tokens = exchange(registered)
    assert tokens["tenant"] == "main"
    assert {"_load_application", "_create_authorization_code", "_save_bearer_token"} <= set(called)
    assert {"_create_access_token False", "_create_refresh_token False"} <= set(called)
    called.clear()
    refreshed = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": registered.basic},
    )
    assert refreshed.json()["tenant"] == "main"
    assert called == [
        "_load_application",
        "get_original_scopes",
        "_save_bearer_token",
        "_create_access_token True",
        "_create_refresh_token True",
    ]


@pytest.mark.urls("tests.oauth2_provider.urls")
def test_the_question_to_another_server_is_a_seam(client: Client, db: None, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {
        "OAUTH2_VALIDATOR_CLASS": f"{HERE}.SiteValidator",
        "RESOURCE_SERVER_INTROSPECTION_URL": "https://as.example/introspect/",
    }
    assert client.get("/resource/", headers={"authorization": "Bearer x"}).status_code == 401
    assert called == ["_get_token_from_authentication_server https://as.example/introspect/"]


def test_scopes_generators_and_lifetimes_are_the_sites(
    register: Callable[..., RegisteredClient], exchange: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {
        "SCOPES_BACKEND_CLASS": f"{HERE}.OwnScopes",
        "ACCESS_TOKEN_GENERATOR": f"{HERE}.own_token",
        "ACCESS_TOKEN_EXPIRE_SECONDS": longer,
    }
    tokens = exchange(register(client_id="web"), scope=None)
    assert tokens["access_token"] == "own-web-0"
    assert (tokens["scope"], tokens["expires_in"]) == ("mail", 7200)


def test_extra_credentials_reach_the_response(
    register: Callable[..., RegisteredClient], exchange: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_BACKEND_CLASS": f"{HERE}.SiteCore"}
    assert exchange(register())["from"] == "/o/token/"
    assert type(get_oauthlib_core()) is SiteCore


def test_a_view_may_name_its_own_classes() -> None:
    class OwnView(OAuthLibMixin):
        validator_class = SiteValidator
        oauthlib_backend_class = SiteCore

    core = OwnView.get_oauthlib_core()
    assert type(core) is SiteCore
    assert type(core.server.request_validator) is SiteValidator


def test_verify_request_works_for_a_plain_request(
    db: None, rf: RequestFactory, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        valid, oauth_request = get_oauthlib_core().verify_request(
            rf.get("/", headers={"authorization": "Bearer unknown"}), scopes=[]
        )
    assert not valid
    assert oauth_request.oauth2_error["error"] == "invalid_token"


def test_the_models_are_found_where_they_were(db: None) -> None:
    from oauth2_provider import oauth2_validators

    found = [
        getattr(oauth2_validators, name) for name in ("Application", "AccessToken", "Grant", "RefreshToken")
    ]
    assert found == [Application, AccessToken, Grant, RefreshToken]
