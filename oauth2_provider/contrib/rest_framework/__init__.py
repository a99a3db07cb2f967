"""Django REST framework: authentication, permissions and throttles. Needs the extra `drf`."""

from __future__ import annotations

from .authentication import OAuth2Authentication, OAuth2ProtectedResourceAuthentication
from .permissions import (
    IsAuthenticatedOrTokenHasScope,
    TokenHasReadWriteScope,
    TokenHasResourceScope,
    TokenHasScope,
    TokenMatchesOASRequirements,
)
from .throttling import OAuth2ClientRateThrottle, OAuth2UserOrClientRateThrottle

__all__ = [
    "IsAuthenticatedOrTokenHasScope",
    "OAuth2Authentication",
    "OAuth2ClientRateThrottle",
    "OAuth2ProtectedResourceAuthentication",
    "OAuth2UserOrClientRateThrottle",
    "TokenHasReadWriteScope",
    "TokenHasResourceScope",
    "TokenHasScope",
    "TokenMatchesOASRequirements",
]
