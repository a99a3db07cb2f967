"""Rules of the specifications around OAuth 2.0 that cut across endpoints: see docs/conformance-oauth-extensions.md."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client, override_settings
from jwcrypto import jwk, jws
from jwcrypto.common import JWSEHeaderParameter

from oauth2_provider.models import Application, DeviceGrant, Grant, PushedAuthorizationRequest
from tests.databases import EngineDatabase
from tests.engines import on_servers

from .conftest import REDIRECT_URI, RegisteredClient
from .test_client_assertions import REFUSED, TOKEN, assertion_of, key_set, outcome
from .test_client_assertions import ask as ask_by_assertion
from .test_device_flow import poll, start
from .test_dynamic_registration import MINIMAL, OPEN, post
from .test_pushed_requests import consent, push, pushed_uri, visit
from .test_races import at_once
from .test_registration_management import bearer, put

Register = Callable[..., RegisteredClient]
DEVICE = {
    "client_type": Application.CLIENT_PUBLIC,
    "authorization_grant_type": Application.GRANT_DEVICE_CODE,
    "redirect_uris": "",
}

MAGIC = {"magic": JWSEHeaderParameter("Known to the client alone", False, True, lambda header: True)}


@pytest.fixture(autouse=True)
def _nobody_counted() -> None:
    cache.clear()


@pytest.fixture
def open_registration(db: None) -> Any:
    with override_settings(OAUTH2_PROVIDER=OPEN):
        yield


# -- the device flow, RFC 8628


def test_a_device_parameter_without_a_value_is_left_out_and_an_unknown_one_ignored(
    register: Register,
) -> None:
    """RFC 8628 section 3.1: without a value MUST be treated as if omitted; MUST ignore unrecognized parameters."""
    television = register(**DEVICE)
    start(television, scope="", resource="", client_secret="", magic="wand")
    assert DeviceGrant.objects.get().scope == "read write"  # the defaults, as for no scope at all
    DeviceGrant.objects.all().delete()
    started = start(television, magic="wand")
    pending = poll(television, started["device_code"], scope="", client_secret="", magic="wand")
    assert (pending.status_code, pending.json()) == (400, {"error": "authorization_pending"})


def test_device_and_user_codes_are_long_enough_and_never_the_same(register: Register) -> None:
    """RFC 8628 sections 5.1 and 5.2: user codes of enough entropy for the attempts; device codes beyond guessing."""
    television = register(**DEVICE)
    started = [start(television) for _ in range(20)]
    assert len({answer["device_code"] for answer in started}) == 20
    assert len({answer["user_code"] for answer in started}) == 20
    assert min(len(answer["device_code"]) for answer in started) >= 43  # 256 bits in base64
    assert min(len(answer["user_code"]) for answer in started) >= 8  # 40 bits in base32


@on_servers
def test_of_polls_at_the_same_moment_all_but_one_are_slowed_down(engine: EngineDatabase) -> None:
    """RFC 8628 section 3.5: each poll before its time MUST make the interval longer by 5 seconds."""
    application = Application.objects.create(client_id="television", **DEVICE)
    television = RegisteredClient(application=application, secret="")
    device_code = start(television)["device_code"]
    answers = at_once(*[lambda: poll(television, device_code)] * 4)
    errors = sorted(answer.json()["error"] for answer in answers)
    assert errors == ["authorization_pending", "slow_down", "slow_down", "slow_down"]
    assert DeviceGrant.objects.get().interval == 5 + 3 * 5


@pytest.mark.parametrize("path", ["device-authorization", "par", "token", "revoke_token"])
def test_a_client_that_names_another_than_it_authenticates_is_refused(register: Register, path: str) -> None:
    """RFC 6749 section 3.2.1, RFC 8628 section 3.1, RFC 9126 section 2.1: all of it is one client's."""
    printer = register(registered_grant_types=f"authorization_code {Application.GRANT_DEVICE_CODE}")
    other = register(client_id="other").application
    body = {"client_id": other.client_id, "grant_type": "authorization_code", "token": "x", "code": "x"}
    refused = Client().post(f"/o/{path}/", body, headers={"authorization": printer.basic})
    assert refused.status_code in (400, 401)
    assert refused.json()["error"] in ("invalid_client", "invalid_request")
    assert not DeviceGrant.objects.exists()
    assert not PushedAuthorizationRequest.objects.exists()


# -- pushed requests, RFC 9126


