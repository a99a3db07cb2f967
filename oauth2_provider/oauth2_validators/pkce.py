"""PKCE values, checked before oauthlib computes with them (RFC 7636 sections 4.1 to 4.3)."""

from __future__ import annotations

import re
from typing import Any

from oauthlib.oauth2 import InvalidRequestError
from oauthlib.oauth2.rfc6749.errors import UnsupportedCodeChallengeMethodError

from ..bcp import bcp_compliant

UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
"""ABNF of code_verifier and code_challenge."""


def check_challenge(request: Any) -> None:
    """Refuse a code_challenge outside the alphabet or the length, and `plain` where the site does."""
    if request.code_challenge is None:
        if request.code_challenge_method:
            raise InvalidRequestError(
                description="code_challenge_method without code_challenge.", request=request
            )
        return
    if not UNRESERVED.fullmatch(request.code_challenge):
        raise InvalidRequestError(
            description="code_challenge must be 43 to 128 unreserved characters.", request=request
        )
    if request.code_challenge_method in (None, "plain") and bcp_compliant("PKCE_METHOD"):
        raise UnsupportedCodeChallengeMethodError(request=request)


def check_verifier(request: Any) -> None:
    """Refuse a code_verifier outside the alphabet or the length."""
    if request.code_verifier is not None and not UNRESERVED.fullmatch(request.code_verifier):
        raise InvalidRequestError(
            description="code_verifier must be 43 to 128 unreserved characters.", request=request
        )
