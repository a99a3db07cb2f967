"""Protected resources to subclass."""

from __future__ import annotations

from django.views.generic import View

from ..compat import login_exempt
from .mixins import (
    ClientProtectedResourceMixin,
    OAuthLibMixin,
    ProtectedResourceMetadataMixin,
    ProtectedResourceMixin,
    ReadWriteScopedResourceMixin,
    ScopedResourceMixin,
)


@login_exempt
class ProtectedResourceView(ProtectedResourceMixin, OAuthLibMixin, View):
    """A resource that needs a good bearer token."""


class ScopedProtectedResourceView(ScopedResourceMixin, ProtectedResourceView):
    """A resource that needs a bearer token with `required_scopes`."""


class ReadWriteScopedResourceView(ReadWriteScopedResourceMixin, ProtectedResourceView):
    """A resource that needs READ_SCOPE or WRITE_SCOPE, as the method asks."""


@login_exempt
class ClientProtectedResourceView(ClientProtectedResourceMixin, OAuthLibMixin, View):
    """A resource for clients that authenticate themselves, or for a bearer token."""


class ClientProtectedScopedResourceView(ScopedResourceMixin, ClientProtectedResourceView):
    """The same, a bearer token needing `required_scopes`."""


class ProtectedResourceMetadataView(ProtectedResourceMetadataMixin, ProtectedResourceView):
    """ProtectedResourceView whose challenge says where the metadata is."""


class ScopedProtectedResourceMetadataView(ProtectedResourceMetadataMixin, ScopedProtectedResourceView):
    """ScopedProtectedResourceView whose challenge says where the metadata is."""


class ReadWriteScopedProtectedResourceMetadataView(
    ProtectedResourceMetadataMixin, ReadWriteScopedResourceView
):
    """ReadWriteScopedResourceView whose challenge says where the metadata is."""


class ClientProtectedResourceMetadataView(ProtectedResourceMetadataMixin, ClientProtectedResourceView):
    """ClientProtectedResourceView whose challenge says where the metadata is."""
