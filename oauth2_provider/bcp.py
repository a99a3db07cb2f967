"""The gates of RFC 9700: whether the site has chosen the behaviour that the best current practice asks for."""

from __future__ import annotations

from .settings import oauth2_settings

GATES = {
    "IMPLICIT_GRANT": "the implicit grant is refused (section 2.1.2)",
    "PASSWORD_GRANT": "the resource owner password grant is refused (section 2.4)",
    "PKCE_METHOD": "the PKCE method `plain` is refused (section 2.1.1)",
    "ACCESS_TOKEN_TRANSPORT": "access tokens in the URI query are refused (section 4.3.2)",
    "AUTHZ_RESPONSE_ISS": "authorization responses carry `iss` (RFC 9207)",
    "TOKEN_STORAGE": "tokens are stored as checksums only (section 4.8.2)",
    "REFRESH_TOKEN": "refresh tokens rotate with reuse protection (section 4.14.2)",
    "REDIRECT_URI_SCHEME": "redirect URIs are https or of a native app (section 2.6)",
    "REDIRECT_URI_MATCHING": "redirect URIs are compared exactly (section 2.1)",
    "PKCE_REQUIRED": "PKCE is required (section 2.1.1)",
}


PREFIX = "COMPLIANT_BCP_RFC9700_"


def bcp_compliant(setting_name: str, behavior: str | None = None) -> bool:
    """Tell whether a gate is on, named with or without its prefix; `behavior` is what it guards, in words."""
    return bool(getattr(oauth2_settings, PREFIX + setting_name.removeprefix(PREFIX)))


def bcp_warning_message(setting_name: str, behavior: str | None = None) -> str:
    """Return what a site should know while the gate is off; `behavior` in place of our own words."""
    gate = setting_name.removeprefix(PREFIX)
    return f"{PREFIX}{gate} is off. RFC 9700 asks that {behavior or GATES[gate]}."
