"""Whether the site's settings, models and middleware go together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.utils.module_loading import import_string

from ..oauth2_validators.resources import is_valid_resource_uri
from ..settings import DEFAULTS, IMPORT_STRINGS, MANDATORY, import_from_string, oauth2_settings
from ..throttling import find_rate

TOKEN_MIDDLEWARE = "oauth2_provider.middleware.OAuth2TokenMiddleware"
SESSION_MIDDLEWARE = "django.contrib.auth.middleware.AuthenticationMiddleware"

MAY_BE_NONE = ("DCR_REGISTRATION_TOKEN_EXPIRE_SECONDS",)
"""Settings whose None means something, though their default is a number."""


@register()
def validate_token_configuration(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Find settings about tokens that cannot work, or do not do what they say."""
    messages: list[CheckMessage] = []
    if oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION and not oauth2_settings.ROTATE_REFRESH_TOKEN:
        messages.append(
            Warning(
                "REFRESH_TOKEN_REUSE_PROTECTION has no effect: refresh tokens do not rotate.",
                hint="Set ROTATE_REFRESH_TOKEN to True.",
                id="oauth2_provider.W012",
            )
        )
    messages += _lifetime_messages()
    messages += _body_messages()
    messages += _issuer_messages()
    aliases = {router.db_for_write(apps.get_model(name)) for name in _token_models()}
    if len(aliases) > 1:
        messages.append(
            Error(
                f"The token models are routed to different databases: {', '.join(sorted(aliases))}.",
                hint="They refer to each other and change in one transaction: route them to one database.",
                id="oauth2_provider.E008",
            )
        )
    return messages


