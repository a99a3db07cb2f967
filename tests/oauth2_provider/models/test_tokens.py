"""Access tokens, refresh tokens, codes and device codes as rows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone

from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceCodeResponse,
    DeviceGrant,
    DeviceRequest,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
    create_device_grant,
    refresh_token_expire_timedelta,
    revoke_access_token,
)
from tests.oauth2_provider.models.conftest import make_pair

PAST, FUTURE = -timedelta(seconds=1), timedelta(hours=1)


@pytest.mark.parametrize("model", [AccessToken, IDToken, Grant, PushedAuthorizationRequest])
def test_a_row_is_expired_from_its_end_on(model: Any) -> None:
    now = timezone.now()

    assert model(expires=now + PAST).is_expired()
    assert not model(expires=now + FUTURE).is_expired()
    assert model().is_expired(), "without an end it is over"


@pytest.mark.parametrize("model", [AccessToken, IDToken])
@pytest.mark.parametrize(
    ("scopes", "is_valid"),
    [(None, True), ([], True), (["read"], True), (["write", "read"], True), (["read", "admin"], False)],
)
def test_a_live_token_is_valid_for_the_scopes_it_has(model: Any, scopes: list[str], is_valid: bool) -> None:
    now = timezone.now()

    assert model(expires=now + FUTURE, scope="read write").is_valid(scopes) is is_valid
    assert not model(expires=now + PAST, scope="read write").is_valid(scopes)


def test_a_token_shows_those_of_its_scopes_that_the_site_knows() -> None:
    with override_settings(OAUTH2_PROVIDER={"SCOPES": {"read": "Read", "write": "Write"}}):
        assert AccessToken(scope="write gone").scopes == {"write": "Write"}


def test_a_token_bound_to_nothing_is_good_everywhere() -> None:
    assert AccessToken(resource=[]).allows_audience("https://api.example/")


def test_revoking_an_access_token_removes_it_and_revokes_its_refresh_token(
    application: Application, user: Any
) -> None:
    """RFC 7009 section 2.1."""
    refresh_token = make_pair(application, user)
    assert refresh_token.access_token is not None

    revoke_access_token(refresh_token.access_token)

    refresh_token.refresh_from_db()
    assert refresh_token.revoked is not None
    assert not AccessToken.objects.exists()


def test_revoking_an_access_token_of_its_own_removes_it(application: Application, user: Any) -> None:
    refresh_token = make_pair(application, user)
    access_token = refresh_token.access_token
    refresh_token.delete()

    revoke_access_token(AccessToken.objects.get(pk=access_token.pk))

    assert not AccessToken.objects.exists()


def test_revoking_a_refresh_token_stamps_it_and_removes_its_access_token(
    application: Application, user: Any
) -> None:
    refresh_token = make_pair(application, user)
    before = timezone.now()

    refresh_token.revoke()

    stored = RefreshToken.objects.get(pk=refresh_token.pk)
    assert stored.access_token is None
    assert stored.revoked == refresh_token.revoked
    assert before <= stored.revoked <= timezone.now()
    assert not AccessToken.objects.exists()


def test_a_revoked_refresh_token_keeps_its_date(application: Application, user: Any) -> None:
    date = timezone.now() - timedelta(days=1)
    refresh_token = make_pair(application, user, revoked=date)

    refresh_token.revoke()

    assert RefreshToken.objects.get(pk=refresh_token.pk).revoked == date


def test_revoking_a_refresh_token_that_is_gone_does_nothing(application: Application, user: Any) -> None:
    refresh_token = make_pair(application, user)
    RefreshToken.objects.all().delete()

    refresh_token.revoke()

    assert not RefreshToken.objects.exists()


def test_revoking_a_family_leaves_other_families_alone(application: Application, user: Any) -> None:
    """RFC 9700 section 4.14.2."""
    family, other_family = uuid.uuid4(), uuid.uuid4()
    for name, token_family in (("a", family), ("b", family), ("c", other_family), ("d", None)):
        make_pair(application, user, name, token_family=token_family)

    RefreshToken.revoke_family(family)

    live = RefreshToken.objects.filter(revoked__isnull=True)
    assert sorted(live.values_list("token", flat=True)) == ["refresh c", "refresh d"]
    assert sorted(AccessToken.objects.values_list("token", flat=True)) == ["access c", "access d"]


@pytest.mark.parametrize(
    ("setting", "lifetime"),
    [
        (None, None),
        (0, None),
        (60, timedelta(minutes=1)),
        (1.5, timedelta(seconds=1.5)),
        (timedelta(days=1), timedelta(days=1)),
    ],
)
def test_the_lifetime_of_refresh_tokens_is_a_number_or_a_timedelta(
    setting: Any, lifetime: timedelta | None
) -> None:
    with override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": setting}):
        assert refresh_token_expire_timedelta() == lifetime


def test_any_other_lifetime_of_refresh_tokens_is_refused() -> None:
    with (
        override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": "a day"}),
        pytest.raises(ImproperlyConfigured, match="number of seconds or a timedelta"),
    ):
        refresh_token_expire_timedelta()


def test_a_code_is_good_for_the_redirect_uri_it_was_asked_for_only() -> None:
    """RFC 6749 section 4.1.3: identical."""
    grant = Grant(redirect_uri="https://client.example/cb")

    assert grant.redirect_uri_allowed("https://client.example/cb")
    assert not grant.redirect_uri_allowed("https://client.example/cb?x")


@pytest.mark.django_db
def test_a_device_authorization_is_stored_as_it_was_answered() -> None:
    """RFC 8628 section 3.2."""
    before = timezone.now()
    grant = create_device_grant(
        DeviceRequest(client_id="tv", scope="read write"),
        DeviceCodeResponse(
            verification_uri="https://id.example/device",
            expires_in=600,
            user_code="BCDF-GHJK",
            device_code="secret",
            interval=7,
        ),
    )

    stored = DeviceGrant.objects.get(pk=grant.pk)
    assert (stored.client_id, stored.scope, stored.user_code, stored.device_code, stored.interval) == (
        "tv",
        "read write",
        "BCDF-GHJK",
        "secret",
        7,
    )
    assert stored.status == DeviceGrant.AUTHORIZATION_PENDING
    assert timedelta(seconds=600) <= stored.expires - before < timedelta(seconds=630)
    assert stored.user is None


@pytest.mark.django_db
def test_a_device_code_found_expired_is_stamped_so() -> None:
    over = DeviceGrant.objects.create(device_code="over", expires=timezone.now() + PAST)
    live = DeviceGrant.objects.create(device_code="live", expires=timezone.now() + FUTURE)

    assert over.is_expired()
    assert not live.is_expired()
    assert dict(DeviceGrant.objects.values_list("device_code", "status")) == {
        "over": DeviceGrant.EXPIRED,
        "live": DeviceGrant.AUTHORIZATION_PENDING,
    }


@pytest.mark.parametrize(
    "model", [AccessToken, RefreshToken, IDToken, Grant, DeviceGrant, PushedAuthorizationRequest]
)
def test_a_row_is_named_without_its_secret(model: Any) -> None:
    row = model(pk=7)
    for field in ("token", "code", "device_code", "user_code", "request_uri"):
        setattr(row, field, "secret")

    assert "secret" not in str(row)
    assert "secret" not in repr(row)
