"""Why a flow refuses; the validators turn these into the errors of RFC 6749."""

from __future__ import annotations


class GrantUnusable(Exception):  # noqa: N818 - the fact
    """The authorization code or refresh token cannot be used (RFC 6749 section 5.2, invalid_grant)."""
