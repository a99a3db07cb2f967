"""Why a flow refuses; the validators turn these into the errors of RFC 6749."""

from __future__ import annotations


class GrantUnusable(Exception):  # noqa: N818 - the fact
    """The authorization code or refresh token cannot be used (RFC 6749 section 5.2, invalid_grant)."""


class TokenOfAnotherClient(Exception):  # noqa: N818 - the fact
    """The token was not issued to the client that presents it (RFC 7009 section 2.1)."""


class RegistrationEnded(Exception):  # noqa: N818 - the fact
    """The client, or its registration access token, was gone when its row was locked (RFC 7592 section 5)."""
