"""The pages on which an application's secrets are added and revoked."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oauth2_provider.flows.client_secrets import LIVE_AT_MOST, add_client_secret, find_presented_secret
from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import Application, ClientSecret

from .credentials import make_client

SECRET = re.compile(r'id="new-client-secret">([^<]+)<')
OWN_SECRET = "a secret of my own"


@pytest.fixture
def mine(user: Any) -> Application:
    return make_client("mine", user=user, client_type="confidential", client_secret=OWN_SECRET)


def page_of(application: Application, page: str = "") -> str:
    return f"/o/applications/{application.pk}/{page}"


def test_a_secret_is_added_and_shown_once(logged_in: Client, mine: Application) -> None:
    answer = logged_in.post(page_of(mine, "secrets/add/"), {"name": "the new server", "last_day": ""})
    assert (answer.status_code, answer["Location"]) == (302, page_of(mine))
    page = logged_in.get(answer["Location"])
    [secret] = SECRET.findall(page.content.decode())
    stored = ClientSecret.objects.get()
    assert (stored.application, stored.name, stored.expires) == (mine, "the new server", None)
    assert find_presented_secret("mine", secret) == stored
    again = logged_in.get(answer["Location"]).content.decode()
    assert "the new server" in again
    assert secret not in again
    assert stored.secret_hash not in again


def test_secrets_added_in_parallel_tabs_are_both_shown_with_their_names_once(
    logged_in: Client, mine: Application
) -> None:
    for name in ("the one", "the other"):
        logged_in.post(page_of(mine, "secrets/add/"), {"name": name, "last_day": ""})
    page = logged_in.get(page_of(mine))
    shown = {made["name"]: made["secret"] for made in page.context["new_client_secrets"]}
    assert {name: find_presented_secret("mine", secret) for name, secret in shown.items()} == {
        stored.name: stored for stored in ClientSecret.objects.all()
    }
    assert page.context["new_client_secret"] == shown["the other"]
    text = page.content.decode()
    assert all(text.count(secret) == 1 for secret in shown.values())
    assert all(f"the client secret “{name}”" in text for name in shown)
    again = logged_in.get(page_of(mine)).content.decode()
    assert not any(secret in again for secret in shown.values())


def test_it_works_to_the_end_of_its_last_day(logged_in: Client, mine: Application, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    last_day = timezone.localdate() + timedelta(days=30)
    logged_in.post(page_of(mine, "secrets/add/"), {"name": "ending", "last_day": last_day.isoformat()})
    expires = timezone.localtime(ClientSecret.objects.get().expires)
    assert expires.replace(tzinfo=None) == datetime.combine(last_day + timedelta(days=1), datetime.min.time())


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": "n" * 256}, "name", "at most 255 characters"),
        ({"name": "nul\x00"}, "name", "Null characters are not allowed"),
        ({"name": "n", "last_day": "someday"}, "last_day", "valid date"),
        ({"name": "n", "last_day": date(2020, 1, 1)}, "last_day", "This day is over."),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_beside_its_field(
    logged_in: Client, mine: Application, values: dict[str, Any], field: str, says: str
) -> None:
    answer = logged_in.post(page_of(mine, "secrets/add/"), values)
    assert answer.status_code == 200
    assert says in answer.context["form"].errors[field][0]
    assert not ClientSecret.objects.exists()


def test_too_many_are_refused_with_what_to_do(logged_in: Client, mine: Application) -> None:
    for number in range(LIVE_AT_MOST):
        add_client_secret(mine, name=str(number))
    answer = logged_in.post(page_of(mine, "secrets/add/"), {"name": "one too many"})
    assert "Revoke one first." in answer.content.decode()
    assert ClientSecret.objects.count() == LIVE_AT_MOST


def test_a_secret_is_revoked_after_a_question(logged_in: Client, mine: Application) -> None:
    made = add_client_secret(mine, name="the old server")
    page = page_of(mine, f"secrets/{made.row.pk}/revoke/")
    question = logged_in.get(page).content.decode()
    assert "Revoke the secret the old server?" in question
    assert ClientSecret.objects.exists()
    answer = logged_in.post(page)
    assert (answer.status_code, answer["Location"]) == (302, page_of(mine))
    assert not ClientSecret.objects.exists()
    mine.refresh_from_db()
    assert check_client_secret(OWN_SECRET, mine.client_secret)


def test_the_first_secret_is_revoked_once_another_works(logged_in: Client, mine: Application) -> None:
    page = page_of(mine, "secrets/first/revoke/")
    assert "secrets/first/revoke/" not in logged_in.get(page_of(mine)).content.decode()
    assert (logged_in.get(page).status_code, logged_in.post(page).status_code) == (404, 404)
    add_client_secret(mine, name="another")
    assert "secrets/first/revoke/" in logged_in.get(page_of(mine)).content.decode()
    assert logged_in.get(page).status_code == 200
    assert logged_in.post(page).status_code == 302
    mine.refresh_from_db()
    assert mine.client_secret == ""
    assert "First secret" not in logged_in.get(page_of(mine)).content.decode()


def test_editing_an_application_without_its_first_secret_makes_none(
    logged_in: Client, mine: Application
) -> None:
    add_client_secret(mine, name="another")
    logged_in.post(page_of(mine, "secrets/first/revoke/"))
    values = {
        "name": "Renamed",
        "hash_client_secret": "on",
        "client_type": "confidential",
        "authorization_grant_type": "client-credentials",
    }
    assert logged_in.post(page_of(mine, "update/"), values).status_code == 302
    mine.refresh_from_db()
    assert (mine.name, mine.client_secret) == ("Renamed", "")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("page", ["add/", "first/revoke/", "{secret}/revoke/"])
def test_anyone_elses_secrets_are_not_there(
    logged_in: Client, mine: Application, method: str, page: str
) -> None:
    mine.user = get_user_model().objects.create_user("another")
    mine.save()
    secret = add_client_secret(mine, name="not yours").row
    path = page_of(mine, f"secrets/{page.format(secret=secret.pk)}")
    assert getattr(logged_in, method)(path, {"name": "taken"}).status_code == 404
    logged_in.logout()
    assert getattr(logged_in, method)(path)["Location"] == f"/accounts/login/?next={path}"
    assert ClientSecret.objects.get() == secret


def test_a_secret_is_revoked_on_its_own_applications_page_only(
    logged_in: Client, user: Any, mine: Application
) -> None:
    other = make_client("other", user=user, client_type="confidential", client_secret="x")
    secret = add_client_secret(other, name="other's").row
    assert logged_in.post(page_of(mine, f"secrets/{secret.pk}/revoke/")).status_code == 404


@pytest.mark.parametrize("key", ["0", "no-number", "99999999999999999999999999"])
def test_a_key_that_cannot_be_is_not_there(logged_in: Client, mine: Application, key: str) -> None:
    for method in (logged_in.get, logged_in.post):
        assert method(page_of(mine, f"secrets/{key}/revoke/")).status_code == 404


def test_a_public_client_has_no_secrets(logged_in: Client, user: Any) -> None:
    public = make_client("public", user=user)
    assert "secrets/add/" not in logged_in.get(page_of(public)).content.decode()
    for method in (logged_in.get, logged_in.post):
        assert method(page_of(public, "secrets/add/"), {"name": "n"}).status_code == 404


@pytest.mark.parametrize("page", ["secrets/add/", "secrets/first/revoke/"])
def test_a_post_from_elsewhere_is_refused(user: Any, mine: Application, page: str) -> None:
    add_client_secret(mine, name="another")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(page_of(mine, page), {"name": "forged"}).status_code == 403
    assert ClientSecret.objects.count() == 1
