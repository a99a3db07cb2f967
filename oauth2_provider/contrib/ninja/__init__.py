"""Django Ninja: authentication and throttles. Needs the extra `ninja`."""

from __future__ import annotations

from .security import HttpOAuth2, add_challenges
from .throttling import OAuth2ClientRateThrottle, OAuth2UserOrClientRateThrottle

__all__ = ["HttpOAuth2", "OAuth2ClientRateThrottle", "OAuth2UserOrClientRateThrottle", "add_challenges"]
