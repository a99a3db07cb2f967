"""The dict OAUTH2_PROVIDER, read live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings

from oauth2_provider.generators import ClientIdGenerator
from oauth2_provider.settings import DEFAULTS, MANDATORY, OAuth2ProviderSettings, oauth2_settings
from tests.oauth2_provider import dotted


def with_settings(**user_settings: Any) -> OAuth2ProviderSettings:
    return OAuth2ProviderSettings(user_settings, mandatory=MANDATORY)


def test_a_setting_the_site_does_not_make_has_its_default() -> None:
    assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 60
    assert oauth2_settings.CLIENT_ID_GENERATOR_CLASS is ClientIdGenerator


def test_a_changed_django_setting_is_seen_at_the_next_access() -> None:
    with override_settings(
        OAUTH2_PROVIDER={
            "AUTHORIZATION_CODE_EXPIRE_SECONDS": 5,
            "CLIENT_ID_GENERATOR_CLASS": "tests.oauth2_provider.dotted.OtherGenerator",
        }
    ):
        assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 5
        assert oauth2_settings.CLIENT_ID_GENERATOR_CLASS is dotted.OtherGenerator
    assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 60
    assert oauth2_settings.CLIENT_ID_GENERATOR_CLASS is ClientIdGenerator


def test_a_django_setting_that_changes_without_a_signal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 60
    changed = {"AUTHORIZATION_CODE_EXPIRE_SECONDS": 5, "SCOPES": {"own": "Own"}}
    monkeypatch.setattr(django_settings, "OAUTH2_PROVIDER", changed, raising=False)
    assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 5
    assert oauth2_settings._SCOPES == ["own"]


def test_a_dict_that_changes_is_read_again_after_reload() -> None:
    site = {"AUTHORIZATION_CODE_EXPIRE_SECONDS": 5}
    with override_settings(OAUTH2_PROVIDER=site):
        assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 5
        site["AUTHORIZATION_CODE_EXPIRE_SECONDS"] = 7
        oauth2_settings.reload()
        assert oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS == 7


def test_an_unknown_setting_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Invalid OAUTH2_PROVIDER setting: NO_SUCH_THING"):
        oauth2_settings.NO_SUCH_THING  # noqa: B018


@pytest.mark.parametrize("name", MANDATORY)
def test_a_mandatory_setting_must_not_be_empty(name: str) -> None:
    with pytest.raises(AttributeError, match=f"OAUTH2_PROVIDER setting {name} is mandatory"):
        getattr(with_settings(**{name: None}), name)


def test_a_dotted_path_that_does_not_import_names_the_setting() -> None:
    with pytest.raises(ImportError, match=r"'no\.such\.thing' for setting 'OAUTH2_VALIDATOR_CLASS'"):
        with_settings(OAUTH2_VALIDATOR_CLASS="no.such.thing").OAUTH2_VALIDATOR_CLASS  # noqa: B018


def test_dotted_paths_in_a_list_are_imported_and_the_list_keeps_its_type() -> None:
    path = "tests.oauth2_provider.dotted.two_minutes"

    assert (dotted.two_minutes,) == with_settings(
        OAUTH_PRE_TOKEN_VALIDATION=(path,)
    ).OAUTH_PRE_TOKEN_VALIDATION


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [
        (90, 90),
        (90.7, 90),
        (timedelta(hours=2), 7200),
        (lambda request: 30, 30),
        (lambda request: timedelta(minutes=1), 60),
        ("tests.oauth2_provider.dotted.two_minutes", 120),
    ],
)
def test_the_lifetime_of_an_access_token_may_be_a_number_a_timedelta_or_a_callable(
    lifetime: Any, seconds: int
) -> None:
    assert with_settings(ACCESS_TOKEN_EXPIRE_SECONDS=lifetime).access_token_expires_in(None) == seconds


def test_a_callable_lifetime_is_given_the_request() -> None:
    settings = with_settings(ACCESS_TOKEN_EXPIRE_SECONDS=lambda request: request["seconds"])

    assert settings.access_token_expires_in({"seconds": 7}) == 7


def test_default_scopes_are_all_scopes_or_those_named() -> None:
    scopes = {"a": "A", "b": "B"}

    assert with_settings(SCOPES=scopes)._DEFAULT_SCOPES == ["a", "b"]
    assert with_settings(SCOPES=scopes, DEFAULT_SCOPES=["b"])._DEFAULT_SCOPES == ["b"]
    with pytest.raises(ImproperlyConfigured, match=r"\['c'\]"):
        with_settings(SCOPES=scopes, DEFAULT_SCOPES=["c"])._DEFAULT_SCOPES  # noqa: B018


def test_defaults_hold_no_functions_so_that_settings_stay_a_leaf() -> None:
    assert [name for name, value in DEFAULTS.items() if callable(value)] == []


def test_a_deprecated_setting_warns_once_until_settings_change() -> None:
    deprecated = {"AUTHENTICATION_SERVER_EXP_TIME_ZONE": "Europe/Rome"}
    with override_settings(OAUTH2_PROVIDER=deprecated):
        with pytest.warns(DeprecationWarning, match="AUTHENTICATION_SERVER_EXP_TIME_ZONE"):
            assert oauth2_settings.AUTHENTICATION_SERVER_EXP_TIME_ZONE == "Europe/Rome"
        assert oauth2_settings.AUTHENTICATION_SERVER_EXP_TIME_ZONE == "Europe/Rome"


def test_extra_server_arguments_win_over_those_of_the_settings() -> None:
    settings = with_settings(EXTRA_SERVER_KWARGS={"token_expires_in": 1, "more": 2})

    assert settings.server_kwargs == {
        "token_expires_in": 1,
        "refresh_expires_in": None,
        "token_generator": None,
        "refresh_token_generator": None,
        "more": 2,
    }


def test_the_configured_issuer_is_taken_as_it_is() -> None:
    settings = with_settings(OIDC_ISS_ENDPOINT="https://id.example/")
    request = RequestFactory().get("/")

    assert settings.oidc_issuer(request) == "https://id.example/"
    assert settings.oauth2_metadata_issuer(request) == "https://id.example/"
    assert settings.oauth2_authorization_server_issuer(request) == "https://id.example/"


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/.well-known/oauth-authorization-server", "http://testserver"),
        ("/.well-known/oauth-authorization-server/tenant/1", "http://testserver/tenant/1"),
        ("/o/.well-known/oauth-authorization-server", "http://testserver/o"),
    ],
)
def test_the_issuer_of_metadata_is_its_own_url_without_the_well_known_part(path: str, issuer: str) -> None:
    """RFC 8414 section 3.1."""
    assert with_settings().oauth2_metadata_issuer(RequestFactory().get(path)) == issuer


def test_the_resource_identifier_is_the_setting_or_the_host() -> None:
    request = RequestFactory().get("/api/me", secure=True)

    assert with_settings().oauth2_resource_identifier(request) == "https://testserver"
    assert (
        with_settings(
            OAUTH2_PROTECTED_RESOURCE_IDENTIFIER="https://api.example/v1"
        ).oauth2_resource_identifier(request)
        == "https://api.example/v1"
    )
