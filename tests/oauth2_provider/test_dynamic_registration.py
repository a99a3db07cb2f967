"""Registering a client: what it may say, what it is told, who may (RFC 7591)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.http import HttpRequest
from django.test import Client, override_settings
from django.utils import timezone
from jwcrypto.jwk import JWK, JWKSet

from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import AccessToken, Application

pytestmark = pytest.mark.urls("tests.oauth2_provider.urls")
CALLBACK = "https://client.example/callback"
OPEN = {
    "DCR_ENABLED": True,
    "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
}
MINIMAL = {"redirect_uris": [CALLBACK]}


class NobodyPermission:
    def has_permission(self, request: HttpRequest) -> bool:
        return False


@pytest.fixture
def open_registration(db: None) -> Iterator[None]:
    with override_settings(OAUTH2_PROVIDER=OPEN):
        yield


def post(client: Client, document: Any, **headers: str) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post("/o/register/", body, content_type="application/json", headers=headers)


def refusal(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 400
    assert answer["Cache-Control"] == "no-store"
    return answer.json()["error"], answer.json()["error_description"]


def test_a_client_registers_with_little(client: Client, open_registration: None) -> None:
    """RFC 7591 section 3.2.1: 201, not to be cached, with all registered metadata, defaults of section 2 included."""
    answer = post(client, MINIMAL)
    application = Application.objects.get()
    told = answer.json()
    assert answer.status_code == 201
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    secret, token = told.pop("client_secret"), told.pop("registration_access_token")
    assert told == {
        "client_id": application.client_id,
        "client_id_issued_at": int(application.created.timestamp()),
        "client_secret_expires_at": 0,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "registration_client_uri": f"http://testserver/o/register/{application.client_id}/",
    }
    assert check_client_secret(secret, application.client_secret)
    assert application.registration_source == Application.RegistrationSource.DCR
    assert application.user is None
    assert AccessToken.objects.get().application == application
    assert len(token) >= 43


def test_all_that_is_registered_is_returned(client: Client, open_registration: None) -> None:
    """RFC 7591 section 3.2.1: the authorization server MUST return all registered metadata about this client."""
    document = {
        "redirect_uris": [CALLBACK, "http://127.0.0.1:8080/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "client_name": "A client",
        "client_name#de": "Ein Client",
        "client_uri": "https://client.example/",
        "logo_uri": "https://client.example/logo.png",
        "scope": "read",
        "contacts": ["someone@client.example"],
        "tos_uri": "https://client.example/tos",
        "policy_uri": "https://client.example/policy",
        "jwks_uri": "https://client.example/keys",
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "1.0",
        "post_logout_redirect_uris": ["https://client.example/bye"],
        "require_pushed_authorization_requests": False,
    }
    told = post(client, document).json()
    assert {name: told.get(name) for name in document} == document
    assert "client_secret" not in told
    assert "client_secret_expires_at" not in told
    application = Application.objects.get()
    assert (application.client_type, application.client_secret) == ("public", "")
    assert application.registered_grant_types == "authorization_code refresh_token"
    assert (application.name, application.registered_scope) == ("A client", "read")


def test_keys_by_value_are_returned(client: Client, open_registration: None) -> None:
    keys = JWKSet()
    keys.add(JWK.generate(kty="EC", crv="P-256", kid="one"))
    public = keys.export(private_keys=False, as_dict=True)
    assert post(client, {**MINIMAL, "jwks": public}).json()["jwks"] == public
    private = keys.export(private_keys=True, as_dict=True)
    error, description = refusal(post(client, {**MINIMAL, "jwks": private}))
    assert (error, description) == ("invalid_client_metadata", "client_jwks must hold public keys only")


def test_unknown_members_are_ignored(client: Client, open_registration: None) -> None:
    """RFC 7591 section 2: MUST ignore any client metadata sent by the client that it does not understand."""
    document = {
        **MINIMAL,
        "magic": {"deep": [1]},
        "software_statement": "a.b.c",
        "client_id": "chosen",
        "client_secret": "chosen",
    }
    told = post(client, document).json()
    assert not {"magic", "software_statement"} & told.keys()
    assert "chosen" not in (told["client_id"], told["client_secret"])


def test_a_null_is_a_member_left_out(client: Client, open_registration: None) -> None:
    told = post(client, {**MINIMAL, "client_name": None, "grant_types": None, "jwks": None}).json()
    assert told["grant_types"] == ["authorization_code"]
    assert "client_name" not in told


@pytest.mark.parametrize(
    "uri",
    [
        "http://client.example/callback", "https://*.client.example/", "https://client.example/#fragment",
        "javascript:alert(1)", "data:text/html,x", "https://client.example/ https://evil.example/", "//x", "x", "",
        "https://user@client.example/", "https://[::1", "http://127.0.0.1.evil.example/",
    ],
)  # fmt: skip
def test_a_redirect_uri_that_can_be_hijacked_is_refused(
    client: Client, open_registration: None, uri: str
) -> None:
    """RFC 7591 section 5: redirection URI values MUST be of TLS, of the local machine or application-specific."""
    with override_settings(OAUTH2_PROVIDER={**OPEN, "ALLOW_URI_WILDCARDS": True}):
        error, description = refusal(post(client, {"redirect_uris": [CALLBACK, uri]}))
    assert error == ("invalid_redirect_uri" if uri else "invalid_client_metadata")
    assert description.isascii()
    assert not Application.objects.exists()


@pytest.mark.parametrize("grant_type", ["authorization_code", "implicit"])
@pytest.mark.parametrize("redirect_uris", [{}, {"redirect_uris": []}, {"redirect_uris": None}])
def test_clients_that_redirect_register_where_to(
    client: Client, open_registration: None, grant_type: str, redirect_uris: dict[str, Any]
) -> None:
    """RFC 7591 section 2: clients using flows with redirection MUST register their redirection URI values."""
    error, _ = refusal(post(client, {"grant_types": [grant_type], **redirect_uris}))
    assert error == "invalid_redirect_uri"


def test_a_site_lets_in_the_schemes_of_native_apps(client: Client, open_registration: None) -> None:
    document = {"redirect_uris": ["com.example.app:/callback"], "token_endpoint_auth_method": "none"}
    assert refusal(post(client, document))[0] == "invalid_redirect_uri"
    schemes = ["https", "http", "com.example.app"]
    with override_settings(OAUTH2_PROVIDER={**OPEN, "ALLOWED_REDIRECT_URI_SCHEMES": schemes}):
        assert post(client, document).status_code == 201


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "JSON object"),
        ("x", "JSON object"),
        ({"redirect_uris": CALLBACK}, "redirect_uris must be an array"),
        ({"redirect_uris": [5]}, "redirect_uris must be an array"),
        ({**MINIMAL, "client_name": 5}, "client_name must be a string"),
        ({**MINIMAL, "client_name": "a\x00b"}, "client_name must be a string"),
        ({**MINIMAL, "client_name": "\ud800"}, "client_name must be a string"),
        ({**MINIMAL, "client_name": "x" * 2001}, "client_name must be a string"),
        ({**MINIMAL, "grant_types": ["telepathy"]}, "offered are: authorization_code"),
        ({**MINIMAL, "grant_types": ["refresh_token"]}, "None of these grant_types"),
        ({**MINIMAL, "response_types": ["token"]}, "does not go with these grant_types"),
        ({**MINIMAL, "response_types": ["nonsense"]}, "does not go with these grant_types"),
        ({**MINIMAL, "grant_types": ["implicit"], "response_types": ["code"]}, "does not go with"),
        ({**MINIMAL, "token_endpoint_auth_method": "magic"}, "must be one of: client_secret_post"),
        (
            {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"},
            "client_credentials needs another",
        ),
        ({**MINIMAL, "scope": "everything"}, "None of these scopes"),
        ({**MINIMAL, "scope": ["read"]}, "scope must be a string"),
        ({**MINIMAL, "client_uri": "javascript:alert(1)"}, "client_uri must be an absolute URI"),
        ({**MINIMAL, "logo_uri": "https://a\"onerror='x'"}, "logo_uri must be an absolute URI"),
        ({**MINIMAL, "tos_uri#de": "x"}, "tos_uri#de must be an absolute URI"),
        ({**MINIMAL, "contacts": "me"}, "contacts must be an array"),
        ({**MINIMAL, "contacts": ["x"] * 51}, "at most 50 strings"),
        ({**MINIMAL, "jwks": "x"}, "jwks must be an object"),
        ({**MINIMAL, "jwks": {"keys": 5}}, "not a JWK Set"),
        ({**MINIMAL, "jwks_uri": "http://client.example/keys"}, "jwks_uri must be an absolute URI of https"),
        ({**MINIMAL, "jwks_uri": "https://client.example/" + "x" * 600}, "client_jwks_uri"),
        (
            {**MINIMAL, "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qY"}]}, "jwks_uri": "https://a/"},
            "exclude each other",
        ),
        ({**MINIMAL, "require_pushed_authorization_requests": "yes"}, "must be true or false"),
        ({**MINIMAL, "subject_type": "pairwise"}, "subject_type is not offered"),
        ({**MINIMAL, "id_token_signed_response_alg": "none"}, "algorithm"),
        (
            {**MINIMAL, "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "HS256"},
            "HS256 needs a client secret",
        ),
        ({**MINIMAL, "post_logout_redirect_uris": ["javascript:x"]}, "post_logout_redirect_uris:"),
    ],
)  # fmt: skip
def test_metadata_that_is_wrong_is_named(
    client: Client, open_registration: None, document: Any, complaint: str
) -> None:
    """RFC 7591 section 3.2.2; section 2: jwks and jwks_uri MUST NOT both be present."""
    error, description = refusal(post(client, document))
    assert error == "invalid_client_metadata"
    assert complaint in description
    assert description.isascii()
    assert not Application.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60000, b" " * 65537])
def test_a_body_that_is_no_json_is_refused(client: Client, open_registration: None, body: bytes) -> None:
    assert refusal(post(client, body))[0] == "invalid_client_metadata"


def test_a_form_is_refused(client: Client, open_registration: None) -> None:
    answer = client.post("/o/register/", {"redirect_uris": CALLBACK})
    assert refusal(answer) == ("invalid_client_metadata", "The body must be application/json.")


def test_what_the_site_does_not_offer_is_left_out_and_said(client: Client, open_registration: None) -> None:
    """RFC 7591 section 3.2.1: the server may replace values; the client is told what was registered."""
    document = {
        **MINIMAL,
        "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit"],
        "scope": "read everything",
    }
    with override_settings(OAUTH2_PROVIDER={**OPEN, "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True}):
        told = post(client, document).json()
    assert (told["grant_types"], told["scope"]) == (["authorization_code"], "read")


def test_the_scope_of_registration_tokens_is_not_to_be_had(client: Client, open_registration: None) -> None:
    """A client with that scope could pass for the owner of its registration."""
    scopes = {"read": "Read", "registration": "Register"}
    site = {**OPEN, "SCOPES": scopes, "DCR_REGISTRATION_SCOPE": "registration"}
    credentials = {"token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"]}
    with override_settings(OAUTH2_PROVIDER=site):
        told = post(client, {**credentials, "scope": "read registration"}).json()
        assert told["scope"] == "read"
        Application.objects.update(registered_scope=None)
        asked = {
            "grant_type": "client_credentials",
            "client_id": told["client_id"],
            "client_secret": told["client_secret"],
        }
        refused = client.post("/o/token/", {**asked, "scope": "registration"})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
        assert client.post("/o/token/", asked).json()["scope"] == "read"


@pytest.mark.parametrize("members", [{}, {"jwks": {}}, {"jwks": {"keys": []}}])
def test_a_client_that_authenticates_by_a_key_registers_one(
    client: Client, db: None, members: dict[str, Any]
) -> None:
    """RFC 7591 section 2: a client with private_key_jwt has keys, by value or by reference."""
    methods = {"OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic", "private_key_jwt"]}
    with override_settings(OAUTH2_PROVIDER={**OPEN, **methods}):
        document = {**MINIMAL, "token_endpoint_auth_method": "private_key_jwt", **members}
        error, description = refusal(post(client, document))
    assert error == "invalid_client_metadata"
    assert "private_key_jwt needs" in description
    assert not Application.objects.exists()


def test_a_secret_that_signs_is_not_hashed(client: Client, open_registration: None) -> None:
    told = post(client, {**MINIMAL, "id_token_signed_response_alg": "HS256"}).json()
    assert Application.objects.get().client_secret == told["client_secret"]
    assert told["id_token_signed_response_alg"] == "HS256"


@pytest.mark.django_db
def test_registration_is_off_unless_the_site_turns_it_on(client: Client) -> None:
    assert post(client, MINIMAL).status_code == 404
    assert client.get("/o/register/x/").status_code == 404


@pytest.mark.django_db
def test_by_default_users_register_clients_and_own_them(user: Any) -> None:
    with override_settings(OAUTH2_PROVIDER={"DCR_ENABLED": True}):
        stranger = post(Client(), MINIMAL)
        assert (stranger.status_code, stranger.json()["error"]) == (401, "invalid_token")
        assert stranger["WWW-Authenticate"] == 'Bearer realm="registration"'

        browser = Client(enforce_csrf_checks=True)
        browser.force_login(user)
        forged = post(browser, MINIMAL)
        assert (forged.status_code, forged.json()["error"]) == (403, "access_denied")

        browser.cookies["csrftoken"] = "x" * 32
        assert post(browser, MINIMAL, **{"X-CSRFToken": "x" * 32}).status_code == 201
    assert Application.objects.get().user == user


@pytest.mark.parametrize(
    "classes", [[], ["tests.oauth2_provider.test_dynamic_registration.NobodyPermission"]]
)
def test_who_may_not_register_is_told_so(client: Client, user: Any, classes: list[str]) -> None:
    client.force_login(user)
    site = {"DCR_ENABLED": True, "DCR_REGISTRATION_PERMISSION_CLASSES": classes}
    with override_settings(OAUTH2_PROVIDER=site):
        answer = post(client, MINIMAL)
    assert (answer.status_code, answer.json()) == (403, {"error": "access_denied"})


def test_registration_is_counted_by_address(client: Client, open_registration: None) -> None:
    cache.clear()
    with override_settings(OAUTH2_PROVIDER={**OPEN, "THROTTLE_RATES": {"register": "2/hour"}}):
        statuses = [
            post(client, MINIMAL, authorization=f"Bearer {number}").status_code for number in range(3)
        ]
    assert statuses == [201, 201, 429]


def test_a_page_elsewhere_may_register_but_not_with_cookies(client: Client, open_registration: None) -> None:
    preflight = client.options("/o/register/", headers={"origin": "https://client.example"})
    assert "POST" in preflight["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight["Access-Control-Allow-Headers"]
    answer = post(client, MINIMAL)
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_registration_token_opens_nothing_but_its_registration(
    client: Client, open_registration: None
) -> None:
    token = post(client, MINIMAL).json()["registration_access_token"]
    answer = client.get("/resource/", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_registering_is_not_using(client: Client, open_registration: None) -> None:
    post(client, MINIMAL)
    assert Application.objects.get().last_used is None


@pytest.mark.parametrize("seconds", [60, timedelta(minutes=1), None])
def test_a_registration_token_ends_when_the_setting_says(
    client: Client, open_registration: None, seconds: Any
) -> None:
    with override_settings(OAUTH2_PROVIDER={**OPEN, "DCR_REGISTRATION_TOKEN_EXPIRE_SECONDS": seconds}):
        post(client, MINIMAL)
    expires = AccessToken.objects.get().expires
    if seconds is None:
        assert expires.year == 9999
    else:
        assert 50 < (expires - timezone.now()).total_seconds() <= 60


def test_the_token_of_an_owner_who_was_deactivated_is_no_good(client: Client, user: Any) -> None:
    client.force_login(user)
    with override_settings(OAUTH2_PROVIDER={"DCR_ENABLED": True}):
        told = post(client, MINIMAL).json()
        get_user_model().objects.update(is_active=False)
        answer = client.get(
            told["registration_client_uri"],
            headers={"authorization": f"Bearer {told['registration_access_token']}"},
        )
    assert answer.status_code == 401
