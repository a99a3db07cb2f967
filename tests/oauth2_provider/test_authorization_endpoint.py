"""The authorization endpoint: what it must refuse, and where its errors go (RFC 6749 section 3.1, RFC 9207)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, Grant

from .conftest import CHALLENGE, REDIRECT_URI, RegisteredClient

Register = Callable[..., RegisteredClient]


def query_for(registered: RegisteredClient, **changes: Any) -> dict[str, Any]:
    query = {
        "response_type": "code",
        "client_id": registered.application.client_id,
        "state": "a state",
        "scope": "read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in query.items() if value is not None}


def redirected(answer: Any) -> dict[str, str]:
    assert answer.status_code == 302, answer.content
    location = urlsplit(answer["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return {name: values[0] for name, values in parse_qs(location.query or location.fragment).items()}


def test_who_is_not_logged_in_is_sent_to_log_in_and_back(client: Client, register: Register) -> None:
    """RFC 6749 section 3.1: MUST first verify the identity of the resource owner."""
    answer = client.get("/o/authorize/", query_for(register()))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/o/authorize/%3F")


def test_the_consent_page_is_neither_framed_nor_stored(logged_in: Client, register: Register) -> None:
    """RFC 9700 section 4.16: MUST prevent clickjacking; RFC 6749 section 10.13."""
    page = logged_in.get("/o/authorize/", query_for(register()))
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "unknown"},
        {"client_id": "unknown\x00"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "not absolute"},
        {"redirect_uri": REDIRECT_URI + "#fragment"},
        {"redirect_uri": REDIRECT_URI + "\x00"},
        {"redirect_uri": [REDIRECT_URI, REDIRECT_URI]},
    ],
    ids=str,
)
def test_an_error_of_client_or_redirect_uri_is_shown_and_not_redirected(
    logged_in: Client, register: Register, changes: dict[str, Any]
) -> None:
    """RFC 6749 sections 3.1.2.4 and 4.1.2.1: MUST NOT automatically redirect to the invalid redirection URI."""
    answer = logged_in.get("/o/authorize/", query_for(register(), **changes))
    assert answer.status_code == 400
    assert "Location" not in answer


def test_one_of_several_redirect_uris_must_be_named(logged_in: Client, register: Register) -> None:
    """RFC 6749 section 3.1.2.3: if multiple URIs have been registered, the client MUST include one."""
    registered = register(redirect_uris=f"{REDIRECT_URI} https://client.example/other")
    answer = logged_in.get("/o/authorize/", query_for(registered))
    assert (answer.status_code, b"Missing redirect URI" in answer.content) == (400, True)
    assert logged_in.get("/o/authorize/", query_for(registered, redirect_uri=REDIRECT_URI)).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"scope": "unknown"}, {"redirect_uri": "https://evil.example/"}], ids=str
)
def test_who_the_user_is_comes_before_what_is_wrong(
    client: Client, register: Register, changes: dict[str, str]
) -> None:
    """RFC 9700 section 4.11.2: MUST always authenticate the user first, before redirecting the user."""
    answer = client.get("/o/authorize/", query_for(register(), **changes))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/o/authorize/")


@pytest.mark.parametrize("scope", ['read"', "ré", "read\\", "read\x7f", "read\twrite"], ids=repr)
def test_a_scope_of_other_characters_is_an_invalid_scope(
    logged_in: Client, register: Register, scope: str
) -> None:
    """RFC 6749 section 3.3: the ABNF of scope-token; section 4.1.2.1: malformed is invalid_scope."""
    answer = redirected(logged_in.get("/o/authorize/", query_for(register(), scope=scope)))
    assert answer["error"] == "invalid_scope"


def test_a_request_without_scope_is_refused_where_there_is_no_default(
    logged_in: Client, register: Register, settings: Any
) -> None:
    """RFC 6749 section 3.3: MUST either use a pre-defined default value or fail, indicating an invalid scope."""
    settings.OAUTH2_PROVIDER = {"DEFAULT_SCOPES": []}
    registered = register()
    refused = redirected(logged_in.get("/o/authorize/", query_for(registered, scope=None)))
    assert refused["error"] == "invalid_scope"
    assert logged_in.get("/o/authorize/", query_for(registered, scope="read")).status_code == 200


def test_no_redirect_has_what_was_posted_sent_on(logged_in: Client, register: Register) -> None:
    """RFC 9700 section 4.12: MUST NOT use 307 for a request that may contain the user's credentials."""
    query = query_for(register())
    page = logged_in.get("/o/authorize/", query)
    asked = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    decided = logged_in.post("/o/authorize/", {**asked, "allow": "1"})
    assert (decided.status_code, decided["Location"].startswith(REDIRECT_URI)) == (302, True)
    assert logged_in.post("/o/authorize/", query).status_code == 303


def test_no_script_of_another_origin_reads_the_endpoint(logged_in: Client, register: Register) -> None:
    """RFC 9700 section 2.6: CORS MUST NOT be supported at the authorization endpoint."""
    registered = register(allowed_origins="https://spa.example")
    headers = {"origin": "https://spa.example", "access-control-request-method": "GET"}
    for answer in (
        logged_in.get("/o/authorize/", query_for(registered), headers=headers),
        logged_in.options("/o/authorize/", headers=headers),
    ):
        assert [name for name in answer.headers if name.lower().startswith("access-control")] == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "unknown"}, "unsupported_response_type"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"nonce": "n" * 256}, "invalid_request"),
        ({"nonce": "\x00"}, "invalid_request"),
        ({"state": "\x00"}, "invalid_request"),
        ({"nonce": ["one", "two"]}, "invalid_request"),
        ({"code_challenge": [CHALLENGE, CHALLENGE]}, "invalid_request"),
    ],
    ids=str,
)
def test_other_errors_are_redirected_with_the_state(
    logged_in: Client, register: Register, changes: dict[str, Any], error: str
) -> None:
    """RFC 6749 section 4.1.2.1; section 3.1: parameters MUST NOT be included more than once."""
    answer = redirected(logged_in.get("/o/authorize/", query_for(register(), **changes)))
    assert answer["error"] == error
    assert answer["state"] == changes.get("state", "a state")
    assert not Grant.objects.exists()


