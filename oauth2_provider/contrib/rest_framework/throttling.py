"""REST framework's throttles by OAuth2 client. Rates: DEFAULT_THROTTLE_RATES["oauth2_client"] and ["oauth2"]."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from ..throttle_keys import client_key, user_or_client_key


class OAuth2ClientRateThrottle(SimpleRateThrottle):
    """Counts the requests of a client, for whichever user; a request without a token is not counted."""

    scope = "oauth2_client"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        ident = client_key(request.auth)
        return None if ident is None else self.cache_format % {"scope": self.scope, "ident": ident}


class OAuth2UserOrClientRateThrottle(SimpleRateThrottle):
    """Counts the requests of a user, or of a client that acts for none; an anonymous request is not counted."""

    scope = "oauth2"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        ident = user_or_client_key(request.user, request.auth)
        return None if ident is None else self.cache_format % {"scope": self.scope, "ident": ident}
