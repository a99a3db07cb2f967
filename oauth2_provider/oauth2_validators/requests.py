"""What every authorization request must be, before anything in it is looked up or stored (RFC 6749 section 3.1)."""

from __future__ import annotations

from typing import Any

from oauthlib.oauth2 import InvalidRequestError

REPEATABLE = {"resource"}
MAXIMUM_NONCE_CHARACTERS = 255
RESPONSE_MODES = ("query", "fragment", "form_post")
"""OAuth 2.0 Multiple Response Type Encoding Practices section 2.1, OAuth 2.0 Form Post Response Mode."""


def kept(request: Any, name: str) -> Any:
    """Return what a hook keeps on the oauthlib request; None where none has yet.

    Never what a client sends under that name: oauthlib lets every parameter be read as an attribute.
    """
    return vars(request).get(name)


def check_authorization_request(request: Any) -> None:
    """Refuse repeated parameters, NUL characters, a nonce that cannot be stored, and tokens in a query.

    Raises invalid_request, which is redirected to the client.
    """
    if set(request.duplicate_params) - REPEATABLE:
        raise InvalidRequestError(description="A parameter is repeated.", request=request)
    parameters = [*request.uri_query_params, *(request.decoded_body or [])]
    if any("\x00" in name or "\x00" in value for name, value in parameters):
        raise InvalidRequestError(description="A parameter has a NUL character.", request=request)
    if len(request.nonce or "") > MAXIMUM_NONCE_CHARACTERS:
        raise InvalidRequestError(description="The nonce is too long.", request=request)
    if request.response_mode and request.response_mode not in RESPONSE_MODES:
        raise InvalidRequestError(description="The response_mode is not supported.", request=request)
    has_tokens = {"token", "id_token"} & set((request.response_type or "").split())
    if has_tokens and request.response_mode == "query":
        # OAuth 2.0 Multiple Response Types section 3: "the query encoding MUST NOT be used" for tokens
        raise InvalidRequestError(description="Tokens are not returned in a query.", request=request)
