"""Grants that a site adds to the token endpoint (RFC 6749 section 4.5): subclasses of ExtensionGrant.

EXTENSION_GRANTS names them.
The endpoint authenticates the client, throttles, validates scopes and resources, stores and answers; the class decides
what the assertion or token that a client presents is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .settings import oauth2_settings

ERRORS = (
    "invalid_request",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
)


class ExtensionGrantError(Exception):
    """What is presented is refused: the client is answered `error` (one of ERRORS) and `description`.

    Raises ValueError for another error: RFC 6749 section 5.2 would not know it.
    """

    def __init__(self, description: str = "", *, error: str = "invalid_grant") -> None:
        if error not in ERRORS:
            raise ValueError(f"{error!r} is none of {', '.join(ERRORS)}")
        super().__init__(description)
        self.error, self.description = error, description


@dataclass(frozen=True, kw_only=True)
class ExtensionGrantRequest:
    """A token request of an authenticated client that may use the grant.

    `parameters` are those of the body, client credentials left out; `scopes` and `resource` what it asks for, maybe
    nothing.
    """

    application: Any
    parameters: Mapping[str, str]
    scopes: Sequence[str]
    resource: Sequence[str]
    http_request: Any


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """What is to be issued: a token for `user` (None: for the client itself).

    `scopes` None: those asked for, else the default ones; the client must be allowed them in any case. `resource`
    None: those asked for. With `has_refresh_token`, which needs a user, a refresh token goes along. `members` are added
    to the answer, such as the `issued_token_type` of RFC 8693 section 2.2.1.
    """

    user: Any = None
    scopes: Sequence[str] | None = None
    resource: Sequence[str] | None = None
    has_refresh_token: bool = False
    members: Mapping[str, Any] = field(default_factory=dict)


class ExtensionGrant:
    """One grant type of the site's own."""

    grant_type = ""
    """The value of `grant_type` on the wire: an absolute URI (RFC 6749 section 4.5)."""
    application_kinds: Sequence[str] = ()
    """The kinds of grant of the applications that may use it, values of Application.GRANT_TYPES."""

    def allows(self, application: Any) -> bool:
        """Tell whether `application` may use the grant. Override it for another rule than `application_kinds`."""
        return bool(application.allows_grant_type(self.grant_type, *self.application_kinds))

    def authorize(self, request: ExtensionGrantRequest) -> Authorization:
        """Return what `request` is worth. Raises ExtensionGrantError where that is nothing. Override it."""
        raise NotImplementedError(f"{type(self).__name__} must implement authorize()")


def extension_grants() -> dict[str, ExtensionGrant]:
    """Return the grants of EXTENSION_GRANTS by their grant type.

    Raises ImproperlyConfigured for one whose grant type is no absolute URI.
    """
    grants = {}
    for grant_class in oauth2_settings.EXTENSION_GRANTS:
        if ":" not in grant_class.grant_type:
            raise ImproperlyConfigured(
                f"EXTENSION_GRANTS: {grant_class.__name__}.grant_type must be an absolute URI (RFC 6749 section 4.5)."
            )
        grants[grant_class.grant_type] = grant_class()
    return grants
