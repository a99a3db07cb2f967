"""The device flow's hook (RFC 8628 sections 3.4 and 3.5)."""

from __future__ import annotations

from typing import Any

from ..flows import authentication, device
from .resources import narrowed_resources


class DeviceHooks:
    """Says what a device code is worth."""

    def validate_device_code(
        self, client_id: str, device_code: str, request: Any, *args: Any, **kwargs: Any
    ) -> str | None:
        """Load an authorized code as `request.device_grant`; returns the status that oauthlib turns into an error.

        None, which becomes invalid_grant, for a code that is unknown, used, or another client's.
        """
        polled = device.poll(device_code, request.client.client_id)
        if polled is None:
            return None
        if polled.status == device.PollStatus.AUTHORIZED:
            grant = polled.grant
            grant.resource = list(grant.resource or [])
            request.device_grant, request.user = grant, grant.user
            request.scopes = grant.scope.split()
            request.authentication = authentication.from_text(grant.authentication)
            request.resource = narrowed_resources(request, grant.resource)
        return str(polled.status)
