"""Logout that a client asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows.registration import find_registration
from oauth2_provider.models import AccessToken, Application, IDToken, RefreshToken
from oauth2_provider.views.oidc import RPInitiatedLogoutView

from .conftest import RegisteredClient
from .credentials import give_credentials, make_client
from .openid import ask

Register = Callable[..., RegisteredClient]
BYE = "https://client.example/bye"


@pytest.fixture
def unprompted(settings: Any, oidc: dict[str, Any]) -> None:
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False}


@pytest.fixture
def id_token(exchange: Any, relying_party: RegisteredClient) -> str:
    """An ID token of the user, who is logged in."""
    return exchange(relying_party, scope="openid")["id_token"]


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def decide(client: Client, page: Any, *, allow: bool) -> Any:
    assert page.status_code == 200, page.content
    asked = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    return client.post(
        "/o/logout/", {**asked, "csrfmiddlewaretoken": "x", **({"allow": "1"} if allow else {})}
    )


def test_the_user_is_asked_and_sent_back(client: Client, id_token: str, user: Any) -> None:
    """RP-Initiated Logout 1.0 section 2: if the End-User says yes, the OP MUST log out; `state` comes back."""
    page = client.get(
        "/o/logout/", {"id_token_hint": id_token, "post_logout_redirect_uri": BYE, "state": "a state"}
    )
    assert b"The client asks to log you out here too." in page.content
    assert is_logged_in(client)
    answer = decide(client, page, allow=True)
    assert (answer.status_code, answer["Location"]) == (302, f"{BYE}?state=a+state")
    assert not is_logged_in(client)
    assert not AccessToken.objects.exists()
    assert not IDToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


def test_the_user_may_stay(client: Client, id_token: str) -> None:
    page = client.get("/o/logout/", {"id_token_hint": id_token, "post_logout_redirect_uri": BYE})
    answer = decide(client, page, allow=False)
    assert b"You are still logged in" in answer.content
    assert is_logged_in(client)
    assert AccessToken.objects.exists()


def test_nobody_is_asked_where_the_site_does_not_want_it(
    client: Client, unprompted: None, id_token: str
) -> None:
    answer = client.get("/o/logout/", {"id_token_hint": id_token, "post_logout_redirect_uri": BYE})
    assert answer["Location"] == BYE
    assert not is_logged_in(client)


def test_doing_it_twice_does_no_harm(client: Client, id_token: str, user: Any) -> None:
    """The ID token's row is gone by then: section 2, the OP SHOULD accept ID Tokens of a recent session."""
    asked = {"id_token_hint": id_token, "post_logout_redirect_uri": BYE}
    decide(client, client.get("/o/logout/", asked), allow=True)
    assert client.get("/o/logout/", asked)["Location"] == BYE
    client.force_login(user)
    assert b"You are logged in as someone" in client.get("/o/logout/", asked).content


@pytest.mark.parametrize("with_hint", [True, False])
def test_somebody_else_is_always_asked(
    client: Client, unprompted: None, id_token: str, with_hint: bool
) -> None:
    """RP-Initiated Logout 1.0 section 2: MUST ask without a hint, or with one of another End-User."""
    client.force_login(get_user_model().objects.create_user("another"))
    page = client.get("/o/logout/", {"id_token_hint": id_token} if with_hint else {})
    assert page.status_code == 200
    assert is_logged_in(client)
    assert decide(client, page, allow=True)["Location"] == "/"
    assert not is_logged_in(client)
    assert AccessToken.objects.get().user.username == "someone"  # nobody else loses anything


def test_without_a_session_only_the_client_that_asks_loses_its_tokens(
    client: Client, id_token: str, user: Any
) -> None:
    other = make_client("other")
    give_credentials(user, other)
    client.logout()
    assert client.get("/o/logout/", {"id_token_hint": id_token})["Location"] == "/"
    assert AccessToken.objects.filter(application=other).exists()
    assert not AccessToken.objects.exclude(application=other).exists()


