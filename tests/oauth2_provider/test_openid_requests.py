"""What an authentication request asks of the login and of the response (OpenID Connect Core 1.0 section 3.1.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.flows.authentication import ACR, AMR, AUTH_TIME
from oauth2_provider.models import Application
from oauth2_provider.oauth2_validators import OAuth2Validator

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER, RegisteredClient
from .openid import allow, ask, next_of, redirected, verified

Register = Callable[..., RegisteredClient]
HERE = "tests.oauth2_provider.test_openid_requests"


class ClaimingValidator(OAuth2Validator):
    def get_additional_claims(self):  # type: ignore[no-untyped-def]
        return {
            "email": lambda request: request.user.email,
            "given_name": lambda request: "Some",
            "nickname": lambda request: None,
        }


def logged_in_ago(client: Client, seconds: float) -> None:
    session = client.session
    session[AUTH_TIME] = time.time() - seconds
    session.save()


def tokens_of(client: Client, registered: RegisteredClient, code: str) -> dict[str, Any]:
    answer = client.post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        },
        headers={"authorization": registered.basic},
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


# -- prompt, max_age


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "60"}, {"max_age": "0"}])
def test_an_old_login_is_renewed_once(
    logged_in: Client, relying_party: RegisteredClient, user: Any, asked: dict[str, str]
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: max_age, the OP MUST attempt to actively re-authenticate."""
    logged_in_ago(logged_in, 3600)
    come_back = next_of(ask(logged_in, relying_party, **asked))
    logged_in.force_login(user)
    code = redirected(allow(logged_in, logged_in.get(come_back)))["code"]
    claims = verified(logged_in, tokens_of(logged_in, relying_party, code)["id_token"])
    assert claims["auth_time"] == int(logged_in.session[AUTH_TIME])  # MUST be there when max_age is used


def test_coming_back_without_a_login_is_an_error(logged_in: Client, relying_party: RegisteredClient) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: if it cannot reauthenticate the End-User, it MUST return an error."""
    logged_in_ago(logged_in, 3600)
    come_back = next_of(ask(logged_in, relying_party, prompt="login"))
    answer = redirected(logged_in.get(come_back))
    assert (answer["error"], answer["state"]) == ("login_required", "a state")


def test_what_says_that_a_login_was_asked_for_is_signed(
    logged_in: Client, relying_party: RegisteredClient
) -> None:
    logged_in_ago(logged_in, 3600)
    next_of(ask(logged_in, relying_party, prompt="login", asked="1"))


def test_a_recent_login_is_enough(logged_in: Client, relying_party: RegisteredClient) -> None:
    assert ask(logged_in, relying_party, max_age="60").status_code == 200


def test_nobody_logs_in_twice(client: Client, relying_party: RegisteredClient, user: Any) -> None:
    for prompt in ("login", "select_account", "login select_account"):
        client.logout()
        come_back = next_of(ask(client, relying_party, prompt=prompt))
        client.force_login(user)
        assert client.get(come_back).context["form"].initial["client_id"]


@pytest.mark.parametrize("max_age", ["-1", "x", "9" * 12, "1.5"])
def test_a_max_age_is_a_number(logged_in: Client, relying_party: RegisteredClient, max_age: str) -> None:
    assert redirected(ask(logged_in, relying_party, max_age=max_age))["error"] == "invalid_request"


def test_a_silent_request_finds_an_old_login(
    logged_in: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: prompt=none MUST NOT display any authentication page."""
    exchange(relying_party, scope="openid")
    assert "code" in redirected(ask(logged_in, relying_party, prompt="none", max_age="60"))
    logged_in_ago(logged_in, 61)
    answer = redirected(ask(logged_in, relying_party, prompt="none", max_age="60"))
    assert answer["error"] == "login_required"


def test_none_stands_alone(client: Client, relying_party: RegisteredClient, user: Any) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: none with any other value is an error, and shows no page."""
    for _ in range(2):
        assert redirected(ask(client, relying_party, prompt="none login"))["error"] == "invalid_request"
        client.force_login(user)


def test_an_unknown_prompt_is_refused(logged_in: Client, relying_party: RegisteredClient) -> None:
    """Initiating User Registration 1.0 section 4.1.2."""
    for prompt in ("later", "create"):
        assert redirected(ask(logged_in, relying_party, prompt=prompt))["error"] == "invalid_request"


def test_the_user_goes_on_with_this_account(logged_in: Client, relying_party: RegisteredClient) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, select_account."""
    page = ask(logged_in, relying_party, prompt="select_account")
    assert b"Go on as someone" in page.content
    answer = logged_in.post(
        page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {"account": "this"}
    )
    consent = logged_in.get(answer["Location"])
    assert "code" in redirected(allow(logged_in, consent))


