"""Revoke tokens from users and applications, on the stock admin and on a site's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.core import signing
from django.test import Client
from django.urls import reverse

from maintenance.admin import revocation
from maintenance.models import Run, RunStatus
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken, RefreshToken
from tests.oauth2_provider.credentials import give_credentials, make_client

USERS = "/admin/auth/user/"
APPLICATIONS = "/admin/oauth2_provider/application/"
on_own_site = pytest.mark.urls("tests.maintenance.own_site")
OWN_TEMPLATE = """{% extends "admin/change_form.html" %}
{% block object-tools-items %}<li>A tool of the site's</li>{{ block.super }}{% endblock %}"""


@pytest.fixture
def own_templates(settings: Any) -> None:
    [engine] = settings.TEMPLATES
    loaders = [
        ("django.template.loaders.locmem.Loader", {"own/change_form.html": OWN_TEMPLATE}),
        "django.template.loaders.app_directories.Loader",
    ]
    options = {**engine["OPTIONS"], "loaders": loaders}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]


@pytest.fixture
def users(db: None) -> list[Any]:
    """Three users, the first two with credentials of one application."""
    people = [get_user_model().objects.create_user(name) for name in ("anna", "ben", "cleo")]
    application = make_client("client")
    for person in people[:2]:
        give_credentials(person, application)
    return people


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("operator", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def choose(client: Client, url: str, rows: list[Any]) -> Any:
    return client.post(url, {"action": "revoke_tokens", "_selected_action": [row.pk for row in rows]})


def confirm(client: Client, page: Any) -> Any:
    url = reverse("admin:maintenance_run_now", args=["revoke_user_tokens"])
    data = {"confirm": "yes", "preview": page.context["signed"], "reason": "a stolen laptop"}
    return client.post(url, data)


def test_a_users_page_leads_to_the_preview_of_what_would_be_revoked(
    admin_client: Client, users: list[Any]
) -> None:
    anna = users[0]
    link = f"/admin/maintenance/run/run/revoke_user_tokens/?preview=&amp;user_id={anna.pk}"
    assert link in admin_client.get(f"{USERS}{anna.pk}/change/").content.decode()
    page = admin_client.get(link.replace("&amp;", "&"))
    assert page.context["works"] == [[("User id", str(anna.pk))]]
    assert page.context["preview"].rows > 0
    confirm(admin_client, page)
    run = Run.objects.get()
    assert (run.arguments, run.reason) == ({"user_id": anna.pk}, "a stolen laptop")
    run_here(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert not AccessToken.objects.filter(user=anna).exists()
    assert not RefreshToken.objects.filter(user=anna, revoked__isnull=True).exists()
    assert AccessToken.objects.filter(user=users[1]).exists()


def test_several_users_are_revoked_together(admin_client: Client, users: list[Any]) -> None:
    page = choose(admin_client, USERS, users[:2])
    assert page.context["subjects"] == ["anna", "ben"]
    answer = confirm(admin_client, page)
    run = Run.objects.get()
    assert run.arguments == {"user_ids": [users[0].pk, users[1].pk]}
    assert answer["Location"] == reverse("admin:maintenance_run_change", args=[run.pk])
    run_here(run)
    assert not AccessToken.objects.exists()


def test_more_than_a_run_should_name_are_refused_with_what_to_do(
    admin_client: Client, users: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation.UsersWithTokens, "most", 1)
    answer = choose(admin_client, USERS, users)
    [message] = [str(message) for message in get_messages(answer.wsgi_request)]
    assert message.startswith("Choose at most 1 at a time")
    assert not Run.objects.exists()


def test_who_may_not_revoke_is_offered_nothing(staff: Callable[..., Client], users: list[Any]) -> None:
    client = staff("view_user", "change_user", "view_run", "run_hygiene", "run_destructive")
    anna = users[0]
    assert b"Revoke tokens" not in client.get(f"{USERS}{anna.pk}/change/").content
    assert b"revoke_tokens" not in client.get(USERS).content
    assert "signed" not in choose(client, USERS, users).context
    assert not Run.objects.exists()


def test_who_may_revoke_needs_no_more_than_to_see_users(
    staff: Callable[..., Client], users: list[Any]
) -> None:
    client = staff("view_user", "view_run", "run_security", "run_destructive")
    assert b"Revoke tokens" in client.get(f"{USERS}{users[0].pk}/change/").content
    page = choose(client, USERS, users[:1])
    assert confirm(client, page).status_code == 302
    assert Run.objects.get().requested_by.get_username() == "operator"


@on_own_site
@pytest.mark.usefixtures("own_templates")
def test_a_sites_own_admin_of_users_keeps_all_it_has(admin_client: Client, users: list[Any]) -> None:
    page = admin_client.get(f"{USERS}{users[0].pk}/change/").content.decode()
    assert "A tool of the site&#x27;s" in page or "A tool of the site's" in page
    assert "Revoke tokens" in page
    listed = admin_client.get(USERS).content.decode()
    assert "anna!" in listed
    assert 'value="greet"' in listed
    assert choose(admin_client, USERS, users[:1]).context["subjects"] == ["anna"]
    answer = admin_client.post(USERS, {"action": "greet", "_selected_action": [users[0].pk]})
    assert [str(message) for message in get_messages(answer.wsgi_request)] == ["Hello 1"]
    assert admin_client.post(f"{USERS}{users[0].pk}/change/", {"username": "anne"}).status_code == 302
    assert get_user_model().objects.filter(username="anne").exists()


@on_own_site
def test_what_was_given_on_an_application_is_revoked_from_its_page(
    admin_client: Client, users: list[Any]
) -> None:
    application = make_client("other", name="Other")
    give_credentials(users[2], application)
    page = admin_client.get(f"{APPLICATIONS}{application.pk}/change/").content.decode()
    assert f"revoke_user_tokens/?preview=&amp;application_id={application.pk}" in page
    preview = choose(admin_client, APPLICATIONS, [application])
    confirm(admin_client, preview)
    run_here(Run.objects.get())
    assert not AccessToken.objects.filter(application=application).exists()
    assert AccessToken.objects.filter(user=users[0]).exists()


@on_own_site
def test_several_applications_are_a_run_each_with_one_preview(admin_client: Client, users: list[Any]) -> None:
    first, second = AccessToken.objects.first().application, make_client("other", name="Other")
    give_credentials(users[2], second)
    page = choose(admin_client, APPLICATIONS, [first, second])
    assert len(page.context["works"]) == 2
    counted = page.context["preview"].counts["oauth2_provider_accesstoken"]
    answer = confirm(admin_client, page)
    assert answer["Location"] == "/admin/maintenance/run/?operation=revoke_user_tokens"
    runs = list(Run.objects.all())
    assert sorted(run.arguments["application_id"] for run in runs) == [first.pk, second.pk]
    for run in runs:
        run_here(run)
    done = sum(Run.objects.get(pk=run.pk).counts["oauth2_provider_accesstoken"] for run in runs)
    assert done >= counted > 0
    assert not AccessToken.objects.exclude(user=None).exists()


EVERYBODY = "/admin/maintenance/run/run/revoke_user_tokens/"


@pytest.mark.parametrize("typed", [None, "", "yes", "Everybody", "every body"])
def test_everybodys_tokens_are_not_revoked_by_a_click_alone(
    admin_client: Client, users: list[Any], typed: str | None
) -> None:
    page = admin_client.post(EVERYBODY, {"everybody": "on", "reason": "a breach"})
    data = {"confirm": "yes", "preview": page.context["signed"], "reason": "a breach"}
    again = admin_client.post(EVERYBODY, data if typed is None else {**data, "typed": typed})
    assert not Run.objects.exists()
    assert again.context["form"].errors == {"typed": ['Type "everybody" to confirm.']}
    assert again.context["form"]["reason"].value() == "a breach"
    assert "Type &quot;everybody&quot; to confirm." in again.content.decode()
    messages = [str(message) for message in get_messages(again.wsgi_request)]
    assert messages == ["Nothing runs yet: something is missing below."]


def test_everybodys_tokens_are_revoked_where_the_word_is_typed(
    admin_client: Client, users: list[Any]
) -> None:
    page = admin_client.get(EVERYBODY, {"everybody": "on", "preview": ""})
    words = "<div><dt>Everybody</dt><dd>yes</dd></div>"
    assert words in page.content.decode()
    data = {"confirm": "yes", "preview": page.context["signed"], "reason": "a breach", "typed": " everybody "}
    admin_client.post(EVERYBODY, data)
    run = run_here(Run.objects.get())
    assert (run.arguments, run.status) == ({"everybody": True}, RunStatus.SUCCEEDED)
    page_of_the_run = admin_client.get(reverse("admin:maintenance_run_change", args=[run.pk]))
    assert words in page_of_the_run.content.decode()
    assert not AccessToken.objects.exclude(user=None).exists()


def test_an_old_preview_of_everybody_asks_for_the_word_again(
    admin_client: Client, users: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = admin_client.post(EVERYBODY, {"everybody": "on"})
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 3600)
    data = {"confirm": "yes", "preview": page.context["signed"], "reason": "a breach", "typed": "everybody"}
    again = admin_client.post(EVERYBODY, data)
    assert not Run.objects.exists()
    assert again.context["form"]["typed"].value() is None
    assert again.context["form"]["reason"].value() == "a breach"


def test_one_users_tokens_take_a_click(admin_client: Client, users: list[Any]) -> None:
    page = admin_client.post(EVERYBODY, {"user_id": users[0].pk})
    assert "typed" not in page.context["form"].fields
    confirm(admin_client, page)
    assert Run.objects.count() == 1
