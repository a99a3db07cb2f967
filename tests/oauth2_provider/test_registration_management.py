"""Reading, replacing and ending a registration, by its own token (RFC 7592)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from oauth2_provider.flows import registration
from oauth2_provider.flows.client_secrets import add_client_secret, find_presented_secret
from oauth2_provider.flows.errors import RegistrationEnded
from oauth2_provider.flows.inactive_applications import InactiveKind, InactivityRule, candidates, judge
from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import AccessToken, Application

from .test_dynamic_registration import MINIMAL, OPEN, post

Told = dict[str, Any]


@pytest.fixture
def open_registration(db: None) -> Iterator[None]:
    with override_settings(OAUTH2_PROVIDER=OPEN):
        yield


@pytest.fixture
def told(client: Client, open_registration: None) -> Told:
    """What a client was told that has just registered."""
    answer = post(client, {**MINIMAL, "client_name": "Before", "scope": "read"})
    assert answer.status_code == 201
    return answer.json()


def bearer(told: Told) -> dict[str, str]:
    return {"authorization": f"Bearer {told['registration_access_token']}"}


def put(client: Client, told: Told, **members: Any) -> Any:
    document = {"client_id": told["client_id"], **MINIMAL, **members}
    return client.put(
        told["registration_client_uri"],
        json.dumps(document),
        content_type="application/json",
        headers=bearer(told),
    )


def test_a_client_reads_its_registration(client: Client, told: Told) -> None:
    """RFC 7592 section 2.1; the secret is stored as a hash, and was told once."""
    answer = client.get(told["registration_client_uri"], headers=bearer(told))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {name: value for name, value in told.items() if name != "client_secret"}


@pytest.mark.parametrize("method", ["get", "put", "delete"])
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer x", "Basic eDp5", "Bearer \x00"])
def test_without_its_token_nothing_is_told(
    client: Client, told: Told, method: str, authorization: str | None
) -> None:
    """RFC 7592 sections 2.1, 2.2, 2.3: an invalid token MUST be answered as RFC 6750 has it."""
    headers = {} if authorization is None else {"authorization": authorization}
    answer = getattr(client, method)(told["registration_client_uri"], headers=headers)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith('Bearer realm="registration"')
    assert told["client_id"] not in answer.content.decode()
    assert Application.objects.count() == 1


def test_the_token_in_the_query_is_not_taken(client: Client, told: Told) -> None:
    uri = f"{told['registration_client_uri']}?access_token={told['registration_access_token']}"
    assert client.get(uri).status_code == 401


def test_the_token_of_another_client_is_no_good(client: Client, told: Told) -> None:
    """RFC 7592 section 6: the token is bound to the client, which MUST be matched."""
    other = post(client, MINIMAL).json()
    answer = client.get(told["registration_client_uri"], headers=bearer(other))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_an_ordinary_token_of_the_client_is_no_good(client: Client, told: Told) -> None:
    AccessToken.objects.create(
        application=Application.objects.get(),
        token="ordinary",
        scope=f"read {AccessToken.objects.get().scope}",
        expires=timezone.now() + timedelta(hours=1),
    )
    headers = {"authorization": "Bearer ordinary"}
    assert client.get(told["registration_client_uri"], headers=headers).status_code == 401


def test_a_client_that_is_gone_and_a_wrong_token_are_not_told_apart(client: Client, told: Told) -> None:
    """RFC 7592 section 5: MUST treat all such requests as if the registration access token was invalid."""
    wrong = client.get(told["registration_client_uri"], headers={"authorization": "Bearer x"})
    Application.objects.all().delete()
    gone = client.get(told["registration_client_uri"], headers=bearer(told))
    assert (gone.status_code, gone.content) == (401, wrong.content)


def test_an_expired_token_is_no_good_and_is_cleared_away(client: Client, told: Told) -> None:
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 401
    call_command("cleartokens")
    assert not AccessToken.objects.exists()


def test_an_update_replaces_all(client: Client, told: Told) -> None:
    """RFC 7592 section 2.2: values MUST replace; omitted fields MUST be treated as null or empty."""
    answer = put(client, told, client_uri="https://client.example/")
    assert answer.status_code == 200
    new = answer.json()
    assert "client_name" not in new
    assert "scope" not in new
    assert new["client_uri"] == "https://client.example/"
    assert new["client_id"] == told["client_id"]
    application = Application.objects.get()
    assert (application.name, application.registered_scope) == ("", None)
    assert check_client_secret(told["client_secret"], application.client_secret)


def test_the_token_is_another_after_an_update(client: Client, told: Told) -> None:
    """RFC 7592 section 2.2: a new token in the response takes the place of the old one."""
    new = put(client, told).json()
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 401
    assert client.get(told["registration_client_uri"], headers=bearer(new)).status_code == 200
    assert AccessToken.objects.count() == 1


def test_a_site_may_keep_the_token(client: Client, told: Told) -> None:
    with override_settings(OAUTH2_PROVIDER={**OPEN, "DCR_ROTATE_REGISTRATION_TOKEN_ON_UPDATE": False}):
        new = put(client, told).json()
    assert new["registration_access_token"] == told["registration_access_token"]
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 200


def test_a_site_may_renew_the_secret_with_each_update(client: Client, told: Told) -> None:
    with override_settings(OAUTH2_PROVIDER={**OPEN, "DCR_ROTATE_CLIENT_SECRET_ON_UPDATE": True}):
        new = put(client, told, client_secret=told["client_secret"]).json()
    assert new["client_secret"] != told["client_secret"]
    stored = Application.objects.get().client_secret
    assert check_client_secret(new["client_secret"], stored)
    assert not check_client_secret(told["client_secret"], stored)


def test_who_comes_to_need_a_secret_gets_one_and_who_does_not_loses_it(client: Client, told: Told) -> None:
    public = put(client, told, token_endpoint_auth_method="none").json()
    assert "client_secret_expires_at" not in public
    assert Application.objects.get().client_secret == ""
    confidential = put(client, public, token_endpoint_auth_method="client_secret_post").json()
    assert check_client_secret(confidential["client_secret"], Application.objects.get().client_secret)
    signing = put(client, confidential, id_token_signed_response_alg="HS256").json()
    assert Application.objects.get().client_secret == signing["client_secret"]


def test_a_secret_too_short_to_sign_is_replaced(client: Client, told: Told) -> None:
    """OpenID Connect Core 1.0 section 16.19, RFC 7518 section 3.2: a key of 256 bits at least, MUST."""
    Application.objects.update(client_secret="x" * 31, algorithm="HS256", hash_client_secret=False)
    signing = put(client, told, id_token_signed_response_alg="HS256").json()
    assert Application.objects.get().client_secret == signing["client_secret"]
    assert len(signing["client_secret"]) >= 32


def test_a_site_that_makes_short_secrets_makes_longer_ones_where_they_sign(client: Client, db: None) -> None:
    """OpenID Connect Core 1.0 section 16.19."""
    with override_settings(OAUTH2_PROVIDER={**OPEN, "CLIENT_SECRET_GENERATOR_LENGTH": 20}):
        assert len(post(client, MINIMAL).json()["client_secret"]) == 20
        signing = post(client, {**MINIMAL, "id_token_signed_response_alg": "HS256"}).json()
    assert len(signing["client_secret"]) >= 32


@pytest.mark.parametrize("method", ["none", "private_key_jwt", "client_secret_jwt", "client_secret_post"])
def test_further_secrets_end_with_the_way_to_present_them(client: Client, told: Told, method: str) -> None:
    """RFC 7592 section 2.2: they would come to life with the next update, for a client that had none."""
    application = Application.objects.get()
    further = add_client_secret(application, name="for a rotation").secret
    application.refresh_from_db()
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt"]
    site = {**OPEN, "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods}
    with override_settings(OAUTH2_PROVIDER=site):
        changed = put(client, told, token_endpoint_auth_method=method, jwks_uri="https://client.example/keys")
        assert changed.status_code == 200, changed.content
        assert put(client, changed.json()).status_code == 200
    found = find_presented_secret(application.client_id, further)
    assert (found is not None) == (method == "client_secret_post")


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"client_id": "another"}, "client_id must be that of the client"),
        ({"client_id": None}, "client_id must be that of the client"),
        ({"client_secret": "chosen by the client"}, "client_secret must be the present one"),
        ({"client_secret": 5}, "client_secret must be the present one"),
        ({"registration_access_token": "x"}, "must not have registration_access_token"),
        ({"registration_client_uri": "x"}, "must not have registration_client_uri"),
        ({"client_secret_expires_at": 0}, "must not have client_secret_expires_at"),
        ({"client_id_issued_at": 0}, "must not have client_id_issued_at"),
        ({"redirect_uris": ["http://evil.example/"]}, "must be https"),
    ],
)
def test_an_update_that_is_wrong_changes_nothing(
    client: Client, told: Told, members: dict[str, Any], complaint: str
) -> None:
    """RFC 7592 section 2.2: client_id MUST be the same; MUST NOT overwrite its secret with one of its choosing."""
    before = Application.objects.values().get()
    answer = put(client, told, **members)
    assert answer.status_code == 400
    assert complaint in answer.json()["error_description"]
    assert Application.objects.values().get() == before
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 200


def test_the_present_secret_may_be_sent_along(client: Client, told: Told) -> None:
    assert put(client, told, client_secret=told["client_secret"]).status_code == 200


def test_a_client_ends_its_registration_with_all_that_came_of_it(client: Client, told: Told) -> None:
    """RFC 7592 section 2.3: 204; its token MUST be invalidated with it (section 5)."""
    answer = client.delete(told["registration_client_uri"], headers=bearer(told))
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Application.objects.exists()
    assert not AccessToken.objects.exists()
    assert client.get(told["registration_client_uri"], headers=bearer(told)).status_code == 401


def test_who_only_registered_counts_as_never_authorized(client: Client, told: Told) -> None:
    """Neither the registration token nor looking after the registration is a use of the application."""
    put(client, told)
    long_ago = timezone.now() - timedelta(days=100)
    Application.objects.update(created=long_ago)
    AccessToken.objects.update(created=long_ago)
    application = Application.objects.get()
    rule = InactivityRule(now=timezone.now(), days=90, never_authorized_days=30)
    assert application.last_used is None
    assert [found.pk for found in candidates(rule)] == [application.pk]
    [verdict] = judge(rule, [application.pk])
    assert (verdict.kind, verdict.kept) == (InactiveKind.NEVER_AUTHORIZED, None)


def test_of_two_updates_with_one_token_the_second_is_refused(client: Client, told: Told) -> None:
    """Both were let in by the same token; the first has replaced it when the second gets the row."""
    document = {**MINIMAL, "client_id": told["client_id"], "client_name": "One"}
    token = told["registration_access_token"]
    application = registration.find_registration(told["client_id"], token)
    first = registration.update(application, document, token=token)
    with pytest.raises(RegistrationEnded):
        registration.update(application, {**document, "client_name": "Two"}, token=token)
    assert Application.objects.get().name == "One"
    assert registration.find_registration(told["client_id"], first.registration_access_token) == application
    application.delete()
    with pytest.raises(RegistrationEnded):
        registration.update(application, document, token=first.registration_access_token)