def test_the_user_goes_on_with_another_account(
    logged_in: Client, relying_party: RegisteredClient, django_user_model: Any
) -> None:
    page = ask(logged_in, relying_party, prompt="select_account", login_hint="another")
    answer = logged_in.post(
        page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], {"account": "other"}
    )
    come_back = next_of(answer)
    assert "login_hint=another" in answer["Location"]
    assert AUTH_TIME not in logged_in.session
    another = django_user_model.objects.create_user("another")
    logged_in.force_login(another)
    code = redirected(allow(logged_in, logged_in.get(come_back)))["code"]
    claims = verified(logged_in, tokens_of(logged_in, relying_party, code)["id_token"])
    assert claims["sub"] == str(another.pk)


@pytest.mark.parametrize("is_logged_in", [False, True])
def test_the_user_registers_first(
    client: Client, relying_party: RegisteredClient, oidc: Any, settings: Any, user: Any, is_logged_in: bool
) -> None:
    """Initiating User Registration 1.0 section 4."""
    settings.OAUTH2_PROVIDER = {
        **oidc,
        "OIDC_RP_INITIATED_REGISTRATION_ENABLED": True,
        "OIDC_RP_INITIATED_REGISTRATION_URL": "/join/",
    }
    if is_logged_in:
        client.force_login(user)
    answer = ask(client, relying_party, prompt="create")
    location = urlsplit(answer["Location"])
    assert location.path == "/join/"
    client.force_login(user)
    assert client.get(parse_qs(location.query)["next"][0]).context["form"].initial["client_id"]


