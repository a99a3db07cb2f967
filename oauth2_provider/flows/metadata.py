"""What this server offers: grant types and ways to authenticate, after the site's settings and gates."""

from __future__ import annotations

from collections.abc import Iterable

from ..bcp import bcp_compliant
from ..extension_grants import extension_grants
from ..settings import oauth2_settings

GATES = {"implicit": "IMPLICIT_GRANT", "password": "PASSWORD_GRANT"}
"""Grant types that RFC 9700 discourages -> the gate that turns them off."""


def supported_grant_types() -> list[str]:
    """Return the grant types of OAUTH2_GRANT_TYPES_SUPPORTED that no gate turns off, and those of EXTENSION_GRANTS."""
    grant_types = [
        grant_type
        for grant_type in oauth2_settings.OAUTH2_GRANT_TYPES_SUPPORTED
        if not (grant_type in GATES and bcp_compliant(GATES[grant_type]))
    ]
    return [*grant_types, *(name for name in extension_grants() if name not in grant_types)]


def supported_auth_methods() -> list[str]:
    """Return the values of token_endpoint_auth_method that a client may register, "none" among them."""
    return [*oauth2_settings.OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED, "none"]


def assertion_algorithms(methods: Iterable[str]) -> list[str]:
    """Return the algorithms of client assertions that go with the ways to authenticate `methods` (RFC 7523)."""
    names = {
        "client_secret_jwt": "CLIENT_ASSERTION_CLIENT_SECRET_JWT_ALGS",
        "private_key_jwt": "CLIENT_ASSERTION_PRIVATE_KEY_JWT_ALGS",
    }
    used = [names[method] for method in methods if method in names]
    return list(dict.fromkeys(algorithm for name in used for algorithm in getattr(oauth2_settings, name)))
