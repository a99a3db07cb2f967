"""The provider's models and the rules that go with them: the public names.

Importing this module imports no oauthlib and decides nothing: models are looked up when they are needed.
"""

from __future__ import annotations

from .access_token import AbstractAccessToken, AccessToken
from .application import AbstractApplication, Application, ApplicationManager
from .client_secret import ClientSecret
from .device_grant import (
    AbstractDeviceGrant,
    DeviceCodeResponse,
    DeviceGrant,
    DeviceRequest,
    create_device_grant,
)
from .expiry import clear_expired
from .fields import ClientSecretField, ResourceJSONField, TokenChecksumField, token_checksum
from .grant import AbstractGrant, Grant
from .id_token import AbstractIDToken, IDToken
from .pushed_authorization_request import (
    REQUEST_URI_PREFIX,
    AbstractPushedAuthorizationRequest,
    PushedAuthorizationRequest,
    create_pushed_authorization_request,
)
from .refresh_token import AbstractRefreshToken, RefreshToken, refresh_token_expire_timedelta
from .registered_client import GrantTypesField
from .registry import (
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
from .signing_key import SigningKey
from .tokens import revoke_access_token, set_token_value
from .uris import check_redirect_to_uri_allowed, is_origin_allowed, redirect_to_uri_allowed

__all__ = [
    "REQUEST_URI_PREFIX",
    "AbstractAccessToken",
    "AbstractApplication",
    "AbstractDeviceGrant",
    "AbstractGrant",
    "AbstractIDToken",
    "AbstractPushedAuthorizationRequest",
    "AbstractRefreshToken",
    "AccessToken",
    "Application",
    "ApplicationManager",
    "ClientSecret",
    "ClientSecretField",
    "DeviceCodeResponse",
    "DeviceGrant",
    "DeviceRequest",
    "Grant",
    "GrantTypesField",
    "IDToken",
    "PushedAuthorizationRequest",
    "RefreshToken",
    "ResourceJSONField",
    "SigningKey",
    "TokenChecksumField",
    "check_redirect_to_uri_allowed",
    "clear_expired",
    "create_device_grant",
    "create_pushed_authorization_request",
    "get_access_token_admin_class",
    "get_access_token_model",
    "get_application_admin_class",
    "get_application_model",
    "get_device_grant_model",
    "get_grant_admin_class",
    "get_grant_model",
    "get_id_token_admin_class",
    "get_id_token_model",
    "get_par_request_model",
    "get_refresh_token_admin_class",
    "get_refresh_token_model",
    "is_origin_allowed",
    "redirect_to_uri_allowed",
    "refresh_token_expire_timedelta",
    "revoke_access_token",
    "set_token_value",
    "token_checksum",
]
