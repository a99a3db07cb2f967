"""Tokens, codes and requests in the admin: masked everywhere, ended by set, found by indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from oauth2_provider.admin import MASK_MIN_LENGTH, MASK_SUFFIX_LENGTH, mask_credential
from oauth2_provider.models import (
    AccessToken,
    Application,
    Grant,
    IDToken,
    RefreshToken,
    token_checksum,
)
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user

from .conftest import SECRETS

CREDENTIALS = {
    "access_token": "accesstoken",
    "refresh_token": "refreshtoken",
    "grant": "grant",
    "id_token": "idtoken",
    "device_grant": "devicegrant",
    "request": "pushedauthorizationrequest",
    "key": "signingkey",
}
each_model = pytest.mark.parametrize(("name", "model"), CREDENTIALS.items())


def page(model: str, rest: str = "") -> str:
    return f"/admin/oauth2_provider/{model}/{rest}"


def shown(answer: Any) -> list[Any]:
    """Return the rows of a list's page, oldest first."""
    assert answer.status_code == 200
    return sorted(answer.context["cl"].result_list, key=lambda row: row.pk)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (None, "-"),
        ("", "-"),
        ("short", "••••••••"),
        ("x" * (MASK_MIN_LENGTH - 1), "••••••••"),
        ("x" * MASK_MIN_LENGTH, "••••••••" + "x" * MASK_SUFFIX_LENGTH),
        ("a-long-credential-that-ends-in-abcd", "••••••••abcd"),
    ],
)
def test_a_credential_is_masked_but_for_its_end(value: str | None, masked: str) -> None:
    assert mask_credential(value) == masked


@each_model
def test_no_page_shows_a_secret(admin_client: Client, rows: dict[str, Any], name: str, model: str) -> None:
    secrets = [*SECRETS.values(), rows["key"].encrypted]
    row = rows[name]
    for rest in ("", f"{row.pk}/change/", f"{row.pk}/history/"):
        text = admin_client.get(page(model, rest)).content.decode()
        assert str(row.pk) in text
        assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("name", ["grant", "id_token", "device_grant", "request"])
def test_the_question_before_a_deletion_shows_no_secret_and_neither_does_the_log(
    admin_client: Client, rows: dict[str, Any], name: str
) -> None:
    row, model = rows[name], CREDENTIALS[name]
    question = admin_client.get(page(model, f"{row.pk}/delete/"))
    assert question.status_code == 200
    assert admin_client.post(page(model, f"{row.pk}/delete/"), {"post": "yes"}).status_code == 302
    assert not type(row).objects.filter(pk=row.pk).exists()
    entry = LogEntry.objects.get()
    for text in (question.content.decode(), entry.object_repr, entry.change_message):
        assert not [secret for secret in SECRETS.values() if secret in text]