@pytest.mark.parametrize("change", ["redirect_uri", "scope", "grant", "gone"])
def test_what_changed_since_the_push_counts_when_the_user_comes(
    client: Client, user: Any, register: Register, change: str
) -> None:
    """RFC 9126 section 4: MUST validate requests arising from a pushed request as any other authorization request."""
    registered = register()
    application = registered.application
    request_uri = pushed_uri(registered)
    if change == "redirect_uri":
        application.redirect_uris = "https://client.example/moved"
    elif change == "scope":
        application.registered_scope = "write"
    elif change == "grant":
        application.authorization_grant_type = Application.GRANT_CLIENT_CREDENTIALS
    application.save()
    if change == "gone":
        application.delete()
    client.force_login(user)
    answer = visit(client, registered, request_uri)
    if answer.status_code == 302:  # the redirect URI is still the client's
        expected = {"scope": "error=invalid_scope", "grant": "error=unauthorized_client"}[change]
        assert answer["Location"].startswith(REDIRECT_URI)
        assert expected in answer["Location"]
    else:
        assert answer.status_code == 400
        assert change in ("redirect_uri", "gone")
        assert REDIRECT_URI not in answer.get("Location", "")
    assert not Grant.objects.exists()


@on_servers
def test_of_browsers_that_race_with_one_request_uri_one_sees_the_question(engine: EngineDatabase) -> None:
    """RFC 9126 sections 4 and 7.3: one-time use, over the whole way, not only in the table."""
    application = Application(authorization_grant_type="authorization-code", redirect_uris=REDIRECT_URI)
    application.client_type, secret = Application.CLIENT_CONFIDENTIAL, application.client_secret
    application.save()
    registered = RegisteredClient(application=application, secret=secret)
    request_uri = pushed_uri(registered)
    browsers = [Client() for _ in range(4)]
    for number, browser in enumerate(browsers):
        browser.force_login(get_user_model().objects.create_user(f"user {number}"))
    pages = at_once(
        *[lambda browser=browser: visit(browser, registered, request_uri) for browser in browsers]
    )
    assert sorted(page.status_code for page in pages) == [200, 400, 400, 400]
    [(browser, page)] = [pair for pair in zip(browsers, pages, strict=True) if pair[1].status_code == 200]
    assert "code" in consent(browser, page)
    assert visit(browser, registered, request_uri).status_code == 400


def test_an_unregistered_redirect_uri_is_taken_from_nobody(register: Register) -> None:
    """RFC 9126 section 7.2: MUST only accept new redirect URIs from authenticated clients; this server takes none."""
    elsewhere = "https://elsewhere.example/"
    assert push(register(), redirect_uri=elsewhere).json()["error"] == "invalid_request"
    public = register(client_type=Application.CLIENT_PUBLIC).application
    body = {"client_id": public.client_id, "response_type": "code", "redirect_uri": elsewhere}
    assert Client().post("/o/par/", body).json()["error"] == "invalid_request"
    assert not PushedAuthorizationRequest.objects.exists()


# -- assertions, RFC 7521 and RFC 7523


@pytest.fixture(scope="module")
def rsa() -> jwk.JWK:
    return jwk.JWK.generate(kty="RSA", size=2048, kid="rsa")


@pytest.fixture
def machine(register: Register, rsa: jwk.JWK) -> Application:
    return register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="private_key_jwt",
        client_jwks=key_set(rsa),
    ).application


