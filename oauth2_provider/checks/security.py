"""What `check --deploy` says of the security of the site: RFC 9700, open registration, replayed assertions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

from ..bcp import bcp_compliant, bcp_warning_message
from ..dcr import AllowAllDCRPermission
from ..settings import oauth2_settings

BEHAVIOUR_GATES = {
    "IMPLICIT_GRANT": "W001",
    "PASSWORD_GRANT": "W002",
    "PKCE_METHOD": "W003",
    "ACCESS_TOKEN_TRANSPORT": "W004",
    "AUTHZ_RESPONSE_ISS": "W005",
    "TOKEN_STORAGE": "W006",
}
"""Gates that change what the provider does."""

_ASSERTION_METHODS = {"private_key_jwt", "client_secret_jwt"}

FORGETFUL_CACHES: dict[type[BaseCache], str] = {
    LocMemCache: "is each process's own",
    FileBasedCache: "may let two requests at the same moment both in",
    DummyCache: "remembers nothing",
}
"""Caches that do not keep an assertion from being used twice, and what they lack."""


@dataclass(frozen=True, kw_only=True)
class ConfigurationGate:
    """A gate that says how bad it is to have `is_lax`."""

    gate: str
    is_lax: Callable[[], bool]
    warning: str
    error: str
    hint: str


CONFIGURATION_GATES = (
    ConfigurationGate(
        gate="REFRESH_TOKEN",
        is_lax=lambda: not oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION,
        warning="W007",
        error="E002",
        hint="Set REFRESH_TOKEN_REUSE_PROTECTION: a replayed refresh token then revokes its whole family.",
    ),
    ConfigurationGate(
        gate="REDIRECT_URI_SCHEME",
        is_lax=lambda: "http" in oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES,
        warning="W008",
        error="E003",
        hint=(
            'Take "http" out of ALLOWED_REDIRECT_URI_SCHEMES; keep it if native apps redirect to a loopback address '
            "(RFC 8252 section 7.3)."
        ),
    ),
    ConfigurationGate(
        gate="REDIRECT_URI_MATCHING",
        is_lax=lambda: bool(oauth2_settings.ALLOW_URI_WILDCARDS),
        warning="W009",
        error="E004",
        hint="Unset ALLOW_URI_WILDCARDS and register each redirect URI.",
    ),
    ConfigurationGate(
        gate="PKCE_REQUIRED",
        is_lax=lambda: not oauth2_settings.PKCE_REQUIRED,
        warning="W010",
        error="E005",
        hint="Set PKCE_REQUIRED to True, or to a callable that decides by client.",
    ),
)


@register(Tags.security, deploy=True)
def validate_bcp_configuration(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Say what the site does that RFC 9700 advises against, and what of it cannot go together."""
    messages: list[CheckMessage] = [
        Warning(
            bcp_warning_message(gate),
            hint=f'Set OAUTH2_PROVIDER["COMPLIANT_BCP_RFC9700_{gate}"] = True once your clients are ready for it.',
            id=f"oauth2_provider.{number}",
        )
        for gate, number in BEHAVIOUR_GATES.items()
        if not bcp_compliant(gate)
    ]
    messages += [_message(gate) for gate in CONFIGURATION_GATES if gate.is_lax()]
    if bcp_compliant("TOKEN_STORAGE") and oauth2_settings.REFRESH_TOKEN_GRACE_PERIOD_SECONDS:
        messages.append(
            Error(
                "Within REFRESH_TOKEN_GRACE_PERIOD_SECONDS the same tokens are sent again, but under "
                "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE they are not stored.",
                hint="Set REFRESH_TOKEN_GRACE_PERIOD_SECONDS to 0, or store tokens as they are.",
                id="oauth2_provider.E001",
            )
        )
    return messages


@register(Tags.security, deploy=True)
def validate_open_registration(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Say where anybody may register clients as often as they like (RFC 7591 section 5)."""
    classes = oauth2_settings.DCR_REGISTRATION_PERMISSION_CLASSES
    is_open = bool(classes) and all(issubclass(one, AllowAllDCRPermission) for one in classes)
    if not oauth2_settings.DCR_ENABLED or not is_open or oauth2_settings.THROTTLE_RATES.get("register"):
        return []
    return [
        Warning(
            "DCR_REGISTRATION_PERMISSION_CLASSES lets anybody register clients, as many as they like.",
            hint='Set a rate, such as OAUTH2_PROVIDER["THROTTLE_RATES"] = {"register": "20/hour"}.',
            id="oauth2_provider.W024",
        )
    ]


@register(Tags.security, deploy=True)
def validate_replay_protection(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Say where the cache cannot tell that a client's assertion was used before (RFC 7523 section 3, item 7)."""
    if settings.DEBUG or not _ASSERTION_METHODS & _offered_auth_methods():
        return []
    cache = caches[DEFAULT_CACHE_ALIAS]
    lack = next((lack for backend, lack in FORGETFUL_CACHES.items() if isinstance(cache, backend)), None)
    if lack is None:
        return []
    return [
        Warning(
            f"Clients authenticate by signed JWTs, and the cache that tells which were used before {lack}.",
            hint='Use a cache that all processes share for CACHES["default"]: Redis, Memcached or the database.',
            id="oauth2_provider.W025",
        )
    ]


def _offered_auth_methods() -> set[str]:
    names = ("OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED", "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED")
    return {method for name in names for method in getattr(oauth2_settings, name)}


def _message(gate: ConfigurationGate) -> CheckMessage:
    if bcp_compliant(gate.gate):
        wanted = f"COMPLIANT_BCP_RFC9700_{gate.gate} is on, but the settings say otherwise."
        return Error(wanted, hint=gate.hint, id=f"oauth2_provider.{gate.error}")
    return Warning(bcp_warning_message(gate.gate), hint=gate.hint, id=f"oauth2_provider.{gate.warning}")