@each_model
def test_nothing_is_added(admin_client: Client, rows: dict[str, Any], name: str, model: str) -> None:
    assert admin_client.get(page(model, "add/")).status_code == 403
    assert admin_client.post(page(model, "add/"), {"expires": "2099-01-01"}).status_code == 403


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "key"])
def test_tokens_and_keys_are_not_deleted_on_their_pages(
    admin_client: Client, rows: dict[str, Any], name: str
) -> None:
    row, model = rows[name], CREDENTIALS[name]
    assert admin_client.post(page(model, f"{row.pk}/delete/"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    admin_client.post(page(model), chosen)
    assert type(row).objects.filter(pk=row.pk).exists()


def test_a_user_with_tokens_can_be_deleted(admin_client: Client, rows: dict[str, Any]) -> None:
    user = rows["access_token"].user
    question = admin_client.get(f"/admin/auth/user/{user.pk}/delete/")
    assert not question.context["perms_lacking"]
    admin_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert not get_user_model().objects.filter(pk=user.pk).exists()


def test_scope_and_end_of_an_access_token_can_be_changed_and_nothing_else(
    admin_client: Client, rows: dict[str, Any]
) -> None:
    token = rows["access_token"]
    values = {
        "scope": "read",
        "expires_0": "2030-01-02",
        "expires_1": "03:04:05",
        "token": "taken over",
        "user": get_user_model().objects.get(username="admin").pk,
        "token_checksum": "0" * 64,
    }
    assert admin_client.post(page("accesstoken", f"{token.pk}/change/"), values).status_code == 302
    after = AccessToken.objects.get(pk=token.pk)
    assert (after.scope, after.expires.isoformat()) == ("read", "2030-01-02T03:04:05+00:00")
    assert (after.token, after.user, after.token_checksum) == (token.token, token.user, token.token_checksum)


def test_a_token_that_is_not_stored_is_shown_as_such(admin_client: Client, rows: dict[str, Any]) -> None:
    """COMPLIANT_BCP_RFC9700_TOKEN_STORAGE."""
    AccessToken.objects.filter(pk=rows["access_token"].pk).update(token="")
    assert "not stored" in admin_client.get(page("accesstoken")).content.decode()


# -- revoking


def revoke(client: Client, model: str, keys: list[Any], **values: Any) -> str:
    data = {"action": "revoke_tokens", "_selected_action": keys, **values}
    return client.post(page(model), data, follow=True).content.decode()


def test_revoking_an_access_token_ends_what_came_with_it(admin_client: Client, rows: dict[str, Any]) -> None:
    """RFC 7009 section 2.1."""
    text = revoke(admin_client, "accesstoken", [rows["access_token"].pk])
    assert "Revoked: 1 access token, 1 refresh token." in text
    assert list(AccessToken.objects.all()) == [rows["bare_access_token"]]
    rows["refresh_token"].refresh_from_db()
    assert rows["refresh_token"].revoked is not None
    assert not IDToken.objects.filter(pk=rows["id_token"].pk).exists()


def test_revoking_a_refresh_token_ends_its_access_token(admin_client: Client, rows: dict[str, Any]) -> None:
    """RFC 7009 section 2.1: SHOULD also invalidate all access tokens based on the same authorization grant."""
    spent_at = rows["spent"].revoked
    text = revoke(admin_client, "refreshtoken", [rows["refresh_token"].pk, rows["spent"].pk])
    assert "Revoked: 1 access token, 1 refresh token." in text
    assert list(AccessToken.objects.all()) == [rows["bare_access_token"]]
    rows["spent"].refresh_from_db()
    assert rows["spent"].revoked == spent_at


def test_revoking_all_that_a_filter_shows_takes_few_statements(
    admin_client: Client, rows: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        give_credentials(make_user(f"user {number}"), rows["application"])
    expired = rows["bare_access_token"]
    AccessToken.objects.filter(pk=expired.pk).update(expires=timezone.now())
    with django_assert_max_num_queries(60):
        text = revoke(admin_client, "accesstoken", [expired.pk], select_across="1")
    assert "Revoked: 122 access tokens, 61 refresh tokens." in text
    for number in range(3):
        give_credentials(make_user(f"another {number}"), rows["application"])
    AccessToken.objects.filter(scope="read").update(expires=timezone.now())
    data = {"action": "revoke_tokens", "_selected_action": [1], "select_across": "1"}
    admin_client.post(page("accesstoken") + "?state=expired", data)
    assert set(AccessToken.objects.values_list("scope", flat=True)) == {"read write"}


def test_revoking_takes_the_permission_to_change(staff: Any, rows: dict[str, Any]) -> None:
    viewer = staff("view_accesstoken")
    assert "Revoke the selected tokens" not in viewer.get(page("accesstoken")).content.decode()
    revoke(viewer, "accesstoken", [rows["access_token"].pk])
    assert AccessToken.objects.filter(pk=rows["access_token"].pk).exists()


def test_revoking_takes_a_post_of_this_site(rows: dict[str, Any], admin_user: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    data = {"action": "revoke_tokens", "_selected_action": [rows["access_token"].pk]}
    assert strict.post(page("accesstoken"), data).status_code == 403
    strict.get(page("accesstoken"), data)
    assert AccessToken.objects.filter(pk=rows["access_token"].pk).exists()


# -- finding


@pytest.mark.parametrize(
    ("model", "name", "terms"),
    [
        ("accesstoken", "access_token", [SECRETS["access_token"], token_checksum(SECRETS["access_token"])]),
        ("accesstoken", "access_token", [token_checksum(SECRETS["access_token"]).upper()]),
        (
            "refreshtoken",
            "refresh_token",
            [SECRETS["refresh_token"], token_checksum(SECRETS["refresh_token"])],
        ),
        ("grant", "grant", [SECRETS["grant"]]),
        ("devicegrant", "device_grant", [SECRETS["device_grant"]]),
        ("pushedauthorizationrequest", "request", [SECRETS["request"]]),
    ],
)
def test_a_credential_is_found_by_itself(
    admin_client: Client, rows: dict[str, Any], model: str, name: str, terms: list[str]
) -> None:
    other = make_client("other")
    give_credentials(make_user("bob"), other)
    for term in terms:
        assert shown(admin_client.get(page(model), {"q": f" {term} "})) == [rows[name]]


def test_an_id_token_is_found_by_its_jti(admin_client: Client, rows: dict[str, Any]) -> None:
    assert shown(admin_client.get(page("idtoken"), {"q": str(rows["id_token"].jti)})) == [rows["id_token"]]


def test_refresh_tokens_are_found_by_their_family(admin_client: Client, rows: dict[str, Any]) -> None:
    found = shown(admin_client.get(page("refreshtoken"), {"q": str(rows["spent"].token_family)}))
    assert found == [rows["spent"], rows["refresh_token"]]


@pytest.mark.parametrize(
    ("term", "whose"),
    [
        ("photo-printer", ["ann"]),
        ("photo", ["ann"]),
        ("ann", ["ann"]),
        ("an", ["ann", "hannah"]),
        ("hannah@other.example", ["hannah"]),
        ("nobody", []),
        ("x" * 2000, []),
        ("ann\x00", ["ann", "hannah"]),  # Django's form refuses the term, and the list is whole
    ],
)
@pytest.mark.parametrize("model", ["accesstoken", "refreshtoken", "grant", "idtoken"])
def test_credentials_are_found_by_client_and_user(
    admin_client: Client, rows: dict[str, Any], model: str, term: str, whose: list[str]
) -> None:
    hannah = get_user_model().objects.create(username="hannah", email="hannah@other.example")
    give_credentials(hannah, make_client("other"))
    found = shown(admin_client.get(page(model), {"q": term}))
    assert sorted({row.user.username for row in found}) == whose


def test_device_codes_are_found_by_client_and_user(admin_client: Client, rows: dict[str, Any]) -> None:
    give_credentials(make_user("bob"), make_client("other"))
    for term in ("photo-printer", "ann"):
        assert shown(admin_client.get(page("devicegrant"), {"q": term})) == [rows["device_grant"]]
    assert shown(admin_client.get(page("devicegrant"), {"q": "nobody"})) == []
    assert shown(admin_client.get(page("pushedauthorizationrequest"), {"q": "nobody"})) == []


def test_a_search_that_fits_too_many_says_so(
    admin_client: Client, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oauth2_provider.admin.searching.FOUND_AT_MOST", 2)
    for number in range(3):
        make_client(f"client {number}")
    answer = admin_client.get(page("accesstoken"), {"q": "client"})
    assert "More than 2 clients or users fit; these are not all." in answer.content.decode()


def test_a_sites_own_search_fields_are_searched(rf: Any, rows: dict[str, Any]) -> None:
    from oauth2_provider.admin import AccessTokenAdmin

    class Ours(AccessTokenAdmin):
        search_fields = ("scope",)

    found, _ = Ours(AccessToken, admin.site).get_search_results(
        rf.get("/"), AccessToken.objects.all(), "write"
    )
    assert list(found) == [rows["access_token"]]


@pytest.mark.parametrize(
    "model", ["accesstoken", "grant", "idtoken", "devicegrant", "pushedauthorizationrequest"]
)
def test_live_and_expired_are_told_apart(admin_client: Client, rows: dict[str, Any], model: str) -> None:
    table = next(type(row) for row in rows.values() if type(row)._meta.model_name == model)
    assert shown(admin_client.get(page(model), {"state": "expired"})) == []
    everything = shown(admin_client.get(page(model), {"state": "live"}))
    assert everything == list(table.objects.order_by("pk"))
    table.objects.filter(pk=everything[0].pk).update(expires=timezone.now() - timedelta(seconds=1))
    assert shown(admin_client.get(page(model), {"state": "expired"})) == everything[:1]
    assert shown(admin_client.get(page(model), {"state": "live"})) == everything[1:]
    assert len(shown(admin_client.get(page(model), {"state": "unknown"}))) == len(everything)


def test_revoked_refresh_tokens_are_told_from_live_ones(admin_client: Client, rows: dict[str, Any]) -> None:
    assert shown(admin_client.get(page("refreshtoken"), {"state": "revoked"})) == [rows["spent"]]
    assert shown(admin_client.get(page("refreshtoken"), {"state": "live"})) == [rows["refresh_token"]]


@each_model
def test_a_list_takes_the_same_statements_however_long_it_is(
    admin_client: Client, rows: dict[str, Any], name: str, model: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        give_credentials(make_user(f"user {number}"), make_client(f"client {number}"))
    with django_assert_max_num_queries(8):
        admin_client.get(page(model))


def test_the_models_of_the_tests_are_those_registered(rows: dict[str, Any]) -> None:
    models: list[Callable[..., Any]] = [type(row) for row in rows.values()]
    assert {Application, Grant, AccessToken, RefreshToken} <= set(models)
    assert all(admin.site.is_registered(model) for model in models)  # type: ignore[arg-type]
