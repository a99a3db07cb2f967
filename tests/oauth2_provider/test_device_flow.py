"""The device flow (RFC 8628): its endpoint, what the user is asked, what a device that polls is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, DeviceGrant, IDToken, RefreshToken
from oauth2_provider.signals import app_authorized

from .conftest import RegisteredClient

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(autouse=True)
def _nobody_counted() -> None:
    cache.clear()


@pytest.fixture
def television(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    """A public client of the device flow."""
    return register(
        name="Television",
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_DEVICE_CODE,
        redirect_uris="",
    )


@pytest.fixture
def printer(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    """A confidential client of the device flow."""
    return register(authorization_grant_type=Application.GRANT_DEVICE_CODE, redirect_uris="")


def start(registered: RegisteredClient, **parameters: Any) -> dict[str, Any]:
    """Return what a device authorization request of a public client is answered."""
    answer = ask(registered, **parameters)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ask(registered: RegisteredClient, **parameters: Any) -> Any:
    body = {"client_id": registered.application.client_id, "scope": "read", **parameters}
    return Client().post("/o/device-authorization/", body)


def poll(registered: RegisteredClient, device_code: str, **parameters: Any) -> Any:
    body = {
        "grant_type": GRANT_TYPE,
        "device_code": device_code,
        "client_id": registered.application.client_id,
        **parameters,
    }
    return Client().post("/o/token/", body)


def wait_out_the_interval() -> None:
    for grant in DeviceGrant.objects.all():
        grant.last_checked -= timedelta(seconds=grant.interval)
        grant.save(update_fields=["last_checked"])


@pytest.fixture
def enter(client: Client, user: Any) -> Callable[[str], str]:
    """Return a function that enters a user code and returns the path of the question."""

    def enter_code(user_code: str) -> str:
        client.force_login(user)
        answer = client.post("/o/device/", {"user_code": user_code})
        assert answer.status_code == 302, answer.content
        return answer["Location"]

    return enter_code


@pytest.fixture
def answer(client: Client, enter: Callable[[str], str]) -> Callable[..., str]:
    """Return a function that enters a user code, says yes or no, and returns the path of the last page."""

    def say(user_code: str, action: str = "accept") -> str:
        said = client.post(enter(user_code), {"action": action})
        assert said.status_code == 302
        return said["Location"]

    return say


# -- the device authorization endpoint


def test_a_device_gets_its_codes(television: RegisteredClient) -> None:
    """RFC 8628 section 3.2: device_code, user_code, verification_uri and expires_in are REQUIRED."""
    response = ask(television)
    started = response.json()
    grant = DeviceGrant.objects.get()
    assert started == {
        "device_code": grant.device_code,
        "user_code": grant.user_code,
        "verification_uri": "http://testserver/o/device/",
        "expires_in": 1800,
        "interval": 5,
    }
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert (grant.client_id, grant.scope, grant.status) == (
        television.application.client_id,
        "read",
        DeviceGrant.AUTHORIZATION_PENDING,
    )


def test_the_settings_say_where_how_long_and_how_often(television: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {
        "OAUTH_DEVICE_VERIFICATION_URI": "https://short.example/tv",
        "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": "https://short.example/tv?user_code={user_code}",
        "OAUTH_DEVICE_USER_CODE_GENERATOR": "tests.oauth2_provider.dotted.user_code",
        "DEVICE_FLOW_INTERVAL": 7,
        "DEVICE_CODE_EXPIRE_SECONDS": 90,
    }
    started = start(television)
    del started["device_code"]
    assert started == {
        "user_code": "wdjb-mjht",
        "verification_uri": "https://short.example/tv",
        "verification_uri_complete": "https://short.example/tv?user_code=wdjb-mjht",
        "expires_in": 90,
        "interval": 7,
    }


def test_the_complete_uri_may_be_made_by_a_function(television: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {
        "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": lambda code: f"https://x.example/{code}"
    }
    started = start(television)
    assert started["verification_uri_complete"] == f"https://x.example/{started['user_code']}"


def test_a_confidential_client_must_authenticate(printer: RegisteredClient) -> None:
    """RFC 8628 section 3.1: the client authentication requirements of RFC 6749 section 3.2.1 apply."""
    refused = ask(printer)
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    wrong = Client().post("/o/device-authorization/", headers={"authorization": "Basic d3Jvbmc6d3Jvbmc="})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert "Basic" in wrong["WWW-Authenticate"]
    # client_id is REQUIRED only "if the client is not authenticating with the authorization server"
    let_in = Client().post("/o/device-authorization/", {}, headers={"authorization": printer.basic})
    assert let_in.status_code == 200
    assert DeviceGrant.objects.get().client_id == printer.application.client_id


def test_what_cannot_be_asked_is_refused(
    television: RegisteredClient, register: Callable[..., RegisteredClient]
) -> None:
    """RFC 8628 section 3.2: in the event of an error, the server responds as in RFC 6749 section 5.2."""
    unknown = Client().post("/o/device-authorization/", {"client_id": "unknown"})
    assert (unknown.status_code, unknown.json()) == (401, {"error": "invalid_client"})
    scope = ask(television, scope="read everything")
    assert (scope.status_code, scope.json()) == (400, {"error": "invalid_scope"})
    other = ask(register(client_type=Application.CLIENT_PUBLIC))
    assert (other.status_code, other.json()) == (400, {"error": "unauthorized_client"})
    resource = ask(television, resource="no uri")
    assert (resource.status_code, resource.json()["error"]) == (400, "invalid_target")
    query = Client().post("/o/device-authorization/?client_id=x", {"client_id": "x"})
    assert (query.status_code, query.json()["error"]) == (400, "invalid_request")
    assert Client().get("/o/device-authorization/").status_code == 405
    assert not DeviceGrant.objects.exists()


def test_a_parameter_must_not_be_repeated(television: RegisteredClient) -> None:
    """RFC 8628 section 3.1: request and response parameters MUST NOT be included more than once."""
    repeated = ask(television, scope=["read", "write"])
    assert (repeated.status_code, repeated.json()["error"]) == (400, "invalid_request")


def test_a_user_code_is_that_of_no_other_live_grant(television: RegisteredClient, settings: Any) -> None:
    codes = iter(["AAAA", "AAAA", "BBBB"])
    settings.OAUTH2_PROVIDER = {"OAUTH_DEVICE_USER_CODE_GENERATOR": lambda: next(codes)}
    assert [start(television)["user_code"], start(television)["user_code"]] == ["AAAA", "BBBB"]


def test_when_every_user_code_is_taken_the_device_is_told_to_come_later(
    television: RegisteredClient, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH_DEVICE_USER_CODE_GENERATOR": lambda: "AAAA"}
    start(television)
    refused = ask(television)
    assert (refused.status_code, refused.json()) == (503, {"error": "temporarily_unavailable"})
    DeviceGrant.objects.update(expires=timezone.now())
    assert start(television)["user_code"] == "AAAA"


def test_the_endpoint_is_throttled(television: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"device": "1/hour"}}
    assert [ask(television).status_code for _ in range(2)] == [200, 429]


# -- polling


def test_a_device_gets_tokens_for_who_said_yes(
    television: RegisteredClient, user: Any, answer: Callable[..., str]
) -> None:
    """RFC 8628 sections 3.4 and 3.5."""
    started = start(television, scope="read write", resource="https://api.example/")
    pending = poll(television, started["device_code"])
    assert (pending.status_code, pending.json()) == (400, {"error": "authorization_pending"})
    answer(started["user_code"])
    issued = poll(television, started["device_code"])
    assert issued.status_code == 200
    assert issued["Cache-Control"] == "no-store"
    token = AccessToken.objects.get(token=issued.json()["access_token"])
    assert (token.user, token.application, token.scope) == (user, television.application, "read write")
    assert token.resource == ["https://api.example/"]
    assert issued.json()["scope"] == "read write"
    refresh_token = RefreshToken.objects.get(token=issued.json()["refresh_token"])
    assert (refresh_token.scope, refresh_token.resource) == ("read write", ["https://api.example/"])


def test_a_resource_beyond_those_asked_for_at_first_is_refused(
    television: RegisteredClient, answer: Callable[..., str]
) -> None:
    """RFC 8707 section 2.2."""
    started = start(television, resource=["https://api.example/", "https://other.example/"])
    answer(started["user_code"])
    refused = poll(television, started["device_code"], resource="https://evil.example/")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    narrowed = poll(television, started["device_code"], resource="https://other.example/")
    assert AccessToken.objects.get(token=narrowed.json()["access_token"]).resource == [
        "https://other.example/"
    ]
    assert RefreshToken.objects.get().resource == ["https://api.example/", "https://other.example/"]


def test_a_refresh_token_of_the_device_flow_refreshes(
    television: RegisteredClient, answer: Callable[..., str]
) -> None:
    started = start(television)
    answer(started["user_code"])
    refresh_token = poll(television, started["device_code"]).json()["refresh_token"]
    body = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": television.application.client_id,
    }
    assert Client().post("/o/token/", body).status_code == 200


def test_a_device_code_is_used_once(television: RegisteredClient, answer: Callable[..., str]) -> None:
    started = start(television)
    answer(started["user_code"])
    assert poll(television, started["device_code"]).status_code == 200
    again = poll(television, started["device_code"])
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert AccessToken.objects.count() == 1


def test_who_polls_too_often_is_slowed_down(television: RegisteredClient, answer: Callable[..., str]) -> None:
    """RFC 8628 section 3.5: the interval MUST be increased by 5 seconds for this and all subsequent requests."""
    started = start(television)
    errors = [poll(television, started["device_code"]).json()["error"] for _ in range(2)]
    assert errors == ["authorization_pending", "slow_down"]
    assert DeviceGrant.objects.get().interval == 10
    DeviceGrant.objects.update(last_checked=timezone.now() - timedelta(seconds=7))
    assert poll(television, started["device_code"]).json() == {"error": "slow_down"}
    wait_out_the_interval()
    assert poll(television, started["device_code"]).json() == {"error": "authorization_pending"}
    answer(started["user_code"])
    assert poll(television, started["device_code"]).status_code == 200


def test_a_device_is_told_that_the_user_said_no(
    television: RegisteredClient, answer: Callable[..., str]
) -> None:
    """RFC 8628 section 3.5, access_denied."""
    started = start(television)
    answer(started["user_code"], "deny")
    refused = poll(television, started["device_code"])
    assert (refused.status_code, refused.json()) == (400, {"error": "access_denied"})


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_code_that_is_too_old_is_expired(
    television: RegisteredClient, answer: Callable[..., str], is_answered: bool
) -> None:
    """RFC 8628 section 3.5, expired_token."""
    started = start(television)
    if is_answered:
        answer(started["user_code"])
    DeviceGrant.objects.update(expires=timezone.now())
    refused = poll(television, started["device_code"])
    assert (refused.status_code, refused.json()) == (400, {"error": "expired_token"})
    assert not AccessToken.objects.exists()


def test_an_unknown_code_is_an_invalid_grant_and_a_missing_one_an_invalid_request(
    television: RegisteredClient,
) -> None:
    """RFC 6749 section 5.2; RFC 8628 section 3.4: device_code is REQUIRED."""
    unknown = poll(television, "unknown")
    assert (unknown.status_code, unknown.json()) == (400, {"error": "invalid_grant"})
    missing = poll(television, "")
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


def test_a_code_is_bound_to_its_client(
    television: RegisteredClient, register: Callable[..., RegisteredClient], answer: Callable[..., str]
) -> None:
    """RFC 6749 section 5.2: invalid_grant for what was issued to another client."""
    started = start(television)
    answer(started["user_code"])
    other = register(
        client_type=Application.CLIENT_PUBLIC, authorization_grant_type=Application.GRANT_DEVICE_CODE
    )
    stolen = poll(other, started["device_code"])
    assert (stolen.status_code, stolen.json()) == (400, {"error": "invalid_grant"})
    assert poll(television, started["device_code"]).status_code == 200


def test_a_confidential_client_must_authenticate_to_poll(
    printer: RegisteredClient, answer: Callable[..., str]
) -> None:
    """RFC 8628 section 3.4: if the client was issued client credentials, it MUST authenticate."""
    headers = {"authorization": printer.basic}
    started = Client().post("/o/device-authorization/", {"scope": "read"}, headers=headers).json()
    answer(started["user_code"])
    refused = poll(printer, started["device_code"])
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    body = {"grant_type": GRANT_TYPE, "device_code": started["device_code"]}
    assert Client().post("/o/token/", body, headers=headers).status_code == 200


def test_a_client_that_may_no_longer_use_the_grant_gets_nothing(
    television: RegisteredClient, answer: Callable[..., str]
) -> None:
    started = start(television)
    answer(started["user_code"])
    Application.objects.update(authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE)
    refused = poll(television, started["device_code"])
    assert (refused.status_code, refused.json()) == (400, {"error": "unauthorized_client"})


def test_a_user_who_was_deactivated_gives_no_tokens(
    television: RegisteredClient, answer: Callable[..., str]
) -> None:
    started = start(television)
    answer(started["user_code"])
    get_user_model().objects.update(is_active=False)
    refused = poll(television, started["device_code"])
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})


def test_the_signal_is_sent(television: RegisteredClient, user: Any, answer: Callable[..., str]) -> None:
    started = start(television)
    answer(started["user_code"])
    heard = []

    def hear(sender: Any, request: Any, token: Any, **kwargs: Any) -> None:
        heard.append(token.user)

    app_authorized.connect(hear)
    try:
        poll(television, started["device_code"])
    finally:
        app_authorized.disconnect(hear)
    assert heard == [user]


def test_what_a_site_checks_before_every_poll(television: RegisteredClient, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH_PRE_TOKEN_VALIDATION": ["tests.oauth2_provider.dotted.refuse"]}
    refused = poll(television, start(television)["device_code"])
    assert (refused.status_code, refused.json()) == (400, {"error": "access_denied"})


def test_an_id_token_comes_along_where_openid_is_granted(
    register: Callable[..., RegisteredClient], user: Any, answer: Callable[..., str], settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OIDC_ENABLED": True, "SCOPES": {"openid": "Who you are", "read": "Read"}}
    client = register(
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_DEVICE_CODE,
        algorithm=Application.HS256_ALGORITHM,
        hash_client_secret=False,
    )
    headers = {"authorization": client.basic}
    started = Client().post("/o/device-authorization/", {"scope": "openid read"}, headers=headers).json()
    answer(started["user_code"])
    body = {"grant_type": GRANT_TYPE, "device_code": started["device_code"]}
    issued = Client().post("/o/token/", body, headers=headers).json()
    claims = _claims(issued["id_token"], client.application)
    assert (claims["sub"], claims["aud"]) == (str(user.pk), client.application.client_id)
    token = AccessToken.objects.get(token=issued["access_token"])
    assert token.id_token == IDToken.objects.get()


def _claims(token: str, application: Application) -> dict[str, Any]:
    from jwcrypto import jwt

    return json.loads(jwt.JWT(jwt=token, key=application.get_client_secret_hmac_jwk()).claims)


# -- the pages


@pytest.mark.parametrize("typed", ["{}", " {} ", "{lower}", "{dashed}", "{lower_dashed}"])
def test_a_user_code_is_easy_to_type(
    television: RegisteredClient, enter: Callable[[str], str], typed: str
) -> None:
    """RFC 8628 section 6.1: servers should ignore characters not in the set, and case."""
    code = start(television)["user_code"]
    dashed = f"{code[:4]}-{code[4:]}"
    text = typed.format(code, lower=code.lower(), dashed=dashed, lower_dashed=dashed.lower())
    assert enter(text) == f"/o/device-confirm/{television.application.client_id}/{code}"


def test_a_code_with_dashes_of_its_own_is_found_without_them(
    television: RegisteredClient, answer: Callable[..., str], settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH_DEVICE_USER_CODE_GENERATOR": "tests.oauth2_provider.dotted.user_code"}
    started = start(television)
    assert started["user_code"] == "wdjb-mjht"
    answer("WDJBMJHT")
    assert poll(television, started["device_code"]).status_code == 200


def test_a_client_whose_id_is_a_url_goes_through(
    register: Callable[..., RegisteredClient], answer: Callable[..., str]
) -> None:
    """Such ids are up to 255 characters long."""
    long = "https://client.example/" + "x" * 220 + "/id?v=1"
    registered = register(
        client_id=long,
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_DEVICE_CODE,
    )
    started = start(registered)
    answer(started["user_code"])
    assert poll(registered, started["device_code"]).status_code == 200


def test_the_pages_need_a_login(client: Client, television: RegisteredClient) -> None:
    code = start(television)["user_code"]
    for path in ("device/", f"device-confirm/x/{code}", f"device-grant-status/x/{code}"):
        assert client.get(f"/o/{path}")["Location"].startswith("/accounts/login/?next=/o/")


def test_the_code_of_a_link_is_filled_in_but_not_sent(
    client: Client, user: Any, television: RegisteredClient
) -> None:
    """RFC 8628 section 3.3.1."""
    code = start(television)["user_code"]
    client.force_login(user)
    page = client.get("/o/device/", {"user_code": code})
    assert f'value="{code}"' in page.content.decode()
    assert DeviceGrant.objects.get().user is None


def test_the_question_says_who_asks_for_what_and_shows_the_code(
    client: Client, television: RegisteredClient, enter: Callable[[str], str], settings: Any
) -> None:
    """RFC 8628 section 5.4: inform the user that they are authorizing a device, and have them compare the code."""
    settings.OAUTH2_PROVIDER = {"SCOPES": {"read": "Read your photos", "write": "Change them"}}
    code = start(television, scope="read", resource="https://api.example/")["user_code"]
    page = client.get(enter(code))
    assert page.context["application"] == television.application
    assert page.context["scopes"] == ["read"]
    assert page.context["scopes_descriptions"] == ["Read your photos"]
    text = page.content.decode()
    assert all(said in text for said in ("Television", code, "Read your photos", "https://api.example/"))
    assert "frame" in page["X-Frame-Options"].lower() or page["X-Frame-Options"] == "DENY"


def test_a_wrong_code_is_said_and_guessing_ends(
    client: Client, user: Any, television: RegisteredClient
) -> None:
    """RFC 8628 section 5.1: the server SHOULD rate-limit user code attempts."""
    code = start(television)["user_code"]
    client.force_login(user)
    for number in range(10):
        page = client.post("/o/device/", {"user_code": f"WRONG{number}"})
        assert page.context["form"].errors.as_data()["user_code"][0].code == "unknown"
    page = client.post("/o/device/", {"user_code": code})
    assert page.context["form"].errors.as_data()["user_code"][0].code == "throttled"
    assert DeviceGrant.objects.get().user is None
    client.force_login(get_user_model().objects.create_user("another"))
    assert client.post("/o/device/", {"user_code": code}).status_code == 302


def test_the_site_says_how_many_wrong_codes_there_may_be(
    client: Client, user: Any, television: RegisteredClient, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"THROTTLE_RATES": {"user_code": "1/hour"}}
    client.force_login(user)
    client.post("/o/device/", {"user_code": "WRONG"})
    page = client.post("/o/device/", {"user_code": start(television)["user_code"]})
    assert page.context["form"].errors.as_data()["user_code"][0].code == "throttled"


@pytest.mark.parametrize("state", ["expired", "answered", "of another", "of a client that is gone"])
def test_no_code_is_taken_that_does_not_wait_for_this_user(
    client: Client, user: Any, television: RegisteredClient, state: str
) -> None:
    code = start(television)["user_code"]
    other = get_user_model().objects.create_user("another")
    if state == "of a client that is gone":
        Application.objects.all().delete()
    else:
        DeviceGrant.objects.update(
            **{
                "expired": {"expires": timezone.now()},
                "answered": {"status": DeviceGrant.DENIED},
                "of another": {"user": other},
            }[state]
        )
    client.force_login(user)
    page = client.post("/o/device/", {"user_code": code})
    assert page.context["form"].errors.as_data()["user_code"][0].code == "unknown"


def test_a_code_that_two_grants_have_is_nobodys(
    client: Client, user: Any, television: RegisteredClient
) -> None:
    code = start(television)["user_code"]
    DeviceGrant.objects.create(
        client_id=television.application.client_id,
        device_code="another",
        user_code=code,
        expires=timezone.now() + timedelta(minutes=1),
    )
    client.force_login(user)
    page = client.post("/o/device/", {"user_code": code})
    assert page.context["form"].errors.as_data()["user_code"][0].code == "unknown"


def test_only_who_entered_the_code_sees_and_answers_the_question(
    client: Client, television: RegisteredClient, enter: Callable[[str], str]
) -> None:
    question = enter(start(television)["user_code"])
    other = Client()
    other.force_login(get_user_model().objects.create_user("another"))
    assert other.get(question).status_code == 404
    assert other.post(question, {"action": "accept"}).status_code == 404
    assert other.get(question.replace("device-confirm", "device-grant-status")).status_code == 404
    assert DeviceGrant.objects.get().status == DeviceGrant.AUTHORIZATION_PENDING


def test_nothing_is_asked_about_a_client_that_is_gone(
    client: Client, television: RegisteredClient, enter: Callable[[str], str]
) -> None:
    question = enter(start(television)["user_code"])
    Application.objects.all().delete()
    assert client.get(question).status_code == 404
    assert client.post(question, {"action": "accept"}).status_code == 404
    assert client.get(question.replace("device-confirm", "device-grant-status")).status_code == 404


def test_an_answer_is_final(client: Client, television: RegisteredClient, answer: Callable[..., str]) -> None:
    code = start(television)["user_code"]
    status = answer(code, "deny")
    question = status.replace("device-grant-status", "device-confirm")
    assert client.get(question)["Location"] == status
    client.post(question, {"action": "accept"})
    assert DeviceGrant.objects.get().status == DeviceGrant.DENIED


def test_an_answer_that_comes_too_late_gives_nothing(
    client: Client, television: RegisteredClient, enter: Callable[[str], str]
) -> None:
    question = enter(start(television)["user_code"])
    DeviceGrant.objects.update(expires=timezone.now())
    status = client.post(question, {"action": "accept"})["Location"]
    assert "The code is too old" in client.get(status).content.decode()
    assert DeviceGrant.objects.get().status == DeviceGrant.EXPIRED


@pytest.mark.parametrize(
    ("action", "heading"),
    [("accept", "Your device is connected"), ("deny", "Your device was not connected")],
)
def test_the_last_page_says_what_became_of_it_even_when_the_code_is_used(
    client: Client, television: RegisteredClient, answer: Callable[..., str], action: str, heading: str
) -> None:
    started = start(television)
    status = answer(started["user_code"], action)
    assert heading in client.get(status).content.decode()
    poll(television, started["device_code"])
    assert heading in client.get(status).content.decode()


def test_the_login_of_who_said_yes_is_kept(
    client: Client, television: RegisteredClient, enter: Callable[[str], str]
) -> None:
    question = enter(start(television)["user_code"])
    session = client.session
    session["oauth2_provider_auth_time"] = 1_700_000_000.5
    session.save()
    client.post(question, {"action": "accept"})
    assert json.loads(DeviceGrant.objects.get().authentication) == {"auth_time": 1_700_000_000}


def test_polling_and_redeeming_stay_within_their_queries(
    television: RegisteredClient, answer: Callable[..., str], django_assert_max_num_queries: Any
) -> None:
    started = start(television)
    with django_assert_max_num_queries(4):
        poll(television, started["device_code"])
    answer(started["user_code"])
    with django_assert_max_num_queries(12):
        poll(television, started["device_code"])