def test_a_request_has_one_assertion(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 2.2: client_assertion MUST NOT contain more than one JWT."""
    one, other = (assertion_of(machine, rsa) for _ in range(2))
    repeated = ask_by_assertion([one, other])
    assert (repeated.status_code, repeated.json()["error"]) == (400, "invalid_request")
    assert outcome(ask_by_assertion(f"{one} {other}")) == REFUSED
    assert ask_by_assertion(one).status_code == 200  # neither was used up


def test_names_are_compared_character_by_character(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 3 items 1 and 3: MUST compare by Simple String Comparison (RFC 3986 section 6.2.1)."""
    audiences = [TOKEN.upper(), TOKEN.rstrip("/"), f"{TOKEN}?", TOKEN.replace("testserver", "testserver:80")]
    for audience in audiences:
        assert outcome(ask_by_assertion(assertion_of(machine, rsa, aud=audience))) == REFUSED
    for name in (machine.client_id.swapcase(), f"{machine.client_id} "):
        assert outcome(ask_by_assertion(assertion_of(machine, rsa, iss=name))) == REFUSED


def test_a_header_that_must_be_understood_and_is_not_is_refused(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 3 item 10: MUST reject what is no valid JWT in other respects; RFC 7515 section 4.1.11: crit."""
    claims = {"iss": machine.client_id, "sub": machine.client_id, "aud": TOKEN, "exp": time.time() + 60}
    outcomes = []
    for number, header in enumerate(({"crit": ["magic"], "magic": 1}, {})):
        signature = jws.JWS(json.dumps({**claims, "jti": str(number)}), header_registry=MAGIC)
        signature.add_signature(rsa, alg="RS256", protected=json.dumps({"alg": "RS256", **header}))
        outcomes.append(ask_by_assertion(signature.serialize(compact=True)).status_code)
    assert outcomes == [401, 200]


# -- registration, RFC 7591 and RFC 7592


def test_every_client_gets_credentials_of_its_own(client: Client, open_registration: None) -> None:
    """RFC 7591 section 3.2.1: the secret MUST be unique; RFC 7592 section 5: enough entropy in the token, MUST."""
    told = [post(client, MINIMAL).json() for _ in range(10)]
    for name in ("client_id", "client_secret", "registration_access_token"):
        assert len({one[name] for one in told}) == 10
        assert min(len(one[name]) for one in told) >= 40


def test_what_a_client_says_of_itself_gives_it_no_rights(client: Client, open_registration: None) -> None:
    """RFC 7591 section 5: MUST treat all client metadata as self-asserted."""
    claims = {"skip_authorization": True, "user": 1, "registration_source": "manual", "allowed_origins": "*"}
    told = post(client, {**MINIMAL, **claims, "software_id": "that of a famous client"}).json()
    application = Application.objects.get()
    assert (application.skip_authorization, application.user, application.allowed_origins) == (
        False,
        None,
        "",
    )
    assert application.registration_source == Application.RegistrationSource.DCR
    assert not claims.keys() & told.keys()


def test_a_name_is_shown_as_it_was_registered(client: Client, user: Any, open_registration: None) -> None:
    """RFC 7591 section 2.2: a string without a language tag MUST be used as is wherever it is presented."""
    name = "Ünïcode & <b>客户端</b>"
    told = post(client, {**MINIMAL, "client_name": name, "client_name#de": "Anders"}).json()
    assert (told["client_name"], told["client_name#de"]) == (name, "Anders")
    client.force_login(user)
    query = {"response_type": "code", "client_id": told["client_id"], "code_challenge": "x" * 43}
    page = client.get("/o/authorize/", {**query, "code_challenge_method": "S256"})
    assert page.status_code == 200
    assert "Ünïcode &amp; &lt;b&gt;客户端&lt;/b&gt;" in page.content.decode()


def test_a_grant_type_is_registered_under_the_name_it_has_on_the_wire(
    client: Client, open_registration: None
) -> None:
    """RFC 7591 section 2: grant_types MUST be the grant_type values of the token endpoint."""
    device = "urn:ietf:params:oauth:grant-type:device_code"
    told = post(client, {"grant_types": [device], "token_endpoint_auth_method": "none"}).json()
    assert told["grant_types"] == [device]
    body = {"client_id": told["client_id"], "grant_type": device, "device_code": "unknown"}
    assert client.post("/o/token/", body).json() == {"error": "invalid_grant"}
    body = {"client_id": told["client_id"], "grant_type": "authorization_code", "code": "x"}
    assert client.post("/o/token/", body).json()["error"] in ("unauthorized_client", "invalid_grant")


def test_a_method_that_is_not_supported_is_refused(client: Client, open_registration: None) -> None:
    """RFC 7592 section 2: MUST respond with the appropriate error code; RFC 7591 section 3: the endpoint takes POST."""
    told = post(client, MINIMAL).json()
    for method in ("post", "patch"):
        answer = getattr(client, method)(told["registration_client_uri"], headers=bearer(told))
        assert answer.status_code == 405
    assert {client.get("/o/register/").status_code, client.put("/o/register/").status_code} == {405}
    assert Application.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_client_that_is_not_allowed_is_told_403(
    client: Client, open_registration: None, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """RFC 7592 sections 2.1, 2.2, 2.3: without permission to read, update or delete itself MUST return 403."""
    told = post(client, MINIMAL).json()
    monkeypatch.setattr(Application, "is_usable", lambda self, request: False)
    answer = getattr(client, method)(told["registration_client_uri"], headers=bearer(told))
    assert (answer.status_code, answer.json()) == (403, {"error": "access_denied"})
    assert Application.objects.count() == 1


def test_what_an_update_had_replaced_is_returned(client: Client, open_registration: None) -> None:
    """RFC 7592 section 2.2: MAY replace invalid values, and MUST return any such fields in the response."""
    told = post(client, MINIMAL).json()
    updated = put(
        client, told, scope="read telepathy", grant_types=["authorization_code", "telepathy"]
    ).json()
    assert (updated["scope"], updated["grant_types"]) == ("read", ["authorization_code"])
    assert (
        updated["registration_client_uri"] == told["registration_client_uri"]
    )  # appendix B: fully qualified, MUST
    assert updated["registration_client_uri"].startswith("http://testserver/")


def test_a_registration_that_the_sites_rows_hold_is_not_ended_by_its_client(
    client: Client, open_registration: None
) -> None:
    """RFC 7592 section 2.3: if the client is not allowed to delete itself, the server MUST respond with 403."""

    def hold(sender: Any, instance: Any, **kwargs: Any) -> None:
        raise ProtectedError("The site's own row holds it.", {instance})

    told = post(client, MINIMAL).json()
    pre_delete.connect(hold, sender=Application)
    try:
        answer = client.delete(told["registration_client_uri"], headers=bearer(told))
    finally:
        pre_delete.disconnect(hold, sender=Application)
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 200
