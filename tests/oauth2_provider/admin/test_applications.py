"""Applications in the admin: secrets made, renewed and shown once; deletion with all that was issued."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models.signals import post_delete
from django.test import Client
from django.utils import timezone

from oauth2_provider.admin import applications as application_pages
from oauth2_provider.flows.client_secrets import LIVE_AT_MOST, add_client_secret, find_presented_secret
from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import AccessToken, Application, ClientSecret, RefreshToken
from oauth2_provider.views.one_time import SESSION_KEY
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user

from .conftest import SECRETS

LIST = "/admin/oauth2_provider/application/"
SHOWN = re.compile(r'<code class="new-client-secret">([^<]+)</code>')
NO_ROWS = {"client_secrets-TOTAL_FORMS": "0", "client_secrets-INITIAL_FORMS": "0"}
VALUES = {
    "name": "Photo Printer",
    "client_id": "",
    "client_secret": "",
    "hash_client_secret": "on",
    "user": "",
    "client_type": "confidential",
    "authorization_grant_type": "authorization-code",
    "redirect_uris": "https://one.example/callback\r\nhttps://two.example/callback",
    "algorithm": "",
    "subject_type": "public",
    "registration_source": "manual",
}


def change(application: Application, rest: str = "change/") -> str:
    return f"{LIST}{application.pk}/{rest}"


def save(client: Client, application: Application, **values: Any) -> Any:
    answer = client.post(
        change(application), {**VALUES, "client_id": application.client_id, **NO_ROWS, **values}
    )
    assert answer.status_code == 302, answer.context["errors"]
    return answer


def secret_on(answer: Any) -> list[str]:
    return SHOWN.findall(answer.content.decode())


@pytest.fixture
def hashed(db: None) -> Application:
    return make_client("hashed", client_type="confidential", client_secret=SECRETS["client"])


def test_a_secret_is_made_and_shown_once_and_kept_nowhere(admin_client: Client) -> None:
    answer = admin_client.post(f"{LIST}add/", VALUES)
    assert answer.status_code == 302
    application = Application.objects.get()
    assert application.redirect_uris == "https://one.example/callback https://two.example/callback"
    [kept] = admin_client.session[SESSION_KEY].values()
    assert kept.count(".") == 4  # RFC 7516 section 7.1: encrypted
    page = admin_client.get(answer["Location"])
    [secret] = secret_on(page)
    assert check_client_secret(secret, application.client_secret)
    assert "Copy it now: it will not be shown again." in page.content.decode()
    assert not any(secret in cookie.value for cookie in admin_client.cookies.values())
    assert secret not in str(dict(admin_client.session))
    assert secret_on(admin_client.get(answer["Location"])) == []
    assert not any(secret in entry.change_message + entry.object_repr for entry in LogEntry.objects.all())


def test_secrets_made_in_parallel_tabs_are_both_shown_once(admin_client: Client) -> None:
    for name in ("One", "Two"):
        admin_client.post(f"{LIST}add/", {**VALUES, "name": name})
    page = admin_client.get(LIST)
    shown = secret_on(page)
    stored = [application.client_secret for application in Application.objects.order_by("pk")]
    assert [check_client_secret(*pair) for pair in zip(shown, stored, strict=True)] == [True, True]
    text = page.content.decode()
    assert "The client secret of One" in text
    assert "The client secret of Two" in text
    assert secret_on(admin_client.get(LIST)) == []


def test_a_secret_is_shown_on_the_page_that_follows_whichever_that_is(admin_client: Client) -> None:
    for button in ("_continue", "_addanother", "_save"):
        answer = admin_client.post(f"{LIST}add/", {**VALUES, "name": button, button: "1"})
        [secret] = secret_on(admin_client.get(answer["Location"]))
        assert check_client_secret(secret, Application.objects.get(name=button).client_secret)


def test_saving_keeps_the_secret_and_renewing_shows_the_new_one(
    admin_client: Client, hashed: Application
) -> None:
    for _ in range(2):
        save(admin_client, hashed)
        assert Application.objects.get().client_secret == hashed.client_secret
    answer = save(admin_client, hashed, new_client_secret="on")
    [secret] = secret_on(admin_client.get(answer["Location"]))
    stored = Application.objects.get().client_secret
    assert check_client_secret(secret, stored)
    assert not check_client_secret(SECRETS["client"], stored)


def test_a_secret_that_was_typed_in_is_stored_and_not_shown(
    admin_client: Client, hashed: Application
) -> None:
    answer = save(admin_client, hashed, client_secret="typed in by a person")
    assert check_client_secret("typed in by a person", Application.objects.get().client_secret)
    assert "typed in by a person" not in admin_client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("permission", ["view_application", "change_application"])
@pytest.mark.parametrize("is_hashed", [True, False])
def test_no_page_shows_a_stored_secret(
    staff: Any, hashed: Application, permission: str, is_hashed: bool
) -> None:
    if not is_hashed:
        Application.objects.update(client_secret=SECRETS["client"], hash_client_secret=False)
    made = add_client_secret(hashed, name="another")
    client = staff(permission, permission.replace("application", "clientsecret"), "delete_application")
    stored = Application.objects.get().client_secret
    for page in (LIST, change(hashed), change(hashed, "history/"), change(hashed, "delete/")):
        answer = client.get(page)
        assert answer.status_code == 200
        for secret in (stored, SECRETS["client"], made.row.secret_hash):
            assert secret not in html.unescape(answer.content.decode())


def test_what_is_wrong_is_said_beside_its_field(admin_client: Client) -> None:
    answer = admin_client.post(f"{LIST}add/", {**VALUES, "redirect_uris": ""})
    assert list(answer.context["adminform"].form.errors) == ["redirect_uris"]
    assert not Application.objects.exists()


def test_fields_of_a_sites_own_model_are_in_the_form(admin_client: Client, hashed: Application) -> None:
    """Whatever no group names comes in the last one."""
    form = admin_client.get(change(hashed)).context["adminform"]
    names = [name for _title, options in form.fieldsets for name in options["fields"]]
    editable = {field.name for field in Application._meta.concrete_fields if field.editable} - {
        "id",
        "created",
        "updated",
    }
    assert editable <= set(names)
    assert len(names) == len(set(names))
    assert "last_used" in names


# -- further secrets


def row(number: int, **values: Any) -> dict[str, Any]:
    return {f"client_secrets-{number}-{name}": value for name, value in values.items()}


def test_a_further_secret_is_made_by_a_row_and_shown_once(admin_client: Client, hashed: Application) -> None:
    answer = save(
        admin_client,
        hashed,
        new_client_secret="on",
        **{"client_secrets-TOTAL_FORMS": "2"},
        **row(0, name="<the new server>", expires_0="2099-12-31", expires_1="00:00:00"),
        **row(1, name="another"),
    )
    page = admin_client.get(answer["Location"])
    first, *further = secret_on(page)
    assert "The client secret “&lt;the new server&gt;”" in page.content.decode()
    assert check_client_secret(first, Application.objects.get().client_secret)
    found = [find_presented_secret("hashed", secret) for secret in further]
    named = {each.name: each for each in found if each is not None}
    assert set(named) == {"<the new server>", "another"}
    assert named["<the new server>"].expires.year == 2099
    assert secret_on(admin_client.get(change(hashed))) == []


def test_a_further_secret_is_renamed_ended_and_removed(admin_client: Client, hashed: Application) -> None:
    rows = [add_client_secret(hashed, name=name).row for name in ("one", "two")]
    forms = {"client_secrets-TOTAL_FORMS": "2", "client_secrets-INITIAL_FORMS": "2"}
    answer = save(
        admin_client,
        hashed,
        **forms,
        **row(
            0, id=rows[0].pk, application=hashed.pk, name="renamed", expires_0="2020-01-01", expires_1="0:00"
        ),
        **row(1, id=rows[1].pk, application=hashed.pk, name="two", DELETE="on"),
    )
    left = ClientSecret.objects.get()
    assert (left.name, left.secret_hash, left.is_expired()) == ("renamed", rows[0].secret_hash, True)
    assert secret_on(admin_client.get(answer["Location"])) == []


def test_there_is_a_limit_to_further_secrets(admin_client: Client, hashed: Application) -> None:
    number = LIVE_AT_MOST + 1
    many = {name: value for index in range(number) for name, value in row(index, name=str(index)).items()}
    values = {**VALUES, **NO_ROWS, "client_id": "hashed", "client_secrets-TOTAL_FORMS": str(number), **many}
    answer = admin_client.post(change(hashed), values)
    assert f"At most {LIVE_AT_MOST} secrets at once." in answer.content.decode()
    assert not ClientSecret.objects.exists()


def test_a_public_client_has_no_further_secrets(admin_client: Client) -> None:
    assert "client_secrets" not in admin_client.get(change(make_client("public"))).content.decode()


def test_further_secrets_take_permissions_of_their_own(staff: Any, hashed: Application) -> None:
    client = staff("change_application")
    save(client, hashed, **{"client_secrets-TOTAL_FORMS": "1"}, **row(0, name="not allowed"))
    assert not ClientSecret.objects.exists()


# -- finding


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("hashed", ["hashed"]),
        ("wedding", ["other"]),
        ("owner", ["other"]),
        ("hashed slideshow", []),
        ("", ["hashed", "other"]),
    ],
)
def test_applications_are_found_by_client_id_name_and_owner(
    admin_client: Client, hashed: Application, term: str, found: list[str]
) -> None:
    make_client("other", name="Wedding, hashed", user=make_user("owner"))
    rows = admin_client.get(LIST, {"q": term}).context["cl"].result_list
    assert sorted(row.client_id for row in rows) == found


def test_the_list_says_who_registered_and_when_it_was_used(admin_client: Client, hashed: Application) -> None:
    make_client("self-made", registration_source="dcr", last_used=timezone.now())
    text = admin_client.get(LIST).content.decode()
    assert "Dynamic Client Registration" in text
    rows = admin_client.get(LIST, {"registration_source__exact": "dcr"}).context["cl"].result_list
    assert [row.client_id for row in rows] == ["self-made"]


# -- deleting


@pytest.fixture
def used(hashed: Application) -> Application:
    for name in ("ann", "bob"):
        give_credentials(make_user(name), hashed)
    add_client_secret(hashed, name="another")
    return hashed


def test_deleting_says_what_goes_and_ends_it_by_set(
    admin_client: Client,
    used: Application,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    other = make_client("other")
    give_credentials(make_user("cleo"), other)
    monkeypatch.setattr(application_pages, "COUNTED_AT_MOST", 3)
    counts = dict(admin_client.get(change(used, "delete/")).context["model_count"])
    assert counts == {
        "applications": "1",
        "client secrets": "1",
        "access tokens": "more than 3",
        "refresh tokens": "more than 3",
        "id tokens": "more than 3",
        "grants": "2",
    }
    with django_assert_max_num_queries(40):
        assert admin_client.post(change(used, "delete/"), {"post": "yes"}).status_code == 302
    assert list(Application.objects.all()) == [other]
    assert set(AccessToken.objects.values_list("application", flat=True)) == {other.pk}
    assert set(RefreshToken.objects.values_list("application", flat=True)) == {other.pk}
    assert not ClientSecret.objects.exists()


def test_several_are_deleted_after_a_question(admin_client: Client, used: Application) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [used.pk, make_client("other").pk]}
    assert admin_client.post(LIST, chosen).status_code == 200
    assert Application.objects.count() == 2
    admin_client.post(LIST, {**chosen, "post": "yes"})
    assert not Application.objects.exists()
    assert not AccessToken.objects.exists()


def test_deleting_takes_the_permission(staff: Any, used: Application) -> None:
    client = staff("change_application", "view_application")
    assert client.post(change(used, "delete/"), {"post": "yes"}).status_code == 403
    assert Application.objects.exists()


def test_what_a_site_hooked_into_deletion_is_called(admin_client: Client, used: Application) -> None:
    seen: list[str] = []

    def listen(sender: type[models.Model], instance: Any, **kwargs: Any) -> None:
        seen.append(instance.client_id)

    post_delete.connect(listen, sender=Application)
    try:
        assert admin_client.get(change(used, "delete/")).status_code == 200
        admin_client.post(change(used, "delete/"), {"post": "yes"})
    finally:
        post_delete.disconnect(listen, sender=Application)
    assert seen == ["hashed"]
    assert not AccessToken.objects.exists()


def test_the_secret_is_no_part_of_an_error_report(rf: Any, hashed: Application, admin_user: Any) -> None:
    """What a debug page or an error mail shows of a POST."""
    from django.contrib import admin

    from oauth2_provider.admin import ApplicationAdmin

    request = rf.post("/", {"client_secret": "typed in"})
    request.user = admin_user
    request._dont_enforce_csrf_checks = True
    with pytest.raises(Exception):  # noqa: B017 - any: there is no session for the messages
        ApplicationAdmin(Application, admin.site).changeform_view(request, "no key")
    assert request.sensitive_post_parameters == ("client_secret",)
    assert timezone.now() - hashed.created < timedelta(minutes=5)
