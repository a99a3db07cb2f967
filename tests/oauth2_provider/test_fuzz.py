"""Requests that nobody would write: each gets an answer that the RFCs name, none a server error.

A short form by default. The long one: FUZZ_EXAMPLES=20000 pytest tests/oauth2_provider/test_fuzz.py
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwcrypto import jwk, jwt

from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    PushedAuthorizationRequest,
    RefreshToken,
)
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER
from .openid import KEY

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
FORM = "application/x-www-form-urlencoded"
ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "unsupported_token_type",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "unsupported_response_type",
    "request_not_supported",
    "request_uri_not_supported",
}
"""RFC 6749 sections 4.1.2.1 and 5.2, RFC 7009 section 2.2.1, RFC 8707 section 2, RFC 8628 section 3.5, RFC 9126."""
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
"""RFC 6749 appendix A.8."""

BYE = "https://client.example/bye"


def signed_hint() -> str:
    """Return an ID token for "web", of a user who may not be there, whose row is gone."""
    key = jwk.JWK.from_pem(KEY.encode())
    header = {"alg": "RS256", "kid": key.thumbprint()}
    token = jwt.JWT(header=header, claims={"aud": "web", "sub": "1", "exp": 1, "jti": "x"})
    token.make_signed_token(key)
    return str(token.serialize())


HINT = signed_hint()
KNOWN = {
    "grant_type": [
        "authorization_code",
        "refresh_token",
        "password",
        "client_credentials",
        "implicit",
        DEVICE_CODE,
    ],
    "response_type": ["code", "token", "code token", "none", "id_token", "code id_token", "token id_token x"],
    "client_id": ["web", "machine", "spa", "hybrid", "television", "unknown"],
    "device_code": ["a device code", "a waiting device code"],
    "user_code": ["BCDF", "b-c d-f", "BCDG"],
    "action": ["accept", "deny"],
    "request_uri": [
        "urn:ietf:params:oauth:request_uri:pushed",
        "urn:ietf:params:oauth:request_uri:",
        "https://x",
    ],
    "request": ["a.b.c"],
    "client_assertion_type": [JWT_BEARER],
    "client_assertion": [
        "a.b.c",
        "e30.e30.e30",
        "e30.eyJzdWIiOiAid2ViIn0.e30",
        "eyJhbGciOiBbXX0.eyJzdWIiOiAid2ViIn0.e30",
    ],
    "client_secret": ["a secret"],
    "redirect_uri": [REDIRECT_URI, "https://evil.example", "app:/x", "//"],
    "code": ["a code"],
    "code_verifier": [VERIFIER, "x" * 128],
    "code_challenge": [CHALLENGE, "x" * 43],
    "code_challenge_method": ["S256", "plain"],
    "refresh_token": ["a refresh token"],
    "token": ["an access token", "a refresh token"],
    "token_type_hint": ["access_token", "refresh_token"],
    "access_token": ["an access token"],
    "scope": ["read", "read write", " ", "read  read", "openid", "openid read"],
    "state": ["a state"],
    "nonce": ["n", "n" * 300],
    "resource": ["https://api.example/", "urn:x", "https://[", "x"],
    "response_mode": ["query", "fragment", "form_post"],
    "prompt": ["login", "none", "consent", "select_account", "create", "login consent", "none login", "x"],
    "asked": ["x", "e30:a:b"],
    "account": ["this", "other", "x"],
    "login_hint": ["someone", "x" * 300],
    "acr_values": ["urn:mfa"],
    "post_logout_redirect_uri": [BYE, "https://evil.example", "javascript:x", "//"],
    "logout_hint": ["someone"],
    "csrfmiddlewaretoken": ["x"],
    "approval_prompt": ["auto", "force"],
    "claims": [
        "{}",
        "[",
        "null",
        "5",
        '{"userinfo": {}}',
        '{"id_token": {"sub": {"value": "1"}, "acr": {"essential": true}}}',
        '{"userinfo": {"email": {"values": [[], {}]}, "sub": {"values": 5}}}',
        '{"id_token": {"sub": {"values": [1]}}}',
    ],
    "id_token_hint": [
        HINT,
        "x",
        "a.b.c",
        "e30.e30.e30",
        "e30.eyJhdWQiOiAid2ViIn0.e30",
        "e30.eyJhdWQiOiA1fQ.x",
    ],
    "max_age": ["0", "x", "60", "9" * 20, "\u0663", "-1"],
    "display": ["page"],
    "username": ["someone"],
    "password": ["a password"],
    "consent": ["a:b:c"],
    "allow": ["1"],
    "client": ["web"],
    "user": ["1"],
    "grant": ["x"],
    "refresh_token_instance": ["x"],
    "id_token_instance": ["x"],
    "authentication": ["{}"],
}
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
parameter = st.one_of(
    st.sampled_from([(name, value) for name, values in KNOWN.items() for value in values]),
    st.tuples(st.sampled_from([*KNOWN]), text),
    st.tuples(text, text),
)
sensible = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in KNOWN.items()}
)
parameters = st.one_of(sensible.map(lambda chosen: [*chosen.items()]), st.lists(parameter, max_size=12))


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


headers = st.one_of(
    st.just({}),
    st.sampled_from(["web:a secret", "machine:a secret", "web:wrong", "%00:x", ":"]).map(
        lambda credentials: {"authorization": basic(credentials)}
    ),
    st.just({"authorization": "Bearer an access token"}),
    st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n")).map(
        lambda value: {"authorization": value, "origin": value}
    ),
)


@dataclass(frozen=True, kw_only=True)
class Body:
    content: bytes
    content_type: str


forms = parameters.map(lambda chosen: Body(content=urlencode(chosen).encode(), content_type=FORM))
bodies = st.one_of(
    forms,
    forms,
    st.builds(Body, content=st.binary(max_size=200), content_type=st.just(FORM)),
    st.builds(
        Body,
        content=st.one_of(
            st.binary(max_size=60), parameters.map(lambda chosen: json.dumps(dict(chosen)).encode())
        ),
        content_type=st.sampled_from(
            [
                "",
                "application/json",
                "multipart/form-data; boundary=x",
                "text/plain",
                f"{FORM}; charset=utf-7",
            ]
        ),
    ),
)
raw_queries = st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
queries = st.one_of(st.just(""), parameters.map(urlencode), raw_queries)
briefly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def site(engine: EngineDatabase) -> Iterator[Client]:
    """Return a logged-in client of a site with something to find; each example leaves it as it was."""
    user = get_user_model().objects.create_user("someone", password="a password")
    kinds = {
        "web": (Application.GRANT_AUTHORIZATION_CODE, Application.CLIENT_CONFIDENTIAL),
        "machine": (Application.GRANT_CLIENT_CREDENTIALS, Application.CLIENT_CONFIDENTIAL),
        "spa": (Application.GRANT_IMPLICIT, Application.CLIENT_PUBLIC),
        "television": (Application.GRANT_DEVICE_CODE, Application.CLIENT_PUBLIC),
        "hybrid": (Application.GRANT_OPENID_HYBRID, Application.CLIENT_CONFIDENTIAL),
    }
    for client_id, (grant_type, client_type) in kinds.items():
        Application.objects.create(
            client_id=client_id,
            client_secret="a secret",
            authorization_grant_type=grant_type,
            client_type=client_type,
            redirect_uris=REDIRECT_URI,
            post_logout_redirect_uris=BYE,
            algorithm=Application.RS256_ALGORITHM,
        )
    web = Application.objects.get(client_id="web")
    later = timezone.now() + timedelta(hours=1)
    common = {"user": user, "application": web}
    access_token = AccessToken.objects.create(token="an access token", scope="read", expires=later, **common)
    RefreshToken.objects.create(token="a refresh token", access_token=access_token, **common)
    Grant.objects.create(
        code="a code", expires=later, redirect_uri=REDIRECT_URI, scope="read", code_challenge=CHALLENGE,
        code_challenge_method="S256", **common,
    )  # fmt: skip
    device = {"client_id": "television", "scope": "read", "expires": later}
    DeviceGrant.objects.create(
        device_code="a device code", user_code="BCDF", user=user, status=DeviceGrant.AUTHORIZED, **device
    )
    DeviceGrant.objects.create(device_code="a waiting device code", user_code="BCDG", **device)
    pushed = {"response_type": "code", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    PushedAuthorizationRequest.objects.create(
        request_uri="urn:ietf:params:oauth:request_uri:pushed",
        client_id="web",
        parameters=pushed,
        expires=later,
    )
    client = Client()
    client.force_login(user)
    yield client


def send(
    site: Client, method: str, path: str, query: str, body: Body, request_headers: dict[str, str]
) -> Any:
    """Return the answer; an exception in the server is raised here."""
    cookies = site.cookies.copy()
    with transaction.atomic():
        answer = site.generic(
            method,
            path,
            body.content,
            body.content_type,
            query_string=query.encode("latin-1", "replace"),
            headers=request_headers,
        )
        transaction.set_rollback(True)
    site.cookies = cookies
    return answer


@on_every_engine
@pytest.mark.parametrize("path", ["/o/token/", "/o/revoke_token/", "/o/device-authorization/", "/o/par/"])
@given(query=st.one_of(st.just(""), st.just(""), queries), body=bodies, request_headers=headers)
@briefly
def test_what_is_posted_gets_an_error_of_the_rfc(
    engine: EngineDatabase, site: Client, path: str, query: str, body: Body, request_headers: dict[str, str]
) -> None:
    """RFC 6749 section 5.2, RFC 7009 section 2.2.1."""
    answer = send(site, "POST", path, query, body, request_headers)
    assert answer.status_code in (200, 201, 400, 401)
    if answer.status_code >= 400:
        assert answer.json()["error"] in ERRORS
        assert DESCRIPTION.fullmatch(answer.json().get("error_description", ""))


@on_every_engine
@given(method=st.sampled_from(["GET", "POST"]), query=queries, body=bodies, request_headers=headers)
@briefly
def test_the_introspection_endpoint_answers_all(
    engine: EngineDatabase, site: Client, method: str, query: str, body: Body, request_headers: dict[str, str]
) -> None:
    """RFC 7662 section 2.3."""
    answer = send(site, method, "/o/introspect/", query, body, request_headers)
    assert answer.status_code in (200, 400, 401, 403)
    if answer.status_code == 200:
        assert isinstance(answer.json()["active"], bool)


@on_every_engine
@pytest.mark.parametrize("is_openid", [False, True], ids=["OAuth", "OpenID"])
@given(method=st.sampled_from(["GET", "GET", "POST"]), query=queries, body=bodies)
@briefly
def test_the_authorization_endpoint_redirects_to_the_client_or_nowhere(
    engine: EngineDatabase, site: Client, is_openid: bool, method: str, query: str, body: Body
) -> None:
    """RFC 6749 section 4.1.2.1."""
    scopes = {"openid": "Who you are", "read": "Read", "write": "Write"}
    provider = {"OIDC_ENABLED": is_openid, "OIDC_RSA_PRIVATE_KEY": KEY, "SCOPES": scopes}
    with override_settings(OAUTH2_PROVIDER=provider):
        answer = send(site, method, "/o/authorize/", query, body, {})
    assert answer.status_code in (200, 302, 303, 400)
    if answer.status_code in (302, 303):
        assert answer["Location"].startswith((REDIRECT_URI, "/accounts/login/?", "/o/authorize/?"))
        location = urlsplit(answer["Location"])
        for said in parse_qs(location.query or location.fragment).get("error_description", []):
            assert DESCRIPTION.fullmatch(said)


@on_every_engine
@given(method=st.sampled_from(["GET", "POST"]), query=queries, body=bodies, request_headers=headers)
@briefly
def test_userinfo_answers_all(
    engine: EngineDatabase, site: Client, method: str, query: str, body: Body, request_headers: dict[str, str]
) -> None:
    """OpenID Connect Core 1.0 section 5.3.3."""
    with override_settings(OAUTH2_PROVIDER={"OIDC_ENABLED": True, "SCOPES": {"openid": "Who you are"}}):
        answer = send(site, method, "/o/userinfo/", query, body, request_headers)
    assert answer.status_code in (200, 400, 401, 403)


@on_every_engine
@pytest.mark.parametrize(
    "path", ["device/", "device-confirm/television/BCDG", "device-grant-status/television/BCDF"]
)
@given(method=st.sampled_from(["GET", "POST"]), query=queries, body=bodies)
@briefly
def test_the_pages_of_the_device_flow_answer_all(
    engine: EngineDatabase, site: Client, path: str, method: str, query: str, body: Body
) -> None:
    """RFC 8628 section 3.3."""
    answer = send(site, method, f"/o/{path}", query, body, {})
    assert answer.status_code in (200, 302, 400, 404, 405)


@on_every_engine
@given(method=st.sampled_from(["GET", "POST"]), query=queries, body=bodies)
@briefly
def test_logout_goes_to_a_registered_uri_or_home(
    engine: EngineDatabase, site: Client, method: str, query: str, body: Body
) -> None:
    """OpenID Connect RP-Initiated Logout 1.0 section 3."""
    provider = {
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": KEY,
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
    }
    with override_settings(OAUTH2_PROVIDER=provider):
        answer = send(site, method, "/o/logout/", query, body, {})
    assert answer.status_code in (200, 302, 400)
    if answer.status_code == 302:
        assert answer["Location"] == "/" or answer["Location"].startswith(BYE)