def test_a_client_may_post(client: Client, unprompted: None, id_token: str) -> None:
    """RP-Initiated Logout 1.0 section 2: MUST support GET and POST."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    answer = strict.post("/o/logout/", {"id_token_hint": id_token, "post_logout_redirect_uri": BYE})
    assert answer["Location"] == BYE
    asked = strict.post(
        "/o/logout/", {"id_token_hint": id_token}
    )  # as from another site: without the session
    assert b"Log out?" in asked.content


def test_the_decision_is_protected_from_other_sites(client: Client, id_token: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    forged = {"id_token_hint": id_token, "allow": "1", "csrfmiddlewaretoken": "x" * 32}
    assert strict.post("/o/logout/", forged).status_code == 403
    assert b"Log out?" in strict.post("/o/logout/", {"id_token_hint": id_token, "allow": "1"}).content
    assert is_logged_in(strict)


def test_only_an_id_token_of_this_server_counts(client: Client, id_token: str) -> None:
    """RP-Initiated Logout 1.0 section 2: the OP MUST validate that it was the issuer of the ID Token."""
    for hint in ("x", "a.b.c", id_token[:-8] + "AAAAAAAA", "e30.e30.e30"):
        answer = client.get("/o/logout/", {"id_token_hint": hint})
        assert answer.status_code == 400
        assert b"invalid_request" in answer.content
    assert is_logged_in(client)


def test_the_client_must_be_that_of_the_id_token(client: Client, id_token: str, register: Register) -> None:
    """RP-Initiated Logout 1.0 section 2: the OP MUST verify that the Client Identifier matches."""
    other = register().application.client_id
    answer = client.get("/o/logout/", {"id_token_hint": id_token, "client_id": other})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example/bye/",
        "https://client.example/bye?x=1",
        "https://evil.example/",
        "javascript:x",
        "//",
    ],
)
def test_only_a_registered_uri_is_gone_to(client: Client, id_token: str, uri: str) -> None:
    """RP-Initiated Logout 1.0 section 3: MUST NOT redirect if the value does not exactly match a registered one."""
    answer = client.get("/o/logout/", {"id_token_hint": id_token, "post_logout_redirect_uri": uri})
    assert answer.status_code == 400
    assert is_logged_in(client)


def test_a_uri_needs_a_client(client: Client, id_token: str, relying_party: RegisteredClient) -> None:
    """RP-Initiated Logout 1.0 section 3: MUST NOT redirect unless the target can be confirmed."""
    asked = {"post_logout_redirect_uri": BYE}
    assert client.get("/o/logout/", asked).status_code == 400
    for unknown in ("unknown", "\0"):
        assert client.get("/o/logout/", {**asked, "client_id": unknown}).status_code == 400
    page = client.get("/o/logout/", {**asked, "client_id": relying_party.application.client_id})
    assert decide(client, page, allow=True)["Location"] == BYE


@pytest.mark.parametrize(("is_strict", "status"), [(True, 400), (False, 200)])
def test_http_is_for_confidential_clients_where_the_site_is_strict(
    client: Client, oidc: Any, settings: Any, register: Register, user: Any, is_strict: bool, status: int
) -> None:
    """RP-Initiated Logout 1.0 section 2, post_logout_redirect_uri."""
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS": is_strict}
    client.force_login(user)
    uri = "http://client.example/bye"
    for client_type, expected in (
        (Application.CLIENT_PUBLIC, status),
        (Application.CLIENT_CONFIDENTIAL, 200),
    ):
        registered = register(client_type=client_type, post_logout_redirect_uris=uri)
        asked = {"client_id": registered.application.client_id, "post_logout_redirect_uri": uri}
        assert client.get("/o/logout/", asked).status_code == expected


@pytest.mark.parametrize(("accepts", "status"), [(True, 200), (False, 400)])
def test_an_expired_id_token_counts_unless_the_site_says_no(
    client: Client,
    oidc: Any,
    settings: Any,
    exchange: Any,
    relying_party: RegisteredClient,
    accepts: bool,
    status: int,
) -> None:
    """RP-Initiated Logout 1.0 section 2: SHOULD accept ID Tokens even when the exp time has passed."""
    settings.OAUTH2_PROVIDER = {
        **oidc,
        "ID_TOKEN_EXPIRE_SECONDS": -60,
        "OIDC_RP_INITIATED_LOGOUT_ACCEPT_EXPIRED_TOKENS": accepts,
    }
    token = exchange(relying_party, scope="openid")["id_token"]
    assert client.get("/o/logout/", {"id_token_hint": token}).status_code == status


def test_tokens_may_outlive_the_session(client: Client, oidc: Any, settings: Any, id_token: str) -> None:
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS": False}
    decide(client, client.get("/o/logout/", {"id_token_hint": id_token}), allow=True)
    assert not is_logged_in(client)
    assert AccessToken.objects.exists()


def test_a_site_says_whose_tokens_end(
    client: Client, oidc: Any, user: Any, rf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    applications = {
        "public": make_client("public", client_type=Application.CLIENT_PUBLIC),
        "confidential": make_client("confidential", client_type=Application.CLIENT_CONFIDENTIAL),
    }
    for application in applications.values():
        give_credentials(user, application)
    client.force_login(user)
    monkeypatch.setattr(RPInitiatedLogoutView, "token_deletion_client_types", [Application.CLIENT_PUBLIC])
    decide(client, client.get("/o/logout/"), allow=True)
    assert not AccessToken.objects.filter(application=applications["public"]).exists()
    assert AccessToken.objects.filter(application=applications["confidential"]).exists()
    monkeypatch.setattr(RPInitiatedLogoutView, "token_deletion_client_types", None)
    monkeypatch.setattr(
        RPInitiatedLogoutView, "token_deletion_grant_types", [Application.GRANT_AUTHORIZATION_CODE]
    )
    client.force_login(user)
    decide(client, client.get("/o/logout/"), allow=True)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("client_types", [None, [Application.CLIENT_PUBLIC]])
def test_a_logout_leaves_the_users_clients_manageable(
    client: Client, oidc: Any, user: Any, monkeypatch: pytest.MonkeyPatch, client_types: Any
) -> None:
    """RFC 7592 section 3: the registration access token is the client's, for as long as the client is registered."""
    application = make_client("registered", user=user, registration_source="dcr")
    give_credentials(user, application)
    token = AccessToken.objects.create(
        user=user,
        application=application,
        token="a registration token",
        scope="oauth2_provider:registration",
        expires=timezone.now() + timedelta(days=1),
    )
    client.force_login(user)
    monkeypatch.setattr(RPInitiatedLogoutView, "token_deletion_client_types", client_types)
    decide(client, client.get("/o/logout/"), allow=True)
    assert list(AccessToken.objects.all()) == [token]
    assert find_registration("registered", "a registration token") == application