def test_the_login_page_knows_the_login_hint(
    client: Client, relying_party: RegisteredClient, user: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, login_hint."""
    answer = ask(client, relying_party, login_hint='some"one')
    assert b'value="some&quot;one"' in client.get(answer["Location"]).content


# -- id_token_hint


def test_a_hint_at_another_user_asks_for_that_login(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any, django_user_model: Any
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: a positive response if the End-User logs in by the request."""
    token = exchange(relying_party, scope="openid")["id_token"]
    client.force_login(django_user_model.objects.create_user("another"))
    come_back = next_of(ask(client, relying_party, id_token_hint=token))
    assert redirected(client.get(come_back))["error"] == "login_required"
    client.force_login(user)
    assert "code" in redirected(allow(client, client.get(come_back)))


def test_an_expired_hint_counts(
    client: Client, relying_party: RegisteredClient, exchange: Any, oidc: Any, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {**oidc, "ID_TOKEN_EXPIRE_SECONDS": -60}
    token = exchange(relying_party, scope="openid")["id_token"]
    assert "code" in redirected(ask(client, relying_party, prompt="none", id_token_hint=token))


# -- the claims parameter


@pytest.fixture
def claiming(oidc: Any, settings: Any, user: Any) -> None:
    settings.OAUTH2_PROVIDER = {**oidc, "OAUTH2_VALIDATOR_CLASS": f"{HERE}.ClaimingValidator"}
    user.email = "someone@example.org"
    user.save()


def test_claims_come_where_they_are_asked_for(
    client: Client, relying_party: RegisteredClient, exchange: Any, user: Any, claiming: None
) -> None:
    """OpenID Connect Core 1.0 sections 5.5 and 5.3.2 (a claim without a value is left out)."""
    asked = {
        "userinfo": {"email": None, "nickname": {"essential": True}, "unknown": None},
        "id_token": {"given_name": {"value": "Some"}},
        "ignored": {"email": None},
    }
    tokens = exchange(relying_party, scope="openid", claims=json.dumps(asked))
    claims = verified(client, tokens["id_token"])
    assert claims["given_name"] == "Some"
    assert "email" not in claims
    told = client.get("/o/userinfo/", headers={"authorization": f"Bearer {tokens['access_token']}"}).json()
    assert told == {"sub": str(user.pk), "email": "someone@example.org"}
    refreshed = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": relying_party.basic},
    ).json()
    again = client.get("/o/userinfo/", headers={"authorization": f"Bearer {refreshed['access_token']}"})
    assert again.json() == told


def test_a_claim_of_another_value_is_not_sent(
    client: Client, relying_party: RegisteredClient, exchange: Any, claiming: None
) -> None:
    """OpenID Connect Core 1.0 section 5.5.1, value and values."""
    asked = {"id_token": {"given_name": {"values": ["Else", "Other"]}}}
    tokens = exchange(relying_party, scope="openid", claims=json.dumps(asked))
    assert "given_name" not in verified(client, tokens["id_token"])


def test_the_user_is_asked_about_claims_beyond_the_scopes(
    logged_in: Client, relying_party: RegisteredClient, exchange: Any, claiming: None
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.4: an authorization decision, for what is asked."""
    exchange(relying_party, scope="openid email")
    asked = json.dumps({"userinfo": {"given_name": None, "email": None, "Click here": None}})
    page = ask(logged_in, relying_party, scope="openid email", claims=asked, approval_prompt="auto")
    assert page.context["claim_names"] == ["given name"]
    assert b"<li>Click here" not in page.content
    silently = redirected(ask(logged_in, relying_party, scope="openid", claims=asked, prompt="none"))
    assert silently["error"] == "consent_required"
    allow(logged_in, page)


@pytest.mark.parametrize(
    "claims",
    [
        "[",
        "[]",
        "5",
        '{"id_token": 5}',
        '{"userinfo": {"email": 5}}',
        '{"userinfo": {"e": null}}' + " " * 5000,
    ],
)
def test_a_malformed_claims_parameter_is_refused(
    logged_in: Client, relying_party: RegisteredClient, claims: str
) -> None:
    answer = redirected(ask(logged_in, relying_party, claims=claims))
    assert (answer["error"], answer["state"]) == ("invalid_request", "a state")


def test_another_user_than_the_one_asked_for_gets_nothing(
    logged_in: Client, relying_party: RegisteredClient, user: Any
) -> None:
    """OpenID Connect Core 1.0 section 5.5.1: MUST NOT reply with an ID Token for a different user."""
    for member in ("id_token", "userinfo"):
        asked = json.dumps({member: {"sub": {"value": "another"}}})
        come_back = next_of(ask(logged_in, relying_party, claims=asked))
        assert redirected(logged_in.get(come_back))["error"] == "login_required"
        own = json.dumps({member: {"sub": {"value": str(user.pk)}}})
        assert ask(logged_in, relying_party, claims=own).status_code == 200


def test_a_login_of_another_class_than_essential_fails(
    logged_in: Client, relying_party: RegisteredClient, exchange: Any
) -> None:
    """OpenID Connect Core 1.0 section 5.5.1.1: MUST treat that outcome as a failed authentication attempt."""
    asked = json.dumps({"id_token": {"acr": {"essential": True, "values": ["urn:mfa"]}}})
    come_back = next_of(ask(logged_in, relying_party, claims=asked))
    assert redirected(logged_in.get(come_back))["error"] == "login_required"
    session = logged_in.session
    session[ACR], session[AMR] = "urn:mfa", ["pwd", "otp"]
    session.save()
    code = redirected(allow(logged_in, logged_in.get(come_back)))["code"]
    claims = verified(logged_in, tokens_of(logged_in, relying_party, code)["id_token"])
    assert (claims["acr"], claims["amr"]) == ("urn:mfa", ["pwd", "otp"])


# -- request objects


@pytest.mark.parametrize(
    ("parameter", "error"),
    [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")],
)
def test_request_objects_are_refused(
    logged_in: Client, relying_party: RegisteredClient, parameter: str, error: str
) -> None:
    """OpenID Connect Core 1.0 sections 6.1, 6.2 and 3.1.2.6: an OP that does not support them MUST say so."""
    answer = redirected(ask(logged_in, relying_party, **{parameter: "https://client.example/x"}))
    assert answer["error"] == error


# -- response_mode, iss


def posted(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    assert answer.context["action"] == REDIRECT_URI
    return dict(answer.context["parameters"])


@pytest.mark.parametrize("response_type", ["code", "id_token token", "code id_token"])
def test_a_response_is_posted(logged_in: Client, oidc: Any, register: Register, response_type: str) -> None:
    """OAuth 2.0 Form Post Response Mode section 2."""
    grant_types = {
        "code": "authorization-code",
        "id_token token": "implicit",
        "code id_token": "openid-hybrid",
    }
    registered = register(algorithm="RS256", authorization_grant_type=grant_types[response_type])
    page = ask(logged_in, registered, response_type=response_type, response_mode="form_post", nonce="n")
    answer = allow(logged_in, page)
    parameters = posted(answer)
    assert set(response_type.replace("token", "access_token").replace("id_access", "id").split()) <= set(
        parameters
    )
    assert parameters["state"] == "a state"
    assert "no-store" in answer["Cache-Control"]


def test_an_error_is_posted(client: Client, relying_party: RegisteredClient, user: Any) -> None:
    """OAuth 2.0 Form Post Response Mode section 2: errors too."""
    silent = {"prompt": "none", "response_mode": "form_post"}
    assert posted(ask(client, relying_party, **silent))["error"] == "login_required"
    client.force_login(user)
    assert posted(ask(client, relying_party, **silent))["error"] == "consent_required"
    answer = ask(client, relying_party, response_mode="form_post", scope="openid unknown")
    assert posted(answer)["error"] == "invalid_scope"
    page = ask(client, relying_party, response_mode="form_post")
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    assert posted(client.post("/o/authorize/", initial))["error"] == "access_denied"


def test_tokens_never_come_in_a_query(logged_in: Client, oidc: Any, register: Register) -> None:
    """OAuth 2.0 Multiple Response Type Encoding Practices section 3: the query encoding MUST NOT be used."""
    registered = register(algorithm="RS256", authorization_grant_type=Application.GRANT_OPENID_HYBRID)
    answer = ask(logged_in, registered, response_type="code id_token", nonce="n", response_mode="query")
    assert urlsplit(answer["Location"]).query == ""
    assert redirected(answer)["error"] == "invalid_request"


def test_an_unknown_response_mode_is_refused(logged_in: Client, relying_party: RegisteredClient) -> None:
    assert (
        redirected(ask(logged_in, relying_party, response_mode="web_message"))["error"] == "invalid_request"
    )


def test_every_response_names_its_issuer(
    client: Client, relying_party: RegisteredClient, oidc: Any, settings: Any, user: Any
) -> None:
    """RFC 9207 section 2: MUST, error responses included: of validation, of a silent request, of the user's refusal."""
    settings.OAUTH2_PROVIDER = {**oidc, "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True}
    issuer = client.get("/o/.well-known/openid-configuration").json()["issuer"]
    answers = [ask(client, relying_party, prompt="none")]
    client.force_login(user)
    answers += [
        ask(client, relying_party, scope="unknown"),
        ask(client, relying_party, prompt="none"),
        ask(client, relying_party, max_age="x"),
    ]
    page = ask(client, relying_party)
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    answers += [client.post("/o/authorize/", initial), allow(client, page)]
    told = [redirected(answer) for answer in answers]
    assert [one.get("error", "code") for one in told] == [
        "login_required",
        "invalid_scope",
        "consent_required",
        "invalid_request",
        "access_denied",
        "code",
    ]
    assert {one["iss"] for one in told} == {issuer}
    page = ask(client, relying_party, response_mode="form_post")
    assert posted(allow(client, page))["iss"] == issuer


# -- who may


def test_a_client_without_an_algorithm_cannot_ask_for_openid(
    logged_in: Client, oidc: Any, register: Register, exchange: Any
) -> None:
    """Its ID tokens could not be signed; without naming a scope it gets what it can have."""
    registered = register()
    assert redirected(ask(logged_in, registered))["error"] == "invalid_scope"
    assert exchange(registered, scope=None)["scope"] == "email read"


def test_a_client_may_post_its_request(user: Any, relying_party: RegisteredClient) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1: MUST support GET and POST at the Authorization Endpoint."""
    strict = Client(enforce_csrf_checks=True)
    asked = {
        "response_type": "code",
        "client_id": relying_party.application.client_id,
        "scope": "openid",
        "state": "a & b",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = strict.post("/o/authorize/", asked)
    assert answer.status_code == 303
    strict.force_login(user)
    page = strict.get(answer["Location"])
    assert page.context["form"].initial["state"] == "a & b"
    initial = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    for forged in ({**initial, "allow": "1"}, {**asked, "allow": "1"}, {"account": "other"}):
        assert strict.post("/o/authorize/", forged).status_code == 403
    decided = {**initial, "allow": "1", "csrfmiddlewaretoken": strict.cookies["csrftoken"].value}
    assert "code" in redirected(strict.post("/o/authorize/", decided))