def test_parameters_without_a_value_count_as_left_out(logged_in: Client, register: Register) -> None:
    """RFC 6749 section 3.1: MUST be treated as if they were omitted from the request."""
    page = logged_in.get("/o/authorize/", query_for(register(), scope="", redirect_uri="", nonce=""))
    assert page.status_code == 200
    assert page.context["scopes"] == ["read", "write"]


def test_unknown_parameters_are_ignored(logged_in: Client, register: Register) -> None:
    """RFC 6749 section 3.1: MUST ignore unrecognized request parameters."""
    assert logged_in.get("/o/authorize/", query_for(register(), unheard_of="x")).status_code == 200


def test_the_query_of_a_redirect_uri_is_kept(register: Register, authorize: Any) -> None:
    """RFC 6749 section 3.1.2: the query component MUST be retained when adding query parameters."""
    answer = authorize(register(redirect_uris=f"{REDIRECT_URI}?kept=a%2Fb&scope=x"))
    assert answer["kept"] == "a/b"
    assert answer["code"]
    assert Grant.objects.get().scope == "read write"


@pytest.mark.parametrize("state", ["é and ☃", "a&b=c#d", "x" * 2000])
def test_the_state_is_returned_exactly(register: Register, authorize: Any, state: str) -> None:
    """RFC 6749 section 4.1.2: the exact value received from the client."""
    assert authorize(register(), state=state)["state"] == state


def test_what_is_posted_cannot_add_to_what_was_consented(logged_in: Client, register: Register) -> None:
    registered = register()
    page = logged_in.get("/o/authorize/", query_for(registered))
    forged = {
        "client_id": registered.application.client_id,
        "consent": page.context["form"].initial["consent"],
        "resource": "https://elsewhere.example/",
        "nonce": "forged",
        "claims": "{}",
        "allow": "1",
    }
    assert "code" in redirected(logged_in.post("/o/authorize/", forged))
    grant = Grant.objects.get()
    assert (grant.resource, grant.nonce, grant.claims) == ([], "", "")


def test_a_consent_form_is_for_the_user_who_saw_it(
    logged_in: Client, register: Register, django_user_model: Any
) -> None:
    registered = register()
    page = logged_in.get("/o/authorize/", query_for(registered))
    form = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    logged_in.force_login(django_user_model.objects.create_user("another"))
    assert logged_in.post("/o/authorize/", {**form, "allow": "1"}).status_code == 400
    assert not Grant.objects.exists()


def test_a_template_without_the_signed_field_is_validated_like_a_new_request(
    logged_in: Client, register: Register
) -> None:
    registered = register()
    answer = logged_in.post("/o/authorize/", {**query_for(registered), "allow": "1"})
    assert "code" in redirected(answer)
    forged = {**query_for(registered, redirect_uri="https://evil.example/"), "allow": "1"}
    assert logged_in.post("/o/authorize/", forged).status_code == 400


@pytest.mark.parametrize("kind", ["success", "denial", "invalid_scope"])
def test_every_redirect_carries_the_issuer(
    logged_in: Client, register: Register, authorize: Any, settings: Any, kind: str
) -> None:
    """RFC 9207 section 2: MUST indicate its identity in the response by iss, error responses included."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True}
    if kind == "invalid_scope":
        answer = redirected(logged_in.get("/o/authorize/", query_for(register(), scope="unknown")))
    else:
        answer = authorize(register(), allow=kind == "success")
    assert answer["iss"] == logged_in.get("/o/.well-known/oauth-authorization-server").json()["issuer"]
    assert ("error" in answer) == (kind != "success")


def test_the_issuer_of_an_implicit_response_is_in_the_fragment(
    register: Register, authorize: Any, settings: Any
) -> None:
    """RFC 9207 section 2."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True}
    registered = register(authorization_grant_type=Application.GRANT_IMPLICIT)
    answer = authorize(registered, response_type="token")
    assert answer["iss"] == "http://testserver/o"
    assert answer["access_token"]


def test_a_live_token_spares_the_question_under_auto(
    logged_in: Client, register: Register, exchange: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"REQUEST_APPROVAL_PROMPT": "auto"}
    registered = register()
    exchange(registered, scope="read", resource="https://api.example/")
    bound = {"resource": "https://api.example/"}
    assert "code" in redirected(logged_in.get("/o/authorize/", query_for(registered, **bound)))
    for more in ({"scope": "read write", **bound}, {"resource": "https://other.example/"}, {}):
        assert logged_in.get("/o/authorize/", query_for(registered, **more)).status_code == 200
    AccessToken.objects.all().delete()
    assert logged_in.get("/o/authorize/", query_for(registered, **bound)).status_code == 200


def test_a_trusted_application_is_not_asked_about(logged_in: Client, register: Register) -> None:
    registered = register(skip_authorization=True)
    assert "code" in redirected(logged_in.get("/o/authorize/", query_for(registered)))


def test_an_unusable_application_is_unknown(
    logged_in: Client, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Application, "is_usable", lambda self, request: False)
    assert logged_in.get("/o/authorize/", query_for(register())).status_code == 400
