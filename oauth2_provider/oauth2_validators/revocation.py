"""The revocation endpoint's hook (RFC 7009)."""

from __future__ import annotations

from typing import Any

from oauthlib.oauth2 import InvalidGrantError

from ..flows.errors import TokenOfAnotherClient
from ..flows.revocation import revoke_presented_token


class RevocationHooks:
    """Revokes a presented token of the authenticated client."""

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """Revoke `token`; an unknown one is no error (section 2.2).

        Raises invalid_grant for a token that another client was issued (section 2.1).
        """
        try:
            revoke_presented_token(token, application_id=request.client.pk, hint=token_type_hint)
        except TokenOfAnotherClient as exc:
            raise InvalidGrantError(request=request) from exc
