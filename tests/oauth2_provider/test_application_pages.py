"""The pages on which people manage their applications: own rows only, the secret once, clear refusals."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client
from django.utils import timezone

from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import AccessToken, Application
from oauth2_provider.views import one_time
from oauth2_provider.views.application import APPLICATIONS_PER_PAGE

from .credentials import make_client

LIST = "/o/applications/"
SECRET = re.compile(r'id="new-client-secret">([^<]+)<')
VALUES = {
    "name": "Mine",
    "client_id": "",
    "client_secret": "",
    "hash_client_secret": "on",
    "client_type": "confidential",
    "authorization_grant_type": "authorization-code",
    "redirect_uris": "https://one.example/callback\r\nhttps://two.example/callback",
    "post_logout_redirect_uris": "",
    "allowed_origins": "",
    "algorithm": "",
}


@pytest.fixture
def mine(user: Any) -> Application:
    return make_client("mine", user=user, client_type="confidential", client_secret="a secret of my own")


@pytest.fixture
def not_mine(db: None) -> Application:
    return make_client("not mine", user=get_user_model().objects.create_user("another"))


def page_of(application: Any, page: str = "") -> str:
    return f"{LIST}{getattr(application, 'pk', application)}/{page}"


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return answer.context["form"].errors


@pytest.mark.parametrize("page", ["", "register/", "1/", "1/update/", "1/delete/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_logged_in_is_sent_to_log_in(client: Client, db: None, page: str, method: str) -> None:
    answer = getattr(client, method)(LIST + page)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={LIST}{page}"


@pytest.mark.parametrize("page", ["", "update/", "delete/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_application_of_someone_else_is_not_there(
    logged_in: Client, not_mine: Application, page: str, method: str
) -> None:
    answer = getattr(logged_in, method)(page_of(not_mine, page), {**VALUES, "name": "Taken"})
    assert answer.status_code == (405 if (method, page) == ("post", "") else 404)
    assert Application.objects.get().name == "not mine"


@pytest.mark.parametrize("key", ["no-number", "99999999999999999999999999", "0", "-1"])
def test_a_key_that_cannot_be_is_not_there(logged_in: Client, key: str) -> None:
    assert logged_in.get(page_of(key)).status_code == 404


def test_the_list_has_the_users_own_in_the_order_of_their_names_page_by_page(
    logged_in: Client, user: Any, not_mine: Application
) -> None:
    names = [f"application {number:02}" for number in range(APPLICATIONS_PER_PAGE + 1)]
    for name in reversed(names):
        make_client(name, user=user)
    first, second = logged_in.get(LIST), logged_in.get(LIST, {"page": 2})
    shown = [str(application) for page in (first, second) for application in page.context["applications"]]
    assert shown == names
    assert 'href="?page=2"' in first.content.decode()
    assert logged_in.get(LIST, {"page": "no page"}).status_code == 404


def test_a_registered_application_is_the_users_and_shows_its_secret_once(
    logged_in: Client, user: Any
) -> None:
    answer = logged_in.post(f"{LIST}register/", VALUES)
    application = Application.objects.get()
    assert application.user == user
    assert application.redirect_uris == "https://one.example/callback https://two.example/callback"
    assert len(application.client_id) == 40
    assert (answer.status_code, answer["Location"]) == (302, page_of(application))
    page = logged_in.get(answer["Location"])
    secret = SECRET.findall(page.content.decode())[0]
    assert check_client_secret(secret, application.client_secret)
    assert "no-store" in page["Cache-Control"]
    assert "new-client-secret" not in logged_in.get(answer["Location"]).content.decode()


def test_a_secret_waits_for_its_own_page_encrypted_and_not_for_long(
    logged_in: Client, mine: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = logged_in.post(f"{LIST}register/", VALUES)
    assert "new-client-secret" not in logged_in.get(page_of(mine)).content.decode()
    [kept] = logged_in.session[one_time.SESSION_KEY].values()
    assert kept.count(".") == 4  # RFC 7516 section 7.1
    later = one_time.time.time() + one_time.KEPT_SECONDS + 1
    monkeypatch.setattr(one_time.time, "time", lambda: later)
    assert "new-client-secret" not in logged_in.get(answer["Location"]).content.decode()
    assert one_time.SESSION_KEY not in logged_in.session


def test_what_was_kept_under_a_former_secret_key_is_shown_and_under_an_unknown_one_is_not(
    logged_in: Client, settings: Any, rf: Any
) -> None:
    request = rf.get("/")
    request.session = {}
    former = settings.SECRET_KEY
    for slot in ("one", "two"):
        one_time.keep_once(request, slot, "value")
    settings.SECRET_KEY = "another key, and long enough"
    assert one_time.take_once(request, "one") == []
    settings.SECRET_KEY_FALLBACKS = [former]
    assert one_time.take_once(request, "two") == ["value"]


def test_secrets_of_parallel_tabs_are_each_shown_once_on_their_own_page(logged_in: Client, user: Any) -> None:
    """Both are made before either page is looked at."""
    pages = [logged_in.post(f"{LIST}register/", VALUES)["Location"] for _ in range(2)]
    for page, application in zip(pages, Application.objects.order_by("pk"), strict=True):
        assert page == page_of(application)
        [secret] = SECRET.findall(logged_in.get(page).content.decode())
        assert check_client_secret(secret, application.client_secret)
        assert "new-client-secret" not in logged_in.get(page).content.decode()
    assert one_time.SESSION_KEY not in logged_in.session


def test_what_waits_is_bounded_and_the_path_of_one_is_not_that_of_another(rf: Any) -> None:
    request = rf.get("/")
    request.session = {}
    for number in range(one_time.KEPT_AT_MOST + 2):
        one_time.keep_once(request, f"secret/{number}", str(number))
    assert len(request.session[one_time.SESSION_KEY]) == one_time.KEPT_AT_MOST
    assert one_time.take_once(request, "secret/1") == []  # gone, and not that of 10
    request.method = "HEAD"
    assert one_time.take_once(request, "secret") == []
    request.method = "GET"
    assert one_time.take_once(request, "secret") == [str(number) for number in range(2, 22)]
    assert one_time.SESSION_KEY not in request.session


def test_a_public_client_gets_no_secret(logged_in: Client) -> None:
    answer = logged_in.post(f"{LIST}register/", {**VALUES, "client_type": "public"}, follow=True)
    assert Application.objects.get().client_secret == ""
    assert "new-client-secret" not in answer.content.decode()


def test_a_secret_that_was_typed_in_is_stored_and_not_shown(logged_in: Client) -> None:
    answer = logged_in.post(f"{LIST}register/", {**VALUES, "client_secret": "typed in"}, follow=True)
    assert check_client_secret("typed in", Application.objects.get().client_secret)
    assert "typed in" not in answer.content.decode()


def test_no_page_shows_a_stored_secret_or_its_hash(logged_in: Client, user: Any, mine: Application) -> None:
    plain = make_client(
        "plain",
        user=user,
        client_type="confidential",
        client_secret="a plain secret",
        hash_client_secret=False,
    )
    for application in (mine, plain):
        for page in ("", "update/", "delete/"):
            text = logged_in.get(page_of(application, page)).content.decode()
            assert application.client_secret not in text
            assert "a secret of my own" not in text


@pytest.mark.parametrize("is_hashed", [True, False])
def test_editing_leaves_the_secret_as_it_is(logged_in: Client, mine: Application, is_hashed: bool) -> None:
    if not is_hashed:
        Application.objects.update(hash_client_secret=False, client_secret="as it is")
        mine.refresh_from_db()
    values = {
        **VALUES,
        "client_id": "mine",
        "name": "Renamed",
        "hash_client_secret": "on" if is_hashed else "",
    }
    for _ in range(2):
        assert logged_in.post(page_of(mine, "update/"), values).status_code == 302
    changed = Application.objects.get()
    assert (changed.name, changed.client_secret) == ("Renamed", mine.client_secret)


def test_a_hash_posted_back_is_kept_and_another_is_refused(logged_in: Client, mine: Application) -> None:
    values = {**VALUES, "client_secret": mine.client_secret}
    assert logged_in.post(page_of(mine, "update/"), values).status_code == 302
    assert Application.objects.get().client_secret == mine.client_secret
    other = make_client("other", client_secret="other").client_secret
    errors = errors_of(logged_in.post(page_of(mine, "update/"), {**VALUES, "client_secret": other}))
    assert errors == {"client_secret": ["This is the hash of a secret. Type in the secret itself."]}


def test_a_new_secret_replaces_the_old_one_and_is_shown_once(logged_in: Client, mine: Application) -> None:
    values = {**VALUES, "client_id": "mine", "new_client_secret": "on"}
    page = logged_in.post(page_of(mine, "update/"), values, follow=True).content.decode()
    stored = Application.objects.get().client_secret
    assert check_client_secret(SECRET.findall(page)[0], stored)
    assert not check_client_secret("a secret of my own", stored)


def test_a_secret_that_is_a_hash_cannot_become_readable(logged_in: Client, mine: Application) -> None:
    readable = {**VALUES, "client_id": "mine", "hash_client_secret": "", "algorithm": "HS256"}
    errors = errors_of(logged_in.post(page_of(mine, "update/"), readable))
    assert "cannot be read again" in errors["client_secret"][0]
    assert (
        logged_in.post(page_of(mine, "update/"), {**readable, "new_client_secret": "on"}).status_code == 302
    )
    assert len(Application.objects.get().get_client_secret_hmac_jwk().export_symmetric()) > 0


def test_the_secret_of_a_client_that_becomes_confidential_is_made(logged_in: Client, user: Any) -> None:
    public = make_client("public", user=user)
    page = logged_in.post(page_of(public, "update/"), {**VALUES, "client_id": "public"}, follow=True)
    public.refresh_from_db()
    assert check_client_secret(SECRET.findall(page.content.decode())[0], public.client_secret)


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"redirect_uris": ""}, "redirect_uris", "At least one redirect URI is needed"),
        ({"redirect_uris": "javascript:alert(1)"}, "redirect_uris", "javascript:alert(1)"),
        ({"redirect_uris": "https://x.example/#part"}, "redirect_uris", "fragment"),
        ({"allowed_origins": "https://x.example/path"}, "allowed_origins", "https://x.example/path"),
        ({"algorithm": "RS256"}, "__all__", "OIDC_RSA_PRIVATE_KEY"),
        ({"algorithm": "HS256"}, "__all__", "must not be hashed"),
        ({"client_type": "unknown"}, "client_type", "not one of the available choices"),
        ({"client_id": "with a space"}, "client_id", "without spaces and colons"),
        ({"client_id": "https://squatted.example/"}, "client_id", "without spaces and colons"),
        ({"client_id": "not mine"[:3] + "\x00"}, "client_id", "Null characters are not allowed"),
        ({"name": "n" * 256}, "name", "at most 255 characters"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_beside_its_field(
    logged_in: Client, values: dict[str, str], field: str, says: str
) -> None:
    errors = errors_of(logged_in.post(f"{LIST}register/", {**VALUES, **values}))
    assert list(errors) == [field]
    assert says in errors[field][0]
    assert not Application.objects.exists()


def test_a_client_id_that_someone_has_is_refused(logged_in: Client) -> None:
    make_client("taken")
    errors = errors_of(logged_in.post(f"{LIST}register/", {**VALUES, "client_id": "taken"}))
    assert errors == {"client_id": ["Application with this Client ID already exists."]}


def test_fields_that_are_not_in_the_form_cannot_be_posted(
    logged_in: Client, mine: Application, not_mine: Application
) -> None:
    values = {**VALUES, "user": not_mine.user_id, "skip_authorization": "on", "registration_source": "dcr"}
    logged_in.post(page_of(mine, "update/"), values)
    mine.refresh_from_db()
    assert (mine.user.username, mine.skip_authorization, mine.registration_source) == (
        "someone",
        False,
        "manual",
    )


def test_deleting_asks_first_and_ends_the_tokens(logged_in: Client, user: Any, mine: Application) -> None:
    later = timezone.now() + timedelta(hours=1)
    AccessToken.objects.create(token="t", user=user, application=mine, expires=later)
    assert logged_in.get(page_of(mine, "delete/")).context["application"] == mine
    assert Application.objects.exists()
    answer = logged_in.post(page_of(mine, "delete/"))
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    assert not Application.objects.exists()
    assert not AccessToken.objects.exists()


def test_an_application_that_the_sites_rows_hold_stays_and_the_page_says_so(
    logged_in: Client, user: Any, mine: Application
) -> None:
    def hold(sender: Any, instance: Any, **kwargs: Any) -> None:
        raise ProtectedError("The site's own row holds it.", {instance})

    later = timezone.now() + timedelta(hours=1)
    AccessToken.objects.create(token="t", user=user, application=mine, expires=later)
    pre_delete.connect(hold, sender=Application)
    try:
        page = logged_in.post(page_of(mine, "delete/"))
    finally:
        pre_delete.disconnect(hold, sender=Application)
    assert page.status_code == 200
    assert "needs the application: it was not deleted" in page.content.decode()
    assert AccessToken.objects.get().application == mine


@pytest.mark.parametrize("page", ["register/", "{pk}/update/", "{pk}/delete/"])
def test_a_post_without_the_csrf_token_is_refused(user: Any, mine: Application, page: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(LIST + page.format(pk=mine.pk), VALUES).status_code == 403
    assert Application.objects.get().name == "mine"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("", "application_list.html"),
        ("register/", "application_registration_form.html"),
        ("{pk}/", "application_detail.html"),
        ("{pk}/update/", "application_form.html"),
        ("{pk}/delete/", "application_confirm_delete.html"),
    ],
)
def test_a_site_overrides_a_template_by_its_name(
    logged_in: Client, mine: Application, settings: Any, tmp_path: Any, page: str, name: str
) -> None:
    override = tmp_path / "oauth2_provider" / name
    override.parent.mkdir()
    override.write_text("ours: {{ applications.0 }}{{ application }}{% if form %} with a form{% endif %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    text = logged_in.get(LIST + page.format(pk=mine.pk)).content.decode()
    has_form = name not in ("application_list.html", "application_detail.html")
    assert text == f"ours: {'' if page == 'register/' else 'mine'}{' with a form' if has_form else ''}"


def test_templates_made_for_the_forms_blocks_still_fill_them(
    logged_in: Client, mine: Application, settings: Any, tmp_path: Any
) -> None:
    override = tmp_path / "oauth2_provider" / "application_registration_form.html"
    override.parent.mkdir()
    override.write_text(
        '{% extends "oauth2_provider/application_form.html" %}{% block app-form-title %}Our title{% endblock %}'
        "{% block app-form-action-url %}/there/{% endblock %}{% block app-form-back-url %}/back/{% endblock %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    text = logged_in.get(f"{LIST}register/").content.decode()
    assert all(part in text for part in ("Our title", 'action="/there/"', 'href="/back/"'))
