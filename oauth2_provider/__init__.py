"""An OAuth 2.0 and OpenID Connect provider for Django, on oauthlib and jwcrypto."""

from __future__ import annotations
