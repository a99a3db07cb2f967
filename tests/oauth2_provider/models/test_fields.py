"""The fields that change a value on its way into the database."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from oauth2_provider.generators import generate_client_secret
from oauth2_provider.hashers import check_client_secret
from oauth2_provider.models import (
    AccessToken,
    Application,
    ClientSecretField,
    RefreshToken,
    ResourceJSONField,
    TokenChecksumField,
    set_token_value,
    token_checksum,
)
from tests.oauth2_provider.models.conftest import make_application, make_pair

HASHED_STORAGE = {"COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True}


def stored_secret(application: Application) -> str:
    return Application.objects.values_list("client_secret", flat=True).get(pk=application.pk)


@pytest.mark.django_db
def test_a_chosen_secret_is_stored_as_a_password_hash_and_stays_as_it_is() -> None:
    application = make_application(client_secret="chosen")
    stored = stored_secret(application)
    application.save()

    assert stored.startswith("md5$")
    assert stored_secret(application) == stored == application.client_secret


@pytest.mark.django_db
def test_a_generated_secret_is_stored_as_a_fast_hash() -> None:
    secret = generate_client_secret()

    stored = stored_secret(make_application(client_secret=secret))

    assert stored.startswith("generated_sha256$")
    assert check_client_secret(secret, stored)


@pytest.mark.django_db
def test_a_secret_is_stored_as_it_is_where_the_application_says_so() -> None:
    application = make_application(client_secret="chosen", hash_client_secret=False)
    assert stored_secret(application) == "chosen"

    application.hash_client_secret = True
    application.save()
    assert stored_secret(application).startswith("md5$")


@pytest.mark.django_db
def test_an_empty_secret_stays_empty() -> None:
    assert stored_secret(make_application(client_secret="")) == ""


def test_the_checksum_of_a_token_is_its_sha_256() -> None:
    assert token_checksum("tökén") == hashlib.sha256("tökén".encode()).hexdigest()


def test_a_token_is_stored_with_its_checksum(application: Application, user: Any) -> None:
    refresh_token = make_pair(application, user)

    assert RefreshToken.objects.get(token_checksum=token_checksum("refresh token")) == refresh_token
    assert AccessToken.objects.get(token_checksum=token_checksum("access token")).token == "access token"


def test_a_changed_token_changes_its_checksum(application: Application, user: Any) -> None:
    refresh_token = make_pair(application, user)
    refresh_token.token = "another"
    refresh_token.save()

    assert RefreshToken.objects.get(token_checksum=token_checksum("another")) == refresh_token


def test_under_hashed_storage_only_the_checksum_is_stored(application: Application, user: Any) -> None:
    with override_settings(OAUTH2_PROVIDER=HASHED_STORAGE):
        access_token = AccessToken(
            user=user, application=application, expires=timezone.now() + timedelta(hours=1)
        )
        set_token_value(access_token, "secret")
        access_token.save()

    found = AccessToken.objects.get(token_checksum=token_checksum("secret"))
    assert (found.token, found.pk) == ("", access_token.pk)
    found.scope = "read"
    found.save()
    assert AccessToken.objects.get(token_checksum=token_checksum("secret")).scope == "read"


def test_without_hashed_storage_the_value_is_stored_too() -> None:
    access_token = AccessToken()
    set_token_value(access_token, "secret")

    assert access_token.token == "secret"


def test_no_resource_is_an_empty_list(application: Application, user: Any) -> None:
    refresh_token = make_pair(application, user, resource=None)
    assert RefreshToken.objects.get(pk=refresh_token.pk).resource == []

    RefreshToken.objects.filter(pk=refresh_token.pk).update(resource=["https://api.example/"])
    assert RefreshToken.objects.get(pk=refresh_token.pk).resource == ["https://api.example/"]


@pytest.mark.parametrize("field", [ClientSecretField(), TokenChecksumField(), ResourceJSONField()])
def test_migrations_know_the_fields_by_their_public_path(field: Any) -> None:
    _, path, _, _ = field.deconstruct()

    assert path == f"oauth2_provider.models.{type(field).__name__}"
