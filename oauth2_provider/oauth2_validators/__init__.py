"""oauthlib's RequestValidator over Django's models, cut by RFC: each hook translates and calls a flow.

OAuth2Validator is what a site subclasses (OAUTH2_VALIDATOR_CLASS). One instance serves one request: what it loads
stays on the oauthlib request, each row once.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from oauthlib.openid import RequestValidator

from ..models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from .authorization import AuthorizationHooks
from .bearer import BearerHooks
from .clients import ClientHooks
from .device import DeviceHooks
from .grant_types import GRANT_TYPE_MAPPING
from .grants import GrantHooks
from .openid import OpenIDHooks
from .openid_requests import OpenIDRequestHooks
from .resources import is_valid_resource_uri, validate_resource_as_url_prefix
from .revocation import RevocationHooks
from .tokens import TokenHooks

__all__ = [
    "GRANT_TYPE_MAPPING",
    "OAuth2Validator",
    "is_valid_resource_uri",
    "validate_resource_as_url_prefix",
]

_MODELS = {
    "Application": get_application_model,
    "AccessToken": get_access_token_model,
    "IDToken": get_id_token_model,
    "Grant": get_grant_model,
    "RefreshToken": get_refresh_token_model,
    "UserModel": get_user_model,
}


class OAuth2Validator(  # type: ignore[misc]  # the stubs are narrower than oauthlib
    ClientHooks,
    AuthorizationHooks,
    GrantHooks,
    DeviceHooks,
    TokenHooks,
    RevocationHooks,
    BearerHooks,
    OpenIDHooks,
    OpenIDRequestHooks,
    RequestValidator,
):
    """All hooks; subclass it and override what you need."""

    django_request: Any = None
    """The HttpRequest being served; set by OAuthLibCore."""


def __getattr__(name: str) -> Any:
    """Return the active models under their usual names, looked up when asked for."""
    if name in _MODELS:
        return _MODELS[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
