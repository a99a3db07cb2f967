"""One class per endpoint."""

from __future__ import annotations

from .application import (
    ApplicationDelete,
    ApplicationDetail,
    ApplicationList,
    ApplicationRegistration,
    ApplicationUpdate,
)
from .base import AuthorizationView, RevokeTokenView, TokenView
from .client_secrets import ClientSecretAdd, ClientSecretRevoke
from .device import (
    DeviceAuthorizationView,
    DeviceConfirmView,
    DeviceGrantStatusView,
    DeviceUserCodeView,
)
from .dynamic_client_registration import (
    DynamicClientRegistrationManagementView,
    DynamicClientRegistrationView,
)
from .generic import (
    ClientProtectedResourceMetadataView,
    ClientProtectedResourceView,
    ClientProtectedScopedResourceView,
    ProtectedResourceMetadataView,
    ProtectedResourceView,
    ReadWriteScopedProtectedResourceMetadataView,
    ReadWriteScopedResourceView,
    ScopedProtectedResourceMetadataView,
    ScopedProtectedResourceView,
)
from .introspect import IntrospectTokenView
from .metadata import OAuthProtectedResourceMetadataView, OAuthServerMetadataView
from .oidc import ConnectDiscoveryInfoView, JwksInfoView, RPInitiatedLogoutView, UserInfoView
from .par import PushedAuthorizationRequestView
from .token import AuthorizedTokenDeleteView, AuthorizedTokensListView

__all__ = [
    "ApplicationDelete",
    "ApplicationDetail",
    "ApplicationList",
    "ApplicationRegistration",
    "ApplicationUpdate",
    "AuthorizationView",
    "AuthorizedTokenDeleteView",
    "AuthorizedTokensListView",
    "ClientProtectedResourceMetadataView",
    "ClientProtectedResourceView",
    "ClientProtectedScopedResourceView",
    "ClientSecretAdd",
    "ClientSecretRevoke",
    "ConnectDiscoveryInfoView",
    "DeviceAuthorizationView",
    "DeviceConfirmView",
    "DeviceGrantStatusView",
    "DeviceUserCodeView",
    "DynamicClientRegistrationManagementView",
    "DynamicClientRegistrationView",
    "IntrospectTokenView",
    "JwksInfoView",
    "OAuthProtectedResourceMetadataView",
    "OAuthServerMetadataView",
    "ProtectedResourceMetadataView",
    "ProtectedResourceView",
    "PushedAuthorizationRequestView",
    "RPInitiatedLogoutView",
    "ReadWriteScopedProtectedResourceMetadataView",
    "ReadWriteScopedResourceView",
    "RevokeTokenView",
    "ScopedProtectedResourceMetadataView",
    "ScopedProtectedResourceView",
    "TokenView",
    "UserInfoView",
]
