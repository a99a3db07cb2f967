"""What ID tokens say of a login, from the session through codes and refresh tokens (OpenID Connect Core 1.0 section 2).

A session holds the moment of its login under AUTH_TIME; a site that knows more puts it under ACR and AMR.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

AUTH_TIME = "oauth2_provider_auth_time"
"""Session key: when the user logged in, seconds since the epoch, a float."""
ACR = "oauth2_provider_acr"
"""Session key: the authentication context class reference, a string."""
AMR = "oauth2_provider_amr"
"""Session key: the authentication methods (RFC 8176), a list of strings."""


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """How and when a user authenticated, and the claims that the client asked for then (section 5.5)."""

    auth_time: float | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)

    def is_older_than(self, seconds: int) -> bool:
        """Tell whether the login is more than `seconds` ago, or nobody knows when it was."""
        return self.auth_time is None or time.time() - self.auth_time > seconds

    def has_acr_of(self, accepted: Collection[Any] | None) -> bool:
        """Tell whether the login was of one of the classes `accepted` (section 5.5.1.1); None: of any."""
        return accepted is None or self.acr in accepted

    def id_token_claims(self) -> dict[str, Any]:
        """Return `auth_time`, `acr` and `amr`, as far as they are known."""
        known = {
            "auth_time": None if self.auth_time is None else int(self.auth_time),
            "acr": self.acr,
            "amr": list(self.amr),
        }
        return {claim: value for claim, value in known.items() if value}

    def as_text(self) -> str | None:
        """Return what is stored; None where nothing is known."""
        known = {**self.id_token_claims(), **({"claims": self.claims} if self.claims else {})}
        return json.dumps(known) if known else None


def from_text(text: str | None) -> Authentication:
    """Return what was stored with a code or a token."""
    known = json.loads(text) if text else {}
    return Authentication(
        auth_time=known.get("auth_time"),
        acr=known.get("acr"),
        amr=tuple(known.get("amr", ())),
        claims=known.get("claims", {}),
    )


def from_session(session: Mapping[str, Any], claims: Mapping[str, Any] | None = None) -> Authentication:
    """Return what the session knows of its login; `claims` are those that a request asks for."""
    return Authentication(
        auth_time=session.get(AUTH_TIME),
        acr=session.get(ACR),
        amr=tuple(session.get(AMR, ())),
        claims=claims or {},
    )


def remember_login(sender: Any, request: Any, **kwargs: Any) -> None:
    """Receive `user_logged_in`: note the moment in the session, and forget what was known of an earlier login.

    A receiver of the site that knows acr or amr comes after this one.
    """
    session = getattr(request, "session", None)
    if session is None:
        return
    session[AUTH_TIME] = time.time()
    for key in (ACR, AMR):
        session.pop(key, None)
