"""The provider's models in the Django admin. Importing this registers them: the admin's autodiscovery does.

The classes are those that the settings *_ADMIN_CLASS name. A site's class builds on one of these; its app comes after
`oauth2_provider` in INSTALLED_APPS. A model that the site registered itself is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured

from ..models import (
    SigningKey,
    get_access_token_admin_class,
    get_access_token_model,
    get_application_admin_class,
    get_application_model,
    get_device_grant_model,
    get_grant_admin_class,
    get_grant_model,
    get_id_token_admin_class,
    get_id_token_model,
    get_par_request_model,
    get_refresh_token_admin_class,
    get_refresh_token_model,
)
from .applications import ApplicationAdmin, ClientSecretInline
from .credentials import (
    AccessTokenAdmin,
    DeviceGrantAdmin,
    GrantAdmin,
    IDTokenAdmin,
    PushedAuthorizationRequestAdmin,
    RefreshTokenAdmin,
)
from .keys import SigningKeyAdmin
from .masking import MASK_MIN_LENGTH, MASK_SUFFIX_LENGTH, mask_credential
from .searching import USER_SEARCH_FIELDS, has_email

__all__ = [
    "MASK_MIN_LENGTH",
    "MASK_SUFFIX_LENGTH",
    "USER_SEARCH_FIELDS",
    "AccessTokenAdmin",
    "ApplicationAdmin",
    "ClientSecretInline",
    "DeviceGrantAdmin",
    "GrantAdmin",
    "IDTokenAdmin",
    "PushedAuthorizationRequestAdmin",
    "RefreshTokenAdmin",
    "SigningKeyAdmin",
    "has_email",
    "mask_credential",
]


def _configured(get_class: Callable[[], Any]) -> Any:
    """Return the class that a setting names. Raises ImproperlyConfigured for one that is not defined yet."""
    try:
        return get_class()
    except ImportError as exc:
        raise ImproperlyConfigured(
            f"{exc} If that module imports oauth2_provider.admin, list its app after oauth2_provider in INSTALLED_APPS."
        ) from exc


def _register(model: Any, admin_class: Any) -> None:
    if not admin.site.is_registered(model):
        admin.site.register(model, admin_class)


application_model = get_application_model()
access_token_model = get_access_token_model()
grant_model = get_grant_model()
id_token_model = get_id_token_model()
refresh_token_model = get_refresh_token_model()

application_admin_class = _configured(get_application_admin_class)
access_token_admin_class = _configured(get_access_token_admin_class)
grant_admin_class = _configured(get_grant_admin_class)
id_token_admin_class = _configured(get_id_token_admin_class)
refresh_token_admin_class = _configured(get_refresh_token_admin_class)

_register(application_model, application_admin_class)
_register(access_token_model, access_token_admin_class)
_register(grant_model, grant_admin_class)
_register(id_token_model, id_token_admin_class)
_register(refresh_token_model, refresh_token_admin_class)
_register(get_device_grant_model(), DeviceGrantAdmin)
_register(get_par_request_model(), PushedAuthorizationRequestAdmin)
_register(SigningKey, SigningKeyAdmin)
