"""One class per endpoint."""

from __future__ import annotations

from .base import AuthorizationView, RevokeTokenView, TokenView
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
from .oidc import ConnectDiscoveryInfoView, JwksInfoView, UserInfoView

__all__ = [
    "AuthorizationView",
    "ClientProtectedResourceMetadataView",
    "ClientProtectedResourceView",
    "ClientProtectedScopedResourceView",
    "ConnectDiscoveryInfoView",
    "IntrospectTokenView",
    "JwksInfoView",
    "OAuthProtectedResourceMetadataView",
    "OAuthServerMetadataView",
    "ProtectedResourceMetadataView",
    "ProtectedResourceView",
    "ReadWriteScopedProtectedResourceMetadataView",
    "ReadWriteScopedResourceView",
    "RevokeTokenView",
    "ScopedProtectedResourceMetadataView",
    "ScopedProtectedResourceView",
    "TokenView",
    "UserInfoView",
]
