"""The pages on which people see what applications can do for them, and end it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows.registration import find_registration
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken
from oauth2_provider.views.token import TOKENS_PER_PAGE

from .credentials import give_credentials, make_client, make_user, working

LIST = "/o/authorized_tokens/"


@pytest.fixture
def application(db: None) -> Application:
    return make_client("the client")


def issue(user: Any, application: Application, *, hours: int = 1, **fields: Any) -> AccessToken:
    values = {"token": uuid.uuid4().hex, "scope": "read", "expires": timezone.now() + timedelta(hours=hours)}
    return AccessToken.objects.create(user=user, application=application, **{**values, **fields})


def hold(access_token: AccessToken, **fields: Any) -> RefreshToken:
    owner = {"user": access_token.user, "application": access_token.application}
    token = {"token": uuid.uuid4().hex, "access_token": access_token}
    return RefreshToken.objects.create(**owner, **token, **fields)


def shown(client: Client, **query: Any) -> list[AccessToken]:
    return list(client.get(LIST, query).context["authorized_tokens"])


def page_of(token: AccessToken) -> str:
    return f"{LIST}{token.pk}/delete/"


@pytest.mark.parametrize("page", ["", "1/delete/"])
def test_who_is_not_logged_in_is_sent_to_log_in(client: Client, db: None, page: str) -> None:
    answer = client.get(LIST + page)
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={LIST}{page}")


def test_what_can_still_act_for_the_user_is_listed_the_newest_first(
    logged_in: Client, user: Any, application: Application
) -> None:
    live = issue(user, application)
    issue(user, application, hours=-1)
    renewable = issue(user, application, hours=-1)
    hold(renewable)
    over = issue(user, application, hours=-1)
    hold(over, revoked=timezone.now())
    issue(user, application, scope="oauth2_provider:registration")
    issue(make_user("another"), application)
    assert shown(logged_in) == [renewable, live]
    assert "the client" in logged_in.get(LIST).content.decode()


def test_the_scopes_are_shown_in_their_words(logged_in: Client, user: Any, application: Application) -> None:
    token = issue(user, application, scope="read write")
    for page in (LIST, page_of(token)):
        text = logged_in.get(page).content.decode()
        assert "Reading scope" in text
        assert "Writing scope" in text
        assert token.token not in text


def test_a_long_list_comes_in_pages(
    logged_in: Client, user: Any, application: Application, django_assert_max_num_queries: Any
) -> None:
    for _ in range(TOKENS_PER_PAGE + 1):
        issue(user, application)
    with django_assert_max_num_queries(4):  # session, user, count, the page
        assert len(shown(logged_in)) == TOKENS_PER_PAGE
    assert len(shown(logged_in, page=2)) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_token_of_someone_else_is_not_there(
    logged_in: Client, application: Application, method: str
) -> None:
    token = issue(get_user_model().objects.create_user("another"), application)
    assert getattr(logged_in, method)(page_of(token)).status_code == 404
    assert getattr(logged_in, method)(f"{LIST}no-number/delete/").status_code == 404
    assert AccessToken.objects.get() == token


def test_looking_at_the_page_revokes_nothing(logged_in: Client, user: Any, application: Application) -> None:
    token = issue(user, application)
    assert logged_in.get(page_of(token)).context["object"] == token
    assert AccessToken.objects.exists()


def test_revoking_ends_the_token_and_all_that_hangs_on_it(
    logged_in: Client, user: Any, application: Application
) -> None:
    given = give_credentials(user, application)
    family = given["refresh_token"].token_family
    rotated = hold(issue(user, application), token_family=family)
    answer = logged_in.post(page_of(given["access_token"]))
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    assert working([given["access_token"], given["refresh_token"], given["id_token"], rotated]) == set()
    assert not AccessToken.objects.filter(pk=rotated.access_token_id).exists()
    others = [given["bare_access_token"], given["bare_id_token"], given["grant"]]
    assert len(working(others)) == len(others)


def test_everything_of_an_application_ends_on_request_and_nothing_of_others(
    logged_in: Client, user: Any, application: Application
) -> None:
    given = give_credentials(user, application)
    elsewhere = give_credentials(user, make_client("elsewhere"))
    another = give_credentials(make_user("another"), application)
    logged_in.post(page_of(given["access_token"]), {"everything": "on"})
    assert working(given.values()) == set()
    for untouched in (elsewhere, another):
        assert len(working(untouched.values())) == len(untouched) - 1  # one was spent before
    assert Grant.objects.count() == 2


def test_everything_of_an_application_is_not_its_registration(
    logged_in: Client, user: Any, application: Application
) -> None:
    """RFC 7592 section 3: the registration access token is the client's, for as long as the client is registered."""
    token = issue(user, application)
    issue(user, application, token="a registration token", scope="oauth2_provider:registration")
    logged_in.post(page_of(token), {"everything": "on"})
    assert not AccessToken.objects.filter(pk=token.pk).exists()
    assert find_registration(application.client_id, "a registration token") == application


def test_a_token_without_an_application_can_be_revoked(logged_in: Client, user: Any) -> None:
    token = AccessToken.objects.create(
        token="t", user=user, scope="read", expires=timezone.now() + timedelta(hours=1)
    )
    assert logged_in.get(LIST).status_code == 200
    assert logged_in.get(page_of(token)).status_code == 200
    assert logged_in.post(page_of(token), {"everything": "on"}).status_code == 302
    assert not AccessToken.objects.exists()
    assert not IDToken.objects.exists()


def test_a_post_without_the_csrf_token_is_refused(user: Any, application: Application) -> None:
    token = issue(user, application)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(page_of(token)).status_code == 403
    assert AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("page", "name", "text"),
    [
        ("", "authorized-tokens.html", "{{ authorized_tokens.0.application }}"),
        ("{pk}/delete/", "authorized-token-delete.html", "{{ object.application }}"),
    ],
)
def test_a_site_overrides_a_template_by_its_name(
    logged_in: Client,
    user: Any,
    application: Application,
    settings: Any,
    tmp_path: Any,
    page: str,
    name: str,
    text: str,
) -> None:
    token = issue(user, application)
    override = tmp_path / "oauth2_provider" / name
    override.parent.mkdir()
    override.write_text(f"ours: {text}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert logged_in.get(LIST + page.format(pk=token.pk)).content == b"ours: the client"
