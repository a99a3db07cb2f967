"""The system checks: what is said of which settings, under which id."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.management import CommandError, call_command

from oauth2_provider.backends import OAuth2Backend

GATES = [
    "IMPLICIT_GRANT", "PASSWORD_GRANT", "PKCE_METHOD", "ACCESS_TOKEN_TRANSPORT", "AUTHZ_RESPONSE_ISS",
    "TOKEN_STORAGE", "REFRESH_TOKEN", "REDIRECT_URI_SCHEME", "REDIRECT_URI_MATCHING", "PKCE_REQUIRED",
]  # fmt: skip
COMPLIANT = {
    **{f"COMPLIANT_BCP_RFC9700_{gate}": True for gate in GATES},
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
}

NO_ISSUERS = [
    "https://id.example/?tenant=1",
    "https://id.example/?",
    "https://id.example/#x",
    "id.example",
    "urn:x",
]
"""RFC 9207 section 2: a URL that uses the https scheme without any query or fragment components."""


class OwnBackend(OAuth2Backend):
    """A site's own."""


class Split:
    """Routes access tokens elsewhere."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model.__name__ == "AccessToken" else None


def found(deploy: bool = False) -> dict[str, CheckMessage]:
    messages = run_checks(include_deployment_checks=deploy)
    return {
        message.id.removeprefix("oauth2_provider."): message
        for message in messages
        if message.id and message.id.startswith("oauth2_provider.")
    }


def test_a_site_that_follows_rfc_9700_hears_nothing(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = COMPLIANT
    assert found(deploy=True) == {}


def test_the_defaults_are_spoken_of_at_deployment_only(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {}
    assert found() == {}
    assert set(found(deploy=True)) == {f"W00{number}" for number in range(1, 9)}


@pytest.mark.parametrize(
    ("gate", "number"), [(gate, f"W00{position}") for position, gate in enumerate(GATES[:6], 1)]
)
def test_each_gate_of_behaviour_has_its_warning(settings: Any, gate: str, number: str) -> None:
    settings.OAUTH2_PROVIDER = {**COMPLIANT, f"COMPLIANT_BCP_RFC9700_{gate}": False}
    messages = found(deploy=True)
    assert set(messages) == {number}
    assert f"COMPLIANT_BCP_RFC9700_{gate}" in messages[number].msg


@pytest.mark.parametrize(
    ("gate", "lax", "warning", "error"),
    [
        ("REFRESH_TOKEN", {"REFRESH_TOKEN_REUSE_PROTECTION": False}, "W007", "E002"),
        ("REDIRECT_URI_SCHEME", {"ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"]}, "W008", "E003"),
        ("REDIRECT_URI_MATCHING", {"ALLOW_URI_WILDCARDS": True}, "W009", "E004"),
        ("PKCE_REQUIRED", {"PKCE_REQUIRED": False}, "W010", "E005"),
    ],
)
def test_a_gate_of_severity_makes_a_warning_an_error(
    settings: Any, gate: str, lax: dict[str, Any], warning: str, error: str
) -> None:
    settings.OAUTH2_PROVIDER = {**COMPLIANT, **lax, f"COMPLIANT_BCP_RFC9700_{gate}": False}
    assert set(found(deploy=True)) == {warning}
    settings.OAUTH2_PROVIDER = {**COMPLIANT, **lax}
    messages = found(deploy=True)
    assert set(messages) == {error}
    assert messages[error].is_serious()


def test_pkce_may_be_required_by_client(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {**COMPLIANT, "PKCE_REQUIRED": lambda client_id: True}
    assert found(deploy=True) == {}


@pytest.mark.parametrize(
    ("site", "numbers"),
    [
        ({"COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True, "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 5}, {"E001"}),
        ({"COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True}, set()),
        ({"REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 5, "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": False}, {"W006"}),
    ],
)
def test_tokens_that_are_not_stored_cannot_be_sent_again(
    settings: Any, site: dict[str, Any], numbers: set[str]
) -> None:
    settings.OAUTH2_PROVIDER = {**COMPLIANT, **site}
    assert set(found(deploy=True)) == numbers


@pytest.mark.parametrize(
    ("site", "number"),
    [
        ({"REFRESH_TOKEN_REUSE_PROTECTION": True, "ROTATE_REFRESH_TOKEN": False}, "W012"),
        ({"ACCESS_TOKEN_EXPIRE_SECONDS": 0}, "E006"),
        ({"ACCESS_TOKEN_EXPIRE_SECONDS": -1}, "E006"),
        ({"ACCESS_TOKEN_EXPIRE_SECONDS": None}, "E006"),
        ({"ACCESS_TOKEN_EXPIRE_SECONDS": True}, "E006"),
        ({"ACCESS_TOKEN_EXPIRE_SECONDS": "no.such.thing"}, "E006"),
        (
            {
                "REQUIRE_FORM_ENCODED_REQUEST_BODY": True,
                "OAUTH2_BACKEND_CLASS": "oauth2_provider.oauth2_backends.JSONOAuthLibCore",
            },
            "E007",
        ),
        ({"ACCESS_TOKENS_EXPIRE_SECONDS": 5}, "W020"),
        ({"REFRESH_TOKEN_GRACE_PERIOD_SECONDS": "5"}, "W021"),
        ({"OIDC_ENABLED": "yes"}, "W021"),
        ({"SCOPES": ["read"]}, "W021"),
        ({"DEFAULT_SCOPES": "read"}, "W021"),
        ({"OAUTH2_VALIDATOR_CLASS": "no.such.thing"}, "E022"),
        ({"OAUTH2_SERVER_CLASS": None}, "E022"),
        ({"THROTTLE_RATES": {"token": "often"}}, "E023"),
        *[({"OIDC_ISS_ENDPOINT": issuer}, "E025") for issuer in NO_ISSUERS],
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_said(settings: Any, site: dict[str, Any], number: str) -> None:
    settings.OAUTH2_PROVIDER = site
    messages = found()
    assert set(messages) == {number}
    named = next(iter(site))
    assert named in messages[number].msg


@pytest.mark.parametrize(
    "lifetime",
    [60, 0.5, "tests.oauth2_provider.dotted.two_minutes", lambda request: 5],
    ids=["int", "float", "path", "callable"],
)
def test_a_lifetime_that_can_be_used_is_not_spoken_of(settings: Any, lifetime: Any) -> None:
    settings.OAUTH2_PROVIDER = {"ACCESS_TOKEN_EXPIRE_SECONDS": lifetime}
    assert found() == {}


@pytest.mark.parametrize("lifetime", [60, timedelta(days=1), None], ids=str)
def test_a_registration_token_may_end_or_not(settings: Any, lifetime: Any) -> None:
    settings.OAUTH2_PROVIDER = {"DCR_REGISTRATION_TOKEN_EXPIRE_SECONDS": lifetime}
    assert found() == {}


@pytest.mark.parametrize(
    ("site", "is_said"),
    [
        ({}, True),
        ({"THROTTLE_RATES": {"register": "5/hour"}}, False),
        ({"DCR_ENABLED": False}, False),
        ({"DCR_REGISTRATION_PERMISSION_CLASSES": []}, False),
        (
            {"DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.IsAuthenticatedDCRPermission"]},
            False,
        ),
    ],
    ids=str,
)
def test_open_registration_without_a_rate_is_said(settings: Any, site: dict[str, Any], is_said: bool) -> None:
    """RFC 7591 section 5."""
    opened = {
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
    }
    settings.OAUTH2_PROVIDER = {**COMPLIANT, **opened, **site}
    assert set(found(deploy=True)) == ({"W024"} if is_said else set())
    assert found() == {}


LOCAL = "django.core.cache.backends.locmem.LocMemCache"


@pytest.mark.parametrize("name", ["OAUTH2", "OIDC"])
@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_jwt"])
@pytest.mark.parametrize(
    "backend",
    [
        LOCAL,
        "django.core.cache.backends.dummy.DummyCache",
        "django.core.cache.backends.filebased.FileBasedCache",
    ],
)
def test_a_cache_that_cannot_tell_replayed_assertions_is_said(
    settings: Any, tmp_path: Any, name: str, method: str, backend: str
) -> None:
    """RFC 7523 section 3 item 7: what was used before is in the cache, for every process to know."""
    methods = {f"{name}_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_basic", method]}
    settings.OAUTH2_PROVIDER = {**COMPLIANT, **methods}
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    assert set(found(deploy=True)) == {"W025"}
    assert found() == {}
    settings.DEBUG = True
    assert found(deploy=True) == {}


@pytest.mark.parametrize(
    ("backend", "methods"),
    [
        (LOCAL, ["client_secret_basic"]),
        ("django.core.cache.backends.redis.RedisCache", ["private_key_jwt"]),
        ("django.core.cache.backends.db.DatabaseCache", ["private_key_jwt"]),
    ],
)
def test_a_cache_that_can_or_need_not_is_not_said(settings: Any, backend: str, methods: list[str]) -> None:
    settings.OAUTH2_PROVIDER = {**COMPLIANT, "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods}
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}}
    assert found(deploy=True) == {}


def test_an_unknown_setting_may_be_a_slip_of_the_pen(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"ACCESS_TOKENS_EXPIRE_SECONDS": 5}
    assert found()["W020"].hint == "Did you mean ACCESS_TOKEN_EXPIRE_SECONDS?"


def test_tokens_in_two_databases_are_refused(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.oauth2_provider.test_checks.Split"]
    messages = found()
    assert set(messages) == {"E008"}
    assert "default, elsewhere" in messages["E008"].msg


def test_tokens_swapped_into_two_apps_are_warned_of(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"REFRESH_TOKEN_MODEL": "auth.User"}
    assert set(found()) == {"W011"}


@pytest.mark.parametrize(
    ("backends", "numbers"),
    [
        (["oauth2_provider.backends.OAuth2Backend"], set()),
        (["tests.oauth2_provider.test_checks.OwnBackend"], set()),
        (["django.contrib.auth.backends.ModelBackend"], {"W022"}),
    ],
)
def test_the_middleware_needs_its_backend(settings: Any, backends: list[str], numbers: set[str]) -> None:
    settings.AUTHENTICATION_BACKENDS = backends
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "oauth2_provider.middleware.OAuth2TokenMiddleware"]
    assert set(found()) == numbers


def test_the_middleware_comes_after_that_of_sessions(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend"]
    settings.MIDDLEWARE = ["oauth2_provider.middleware.OAuth2TokenMiddleware", *settings.MIDDLEWARE]
    assert set(found()) == {"W023"}


def test_the_command_fails_for_an_error(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"ACCESS_TOKEN_EXPIRE_SECONDS": 0}
    with pytest.raises(CommandError, match=r"oauth2_provider\.E006"):
        call_command("check")
