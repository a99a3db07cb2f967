"""Protected resources: how a token may be sent, and how a request is refused (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken

from .conftest import RegisteredClient

pytestmark = pytest.mark.urls("tests.oauth2_provider.urls")
Make = Callable[..., AccessToken]


@pytest.fixture
def registered(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    return register()


@pytest.fixture
def issue(registered: RegisteredClient, user: Any) -> Make:
    """Return a function that stores an access token called "token"."""

    def make(**fields: Any) -> AccessToken:
        values = {
            "user": user,
            "application": registered.application,
            "token": "token",
            "scope": "read",
            "expires": timezone.now() + timedelta(minutes=1),
            **fields,
        }
        return AccessToken.objects.create(**values)

    return make


BEARER = {"authorization": "Bearer token"}


def test_a_good_token_lets_in_with_one_statement(
    client: Client, issue: Make, django_assert_num_queries: Any
) -> None:
    """RFC 6750 section 2.1."""
    issue()
    with django_assert_num_queries(1):
        answer = client.get("/resource/", headers=BEARER)
    assert (answer.status_code, answer.json()) == (200, {"owner": "someone"})


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_is_case_insensitive(client: Client, issue: Make, scheme: str) -> None:
    """RFC 9110 section 11.1."""
    issue()
    assert client.get("/resource/", headers={"authorization": f"{scheme} token"}).status_code == 200


def test_a_form_encoded_body_may_carry_the_token(client: Client, issue: Make) -> None:
    """RFC 6750 section 2.2."""
    issue()
    form = "application/x-www-form-urlencoded"
    assert client.post("/resource/", "access_token=token", form).status_code == 200


@pytest.mark.parametrize("path", ["/resource/", "/resource/decorated/"])
def test_the_answer_to_a_token_in_the_query_is_kept_out_of_shared_caches(
    client: Client, issue: Make, path: str
) -> None:
    """RFC 6750 section 2.3: success responses SHOULD contain a Cache-Control header with the private option."""
    issue()
    assert client.get(f"{path}?access_token=token")["Cache-Control"] == "private"
    assert "Cache-Control" not in client.get(path, headers=BEARER)


def test_the_query_may_carry_the_token_until_the_site_forbids_it(
    client: Client, issue: Make, settings: Any
) -> None:
    """RFC 6750 section 2.3; RFC 9700 section 4.3.2."""
    issue()
    assert client.get("/resource/?access_token=token").status_code == 200
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True}
    refused = client.get("/resource/?access_token=token")
    assert refused.status_code == 400
    assert 'error="invalid_request"' in refused["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/resource/?access_token=token", BEARER),
        ("/resource/?access_token=token&access_token=token", {}),
    ],
)
def test_a_token_sent_twice_is_an_invalid_request(
    client: Client, issue: Make, path: str, headers: dict[str, str]
) -> None:
    """RFC 6750 section 3.1: repeats the same parameter, uses more than one method for including a token."""
    issue()
    answer = client.get(path, headers=headers)
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer["WWW-Authenticate"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer"}, {"authorization": "Bearer a b"}],
    ids=str,
)
def test_a_request_without_a_token_is_told_no_error(
    client: Client, db: None, headers: dict[str, str]
) -> None:
    """RFC 6750 section 3: MUST include WWW-Authenticate; section 3.1: SHOULD NOT include an error code."""
    answer = client.get("/resource/", headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "another"},
        {"expires": timezone.now() - timedelta(seconds=1)},
        {"resource": ["https://elsewhere.example/"]},
    ],
    ids=["unknown", "expired", "audience"],
)
def test_a_bad_token_is_an_invalid_token(client: Client, issue: Make, fields: dict[str, Any]) -> None:
    """RFC 6750 section 3.1; RFC 8707 section 2: a resource refuses a token for another."""
    issue(**fields)
    answer = client.get("/resource/", headers=BEARER)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_the_token_of_an_inactive_user_is_an_invalid_token(client: Client, issue: Make, user: Any) -> None:
    issue()
    user.is_active = False
    user.save()
    assert client.get("/resource/", headers=BEARER).status_code == 401


def test_too_little_scope_is_said_with_what_is_needed(client: Client, issue: Make) -> None:
    """RFC 6750 section 3.1: insufficient_scope SHOULD be answered with 403, and MAY name the scope."""
    issue()
    answer = client.get("/resource/write/", headers=BEARER)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    assert 'scope="write"' in answer["WWW-Authenticate"]


def test_reading_and_writing_need_their_scopes(client: Client, issue: Make) -> None:
    issue()
    assert client.get("/resource/read-write/", headers=BEARER).status_code == 200
    assert client.post("/resource/read-write/", headers=BEARER).status_code == 403


def test_a_preflight_carries_no_token(client: Client, db: None) -> None:
    assert client.options("/resource/").status_code == 200


def test_a_confidential_client_may_come_itself(
    client: Client, registered: RegisteredClient, issue: Make
) -> None:
    issue()
    for headers in ({"authorization": registered.basic}, BEARER):
        assert client.get("/resource/client/", headers=headers).status_code == 200
    assert client.get("/resource/client/").status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer \u00e9", 'Bearer "quoted"', "Bearer \x00", "Bearer " + "x" * 10_000, "Bearer ;=,"]
)
def test_no_header_is_a_server_error(client: Client, db: None, header: str) -> None:
    answer = client.get("/resource/", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("query", ["%", "%zz", "a%00b", "a&&b==", "\u2603", "access_token=%ff", "=", "a[]=1"])
def test_no_query_is_a_server_error(client: Client, issue: Make, query: str) -> None:
    issue()
    answer = client.get(f"/resource/?{query}", headers=BEARER)
    assert answer.status_code == (400 if query.startswith("access_token") else 200)


@pytest.mark.parametrize("name", ["oauth2_error", "user", "client", "access_token_instance", "scopes"])
@pytest.mark.parametrize("path", ["/resource/", "/resource/write/", "/resource/client/"])
def test_no_parameter_is_taken_for_what_the_server_found_out(
    client: Client, issue: Make, path: str, name: str
) -> None:
    answer = client.get(f"{path}?{name}=invalid_token")
    assert answer.status_code == 401
    assert "error" not in answer["WWW-Authenticate"]
    issue(user=None, scope="read write")
    assert client.get(f"{path}?{name}=admin", headers=BEARER).json() == {"owner": None}
