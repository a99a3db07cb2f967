"""Ninja's throttles by OAuth2 client. Rates: NINJA_DEFAULT_THROTTLE_RATES["oauth2_client"] and ["oauth2"]."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.throttling import SimpleRateThrottle

from ..throttle_keys import client_key, user_or_client_key


class OAuth2ClientRateThrottle(SimpleRateThrottle):
    """Counts the requests of a client, for whichever user; a request without a token is not counted."""

    scope = "oauth2_client"

    def get_cache_key(self, request: HttpRequest) -> str | None:
        ident = client_key(getattr(request, "auth", None))
        return None if ident is None else self.cache_format % {"scope": self.scope, "ident": ident}


class OAuth2UserOrClientRateThrottle(SimpleRateThrottle):
    """Counts the requests of a user, or of a client that acts for none; an anonymous request is not counted."""

    scope = "oauth2"

    def get_cache_key(self, request: HttpRequest) -> str | None:
        access_token: Any = getattr(request, "auth", None)
        # the session's user, who may be another one, only where there is no token
        user = access_token.user if hasattr(access_token, "scopes") else getattr(request, "user", None)
        ident = user_or_client_key(user, access_token)
        return None if ident is None else self.cache_format % {"scope": self.scope, "ident": ident}
