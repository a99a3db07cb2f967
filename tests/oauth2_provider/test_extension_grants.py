"""Grants of a site's own at the token endpoint (RFC 6749 section 4.5)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from jwcrypto import jwk, jwt

from oauth2_provider.client import CLIENT_ASSERTION_TYPE, make_client_assertion
from oauth2_provider.extension_grants import ExtensionGrant, ExtensionGrantError, extension_grants
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.signals import app_authorized

from .conftest import RegisteredClient
from .site_grants import PARTNER_KEY

BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SITE = {
    "EXTENSION_GRANTS": [
        "tests.oauth2_provider.site_grants.JWTBearerGrant",
        "tests.oauth2_provider.site_grants.TokenExchangeGrant",
    ]
}


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    cache.clear()
    settings.OAUTH2_PROVIDER = SITE


@pytest.fixture
def partner(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    return register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)


def assertion_about(name: str, key: jwk.JWK = PARTNER_KEY) -> str:
    token = jwt.JWT(header='{"alg": "ES256"}', claims=json.dumps({"sub": name, "exp": int(time.time()) + 60}))
    token.make_signed_token(key)
    return token.serialize()


def ask(registered: RegisteredClient, grant_type: str = BEARER, **parameters: Any) -> Any:
    body = {"grant_type": grant_type, **parameters}
    return Client().post("/o/token/", body, headers={"authorization": registered.basic})


def test_a_sites_grant_gets_a_token_for_who_it_says(partner: RegisteredClient, user: Any) -> None:
    """RFC 7523 section 2.1, by a class of the site's own."""
    heard = []

    def hear(sender: Any, request: Any, token: Any, **kwargs: Any) -> None:
        heard.append(token)

    app_authorized.connect(hear)
    try:
        answer = ask(partner, assertion=assertion_about("someone"), scope="read")
    finally:
        app_authorized.disconnect(hear)
    token = AccessToken.objects.get()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.json() == {
        "access_token": token.token,
        "expires_in": 36000,
        "token_type": "Bearer",
        "scope": "read",
    }
    assert (token.user, token.application, token.scope) == (user, partner.application, "read")
    assert heard == [token]


def test_a_refresh_token_goes_along_where_the_grant_says_so(partner: RegisteredClient, user: Any) -> None:
    answer = ask(partner, assertion=assertion_about("someone"), refresh="1")
    refresh_token = answer.json()["refresh_token"]
    assert RefreshToken.objects.get(token=refresh_token).user == user
    assert ask(partner, "refresh_token", refresh_token=refresh_token).status_code == 200


def test_a_grant_says_scopes_resource_and_what_else_is_answered(partner: RegisteredClient, user: Any) -> None:
    """RFC 8693 section 2.2.1, by a class of the site's own."""
    AccessToken.objects.create(
        token="outer", user=user, application=partner.application, scope="read",
        expires=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    answer = ask(partner, EXCHANGE, subject_token="outer")
    assert answer.json()["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    token = AccessToken.objects.get(token=answer.json()["access_token"])
    assert (token.user, token.scope, token.resource) == (user, "read", ["https://inner.example/"])
    refused = ask(partner, EXCHANGE, subject_token="unknown")
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})


def test_what_the_grant_refuses_is_said_to_the_client(partner: RegisteredClient, user: Any) -> None:
    """RFC 6749 section 5.2."""
    missing = ask(partner)
    assert (missing.status_code, missing.json()) == (
        400,
        {"error": "invalid_request", "error_description": "The assertion parameter is missing."},
    )
    other = jwk.JWK.generate(kty="EC", crv="P-256")
    forged = ask(partner, assertion=assertion_about("someone", other))
    assert (forged.status_code, forged.json()["error"]) == (400, "invalid_grant")
    unknown = ask(partner, assertion=assertion_about("nobody"))
    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_grant")
    type(user).objects.update(is_active=False)
    inactive = ask(partner, assertion=assertion_about("someone"))
    assert (inactive.status_code, inactive.json()) == (400, {"error": "invalid_grant"})
    assert not AccessToken.objects.exists()


def test_the_client_authenticates_before_the_grant_is_asked(partner: RegisteredClient, user: Any) -> None:
    """RFC 6749 section 3.2.1: confidential clients MUST authenticate with the authorization server."""
    body = {"grant_type": BEARER, "assertion": assertion_about("someone")}
    for credentials in ({}, {"client_id": partner.application.client_id}):
        refused = Client().post("/o/token/", {**body, **credentials})
        assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    guess = RegisteredClient(application=partner.application, secret="guess")
    assert ask(guess, assertion=assertion_about("someone")).status_code == 401


def test_a_client_that_signs_uses_a_sites_grant(register: Callable[..., RegisteredClient], user: Any) -> None:
    key = jwk.JWK.generate(kty="RSA", size=2048)
    application = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="private_key_jwt",
        client_jwks=json.dumps({"keys": [key.export_public(as_dict=True)]}),
    ).application
    body = {
        "grant_type": BEARER,
        "assertion": assertion_about("someone"),
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": make_client_assertion(application.client_id, "http://testserver/o", key),
    }
    assert Client().post("/o/token/", body).status_code == 200


def test_not_every_client_may_use_it(register: Callable[..., RegisteredClient], user: Any) -> None:
    web = register()
    refused = ask(web, assertion=assertion_about("someone"))
    assert (refused.status_code, refused.json()) == (400, {"error": "unauthorized_client"})
    named = register(authorization_grant_type=BEARER)
    assert ask(named, assertion=assertion_about("someone")).status_code == 200


def test_scopes_and_resources_are_checked_as_for_every_grant(partner: RegisteredClient, user: Any) -> None:
    scope = ask(partner, assertion=assertion_about("someone"), scope="everything")
    assert (scope.status_code, scope.json()) == (400, {"error": "invalid_scope"})
    resource = ask(partner, assertion=assertion_about("someone"), resource="no uri")
    assert (resource.status_code, resource.json()["error"]) == (400, "invalid_target")
    ask(partner, assertion=assertion_about("someone"), resource="https://api.example/")
    assert AccessToken.objects.get().resource == ["https://api.example/"]


def test_a_sites_grant_is_throttled_with_the_endpoint(
    partner: RegisteredClient, user: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {**SITE, "THROTTLE_RATES": {"token": "1/hour"}}
    answers = [ask(partner, assertion=assertion_about("someone")).status_code for _ in range(2)]
    assert answers == [200, 429]


def test_the_metadata_lists_it(client: Client, db: None) -> None:
    """RFC 8414 section 2, grant_types_supported."""
    document = client.get("/o/.well-known/oauth-authorization-server").json()
    assert document["grant_types_supported"][-2:] == [BEARER, EXCHANGE]


def test_without_the_setting_the_grant_is_unsupported(partner: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {}
    refused = ask(partner, assertion="x")
    assert (refused.status_code, refused.json()) == (400, {"error": "unsupported_grant_type"})


def test_a_grant_type_that_is_no_uri_is_a_mistake_in_the_settings(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"EXTENSION_GRANTS": ["tests.oauth2_provider.site_grants.NamelessGrant"]}
    with pytest.raises(ImproperlyConfigured, match=r"NamelessGrant\.grant_type must be an absolute URI"):
        extension_grants()


def test_an_error_that_the_rfc_does_not_know_is_a_mistake_in_the_grant() -> None:
    with pytest.raises(ValueError, match="none of invalid_request"):
        ExtensionGrantError("x", error="oops")
    with pytest.raises(NotImplementedError, match=r"must implement authorize\(\)"):
        ExtensionGrant().authorize(None)