@register(Tags.models)
def validate_swapped_model_consistency(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Find access and refresh tokens that are swapped into different apps: each refers to the other."""
    models = {oauth2_settings.ACCESS_TOKEN_MODEL, oauth2_settings.REFRESH_TOKEN_MODEL}
    if len({name.partition(".")[0] for name in models}) == 1:
        return []
    return [
        Warning(
            f"Access and refresh tokens are models of different apps: {', '.join(sorted(models))}.",
            hint=(
                "Each refers to the other, so migrations of two apps depend on each other. Swap "
                "OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL and OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL together, into one app."
            ),
            id="oauth2_provider.W011",
        )
    ]


@register()
def validate_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Find settings that there are not, of the wrong kind, empty, or with a path that does not import."""
    site_settings = oauth2_settings.user_settings
    messages = [message for name in site_settings if name not in DEFAULTS for message in _unknown(name)]
    for name in site_settings.keys() & DEFAULTS.keys():
        messages += _value_messages(name, site_settings[name])
    try:
        for endpoint in oauth2_settings.THROTTLE_RATES:
            find_rate(endpoint)
    except ImproperlyConfigured as malformed:
        messages.append(Error(str(malformed), id="oauth2_provider.E023"))
    return messages


@register()
def validate_middleware(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Find an OAuth2TokenMiddleware that cannot do what it is for."""
    from ..backends import OAuth2Backend

    middleware = list(settings.MIDDLEWARE)
    if TOKEN_MIDDLEWARE not in middleware:
        return []
    messages: list[CheckMessage] = []
    backends = [import_string(path) for path in settings.AUTHENTICATION_BACKENDS]
    if not any(isinstance(backend, type) and issubclass(backend, OAuth2Backend) for backend in backends):
        messages.append(
            Warning(
                "OAuth2TokenMiddleware has no effect: no backend authenticates by tokens.",
                hint='Add "oauth2_provider.backends.OAuth2Backend" to AUTHENTICATION_BACKENDS.',
                id="oauth2_provider.W022",
            )
        )
    if SESSION_MIDDLEWARE in middleware[middleware.index(TOKEN_MIDDLEWARE) :]:
        messages.append(
            Warning(
                "OAuth2TokenMiddleware comes before AuthenticationMiddleware, which then undoes what it did.",
                hint="Put it after AuthenticationMiddleware in MIDDLEWARE.",
                id="oauth2_provider.W023",
            )
        )
    return messages


def _lifetime_messages() -> Iterator[CheckMessage]:
    lifetime = oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS
    reason = "it must be a positive number of seconds, a timedelta, a callable, or the dotted path of one"
    if isinstance(lifetime, str):
        try:
            lifetime = import_from_string(lifetime, "ACCESS_TOKEN_EXPIRE_SECONDS")
        except ImportError as error:
            reason = str(error)
    if isinstance(lifetime, timedelta):
        lifetime = lifetime.total_seconds()
    is_number = isinstance(lifetime, int | float) and not isinstance(lifetime, bool)
    if callable(lifetime) or (is_number and lifetime > 0):
        return
    yield Error(f"ACCESS_TOKEN_EXPIRE_SECONDS cannot be used: {reason}.", id="oauth2_provider.E006")


def _body_messages() -> Iterator[CheckMessage]:
    from ..oauth2_backends import JSONOAuthLibCore

    if not oauth2_settings.REQUIRE_FORM_ENCODED_REQUEST_BODY:
        return
    backend = oauth2_settings.OAUTH2_BACKEND_CLASS
    if isinstance(backend, type) and issubclass(backend, JSONOAuthLibCore):
        yield Error(
            "REQUIRE_FORM_ENCODED_REQUEST_BODY refuses every body that OAUTH2_BACKEND_CLASS, a JSONOAuthLibCore, "
            "could read.",
            hint="Use OAuthLibCore, or unset REQUIRE_FORM_ENCODED_REQUEST_BODY.",
            id="oauth2_provider.E007",
        )


def _issuer_messages() -> Iterator[CheckMessage]:
    issuer = oauth2_settings.OIDC_ISS_ENDPOINT
    if issuer and (not is_valid_resource_uri(issuer) or "?" in issuer or not urlsplit(issuer).netloc):
        yield Error(
            f"OIDC_ISS_ENDPOINT is no issuer identifier: {issuer!r}.",
            hint="It is an https URL without query and fragment (RFC 9207 section 2, RFC 8414 section 2).",
            id="oauth2_provider.E025",
        )


def _token_models() -> tuple[str, str, str]:
    return (
        oauth2_settings.ACCESS_TOKEN_MODEL,
        oauth2_settings.REFRESH_TOKEN_MODEL,
        oauth2_settings.ID_TOKEN_MODEL,
    )


def _unknown(name: str) -> Iterator[CheckMessage]:
    like = get_close_matches(name, DEFAULTS, n=1)
    yield Warning(
        f'OAUTH2_PROVIDER["{name}"] is no setting of this version.',
        hint=f"Did you mean {like[0]}?" if like else "Remove it.",
        id="oauth2_provider.W020",
    )


def _value_messages(name: str, value: Any) -> Iterator[CheckMessage]:
    if not value and name in MANDATORY:
        yield Error(f'OAUTH2_PROVIDER["{name}"] must not be empty.', id="oauth2_provider.E022")
    elif name in IMPORT_STRINGS:
        try:
            getattr(oauth2_settings, name)
        except ImportError as error:
            yield Error(str(error), id="oauth2_provider.E022")
    elif value is None and name in MAY_BE_NONE:
        return
    elif not _is_like(value, DEFAULTS[name]) and name != "ACCESS_TOKEN_EXPIRE_SECONDS":
        kind = type(DEFAULTS[name]).__name__
        yield Warning(
            f'OAUTH2_PROVIDER["{name}"] is not of the kind {kind}.',
            hint=f"The default is {DEFAULTS[name]!r}.",
            id="oauth2_provider.W021",
        )


def _is_like(value: Any, default: Any) -> bool:
    """Tell whether `value` can stand where `default` does; callables and lazy objects are let be."""
    if isinstance(default, bool):
        return isinstance(value, bool) or callable(value)
    if isinstance(default, int):
        return isinstance(value, int | float | timedelta) and not isinstance(value, bool)
    if isinstance(default, list | tuple):
        return not isinstance(value, str) and hasattr(value, "__iter__")
    if isinstance(default, dict):
        return hasattr(value, "keys")
    return True
