"""Client metadata that nobody would write: each document gets an answer that RFC 7591 names, none a server error.

The long form: FUZZ_EXAMPLES=20000 pytest tests/oauth2_provider/test_registration_fuzz.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from oauth2_provider.cimd import is_cimd_client_id
from oauth2_provider.models import AccessToken, Application
from oauth2_provider.settings import DEFAULTS
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

from .conftest import REDIRECT_URI
from .test_dynamic_registration import OPEN
from .test_fuzz import Body, bodies, briefly, queries, send

ERRORS = {"invalid_redirect_uri", "invalid_client_metadata"}
"""RFC 7591 section 3.2.2."""
KNOWN: dict[str, list[Any]] = {
    "redirect_uris": [[REDIRECT_URI], [], ["http://[::1"], ["x:"], ["https://\u2100.example/"], [""]],
    "grant_types": [["authorization_code"], ["client_credentials"], ["refresh_token"], [None]],
    "response_types": [["code"], ["token id_token"], [" "], []],
    "token_endpoint_auth_method": ["none", "client_secret_basic", "private_key_jwt", ""],
    "client_name": ["A client", "\x00", "\ud800", "x" * 300],
    "client_uri": ["https://client.example/", "https://[", "//"],
    "scope": ["read", "read write", " ", "\x00"],
    "contacts": [["a"], [5]],
    "jwks": [{"keys": []}, {"keys": [{"kty": "EC"}]}, {"keys": [[]]}, {"keys": {}}, {}],
    "jwks_uri": ["https://client.example/jwks", "https://client.example/" + "x" * 500],
    "id_token_signed_response_alg": ["RS256", "HS256", "none", ""],
    "subject_type": ["public", "pairwise"],
    "require_pushed_authorization_requests": [True, "x"],
    "client_id": ["registered", "another"],
    "client_secret": ["x"],
}
names = st.one_of(st.sampled_from([*KNOWN, "client_name#de", "#", "tos_uri#"]), st.text(max_size=10))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("https://a.example/")
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
likely = {name: st.sampled_from(known) for name, known in KNOWN.items()}
sensible = st.fixed_dictionaries(
    {"redirect_uris": st.one_of(st.just([REDIRECT_URI]), likely.pop("redirect_uris"))}, optional=likely
)
documents = st.one_of(sensible, st.dictionaries(names, values, max_size=6), values)
json_bodies = documents.map(
    lambda document: Body(content=json.dumps(document).encode(), content_type="application/json")
)
registrations = st.one_of(json_bodies, json_bodies, bodies)
hosts = st.sampled_from(["a.example", "[::1", "[::1]", "a.example:x", "u@a.example", "", "1"])
client_ids = st.one_of(
    st.builds(
        lambda host, path: f"https://{host}{path}", hosts, st.text(max_size=20).map(lambda path: f"/{path}")
    ),
    st.text(max_size=20),
)


@pytest.fixture
def site(engine: EngineDatabase) -> Iterator[Client]:
    """Return a client of a site with one registration, whose token is "a token"."""
    application = Application.objects.create(
        client_id="registered",
        client_type="public",
        authorization_grant_type="authorization-code",
        redirect_uris=REDIRECT_URI,
        registration_source="dcr",
    )
    AccessToken.objects.create(
        application=application,
        token="a token",
        scope=DEFAULTS["DCR_REGISTRATION_SCOPE"],
        expires=timezone.now() + timedelta(hours=1),
    )
    with override_settings(OAUTH2_PROVIDER=OPEN):
        yield Client()


@on_every_engine
@given(query=st.one_of(st.just(""), queries), body=registrations)
@briefly
def test_what_is_registered_gets_an_answer(
    engine: EngineDatabase, site: Client, query: str, body: Body
) -> None:
    """RFC 7591 section 3.2."""
    answer = send(site, "POST", "/o/register/", query, body, {})
    assert answer.status_code in (201, 400)
    if answer.status_code == 400:
        assert answer.json()["error"] in ERRORS
        assert answer.json()["error_description"].isascii()
    else:
        assert {"client_id", "registration_access_token", "registration_client_uri"} <= answer.json().keys()


@on_every_engine
@given(
    method=st.sampled_from(["GET", "PUT", "PUT", "PUT", "DELETE", "POST", "OPTIONS"]),
    client_id=st.one_of(st.just("registered"), st.text(min_size=1, max_size=20)),
    authorization=st.one_of(st.just("Bearer a token"), st.sampled_from(["", "Bearer", "Bearer \xe9", "Basic x"])),
    body=registrations,
)  # fmt: skip
@briefly
def test_a_registration_is_managed_or_not(
    engine: EngineDatabase, site: Client, method: str, client_id: str, authorization: str, body: Body
) -> None:
    """RFC 7592 section 2."""
    path = f"/o/register/{quote(client_id, safe='', errors='replace')}/"
    answer = send(site, method, path, "", body, {"authorization": authorization})
    assert answer.status_code in (200, 204, 400, 401, 404, 405)
    if answer.status_code == 400:
        assert answer.json()["error"] in ERRORS
    if answer.status_code in (200, 204) and method != "OPTIONS":
        assert (client_id, authorization) == ("registered", "Bearer a token")


@pytest.mark.parametrize("kind", ["oauth-authorization-server", "oauth-protected-resource"])
@given(path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@briefly
def test_a_well_known_path_has_a_document_or_none(kind: str, path: str) -> None:
    """RFC 8414 section 3, RFC 9728 section 3."""
    answer = Client().get(f"/o/.well-known/{kind}/{quote(path)}")
    assert answer.status_code in (200, 404)
    if answer.status_code == 200 and kind == "oauth-protected-resource":
        assert answer.json()["resource"].isascii()


@given(client_id=client_ids)
@briefly
def test_any_text_is_a_url_of_a_document_or_not(client_id: str) -> None:
    """Client ID Metadata Document draft section 3."""
    assert not is_cimd_client_id(client_id) or client_id.startswith("https://")
