"""What concerns both kinds of token: how a value is stored, and how an access token ends."""

from __future__ import annotations

from ..settings import oauth2_settings
from .access_token import AbstractAccessToken
from .refresh_token import AbstractRefreshToken


def set_token_value(token_instance: AbstractAccessToken | AbstractRefreshToken, raw_token: str) -> None:
    """Give `token_instance` its value before it is saved.

    Under COMPLIANT_BCP_RFC9700_TOKEN_STORAGE the value itself is not stored, only its checksum.
    """
    token_instance._raw_token = raw_token  # type: ignore[union-attr]
    token_instance.token = "" if oauth2_settings.COMPLIANT_BCP_RFC9700_TOKEN_STORAGE else raw_token


def revoke_access_token(access_token: AbstractAccessToken) -> None:
    """End `access_token`, and the refresh token that came with it if there is one (RFC 7009 section 2.1)."""
    refresh_token = getattr(access_token, "refresh_token", None)
    if refresh_token is not None and refresh_token.revoked is None:
        refresh_token.revoke()
        return
    access_token.revoke()