def test_hundreds_of_tokens_cost_no_more_statements_than_ten(
    client: Client, oidc: Any, user: Any, django_assert_max_num_queries: Any
) -> None:
    application = make_client("one")
    statements = []
    for number in (10, 300):
        for each in range(number):
            give_credentials(user, application, f"{number} {each}")
        client.force_login(user)
        page = client.get("/o/logout/")
        with django_assert_max_num_queries(80) as captured:
            decide(client, page, allow=True)
        statements.append(len(captured))
        assert not AccessToken.objects.exists()
    assert statements[1] <= statements[0]


def test_the_endpoint_is_discovered_where_it_is_enabled(
    client: Client, oidc: Any, settings: Any, db: None
) -> None:
    """RP-Initiated Logout 1.0 section 2.1: end_session_endpoint MUST be included."""
    document = client.get("/o/.well-known/openid-configuration").json()
    assert document["end_session_endpoint"] == "http://testserver/o/logout/"
    settings.OAUTH2_PROVIDER = {**oidc, "OIDC_RP_INITIATED_LOGOUT_ENABLED": False}
    assert "end_session_endpoint" not in client.get("/o/.well-known/openid-configuration").json()
    assert client.get("/o/logout/").status_code == 404


def test_the_module_names_the_active_application_model() -> None:
    from oauth2_provider.views import oidc

    assert oidc.Application is Application
    with pytest.raises(AttributeError):
        oidc.Nothing  # noqa: B018


def test_a_login_after_the_logout_is_needed(
    client: Client, id_token: str, relying_party: RegisteredClient
) -> None:
    decide(client, client.get("/o/logout/", {"id_token_hint": id_token}), allow=True)
    assert ask(client, relying_party)["Location"].startswith("/accounts/login/")
