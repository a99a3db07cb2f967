"""HttpRequest to oauthlib, and back: one file before the protocol library, one after it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlparse, urlunparse

from django.http import HttpRequest
from oauthlib import oauth2
from oauthlib.common import Request as OAuthlibRequest
from oauthlib.common import quote, urlencode
from oauthlib.oauth2 import OAuth2Error

from .exceptions import FatalClientError, OAuthToolkitError
from .settings import oauth2_settings

MAXIMUM_BODY_BYTES = 256 * 1024
"""No request of RFC 6749 comes near this; a longer body is refused before it is parsed."""

Response = tuple[dict[str, str], str, int]
"""Headers, body, status."""


class OAuthLibCore:
    """Calls one oauthlib server for Django requests. Subclass it and name it in OAUTH2_BACKEND_CLASS."""

    def __init__(self, server: Any = None) -> None:
        """Take the oauthlib server; by default a new one, as the settings say."""
        self.server = server or _new_server()

    def _get_escaped_full_path(self, request: HttpRequest) -> str:
        """Return the absolute URI with every character escaped that oauthlib would refuse."""
        parsed = list(urlparse(request.build_absolute_uri()))
        unsafe = set(parsed[4]) - _URI_CHARACTERS
        for character in unsafe:
            parsed[4] = parsed[4].replace(character, quote(character, safe=b""))
        return urlunparse(parsed)

    def _get_extra_credentials(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return what the token endpoint's hooks are to find in `request.extra_credentials`. Override it."""
        return None

    def _extract_params(self, request: HttpRequest) -> tuple[str, str, str, dict[str, Any]]:
        uri = self._get_escaped_full_path(request)
        return uri, request.method or "", urlencode(self.extract_body(request)), self.extract_headers(request)

    def extract_headers(self, request: HttpRequest) -> dict[str, Any]:
        """Return the headers as oauthlib wants them, names of META and of HTTP alike."""
        headers = {key: value for key, value in request.META.items() if isinstance(value, str)}
        if "HTTP_AUTHORIZATION" in headers:
            headers["Authorization"] = headers["HTTP_AUTHORIZATION"]
        if request.is_secure():
            headers["X_DJANGO_OAUTH_TOOLKIT_SECURE"] = "1"
        if "HTTP_ORIGIN" in headers:
            headers["Origin"] = headers["HTTP_ORIGIN"]
        return headers

    def extract_body(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Return the parameters of a form-encoded body, repeated ones repeatedly."""
        return [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if isinstance(value, str)
        ]

    def validate_authorization_request(self, request: HttpRequest) -> tuple[list[str], dict[str, Any]]:
        """Return the scopes and the credentials of an authorization request (RFC 6749 section 4.1.1).

        Raises FatalClientError where the error must not be redirected, OAuthToolkitError otherwise.
        """
        self._bind(request)
        try:
            uri, http_method, body, headers = self._extract_params(request)
            return self.server.validate_authorization_request(
                uri, http_method=http_method, body=body, headers=headers
            )
        except oauth2.FatalClientError as error:
            raise FatalClientError(error=error) from error
        except OAuth2Error as error:
            raise OAuthToolkitError(error=error) from error

    def create_authorization_response(
        self, request: HttpRequest, scopes: str, credentials: dict[str, Any], allow: bool
    ) -> tuple[str, dict[str, str], str, int]:
        """Return URI, headers, body and status of the response to what the user decided.

        `credentials` are those of `validate_authorization_request`, with `user` added by the view.
        """
        self._bind(request)
        try:
            if not allow:
                raise oauth2.AccessDeniedError(state=credentials.get("state"))
            credentials["user"] = request.user
            _, http_method, body, request_headers = self._extract_params(request)
            headers, body, status = self.server.create_authorization_response(
                uri=credentials["redirect_uri"],
                http_method=http_method,
                body=body,
                headers=request_headers,
                scopes=scopes.split(" "),
                credentials=credentials,
            )
            return headers.get("Location", None), headers, body, status
        except oauth2.FatalClientError as error:
            raise FatalClientError(error=error, redirect_uri=credentials["redirect_uri"]) from error
        except OAuth2Error as error:
            raise OAuthToolkitError(error=error, redirect_uri=credentials["redirect_uri"]) from error

    def create_device_authorization_response(self, request: HttpRequest) -> Response:
        """Answer a device authorization request (RFC 8628 section 3.1)."""
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        return self._answer(self.server.create_device_authorization_response, uri, http_method, body, headers)

    def create_token_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a token request (RFC 6749 section 3.2): URI, headers, body, status."""
        self._bind(request)
        refused = _refused(request)
        if refused is not None:
            return "", *refused
        uri, http_method, body, headers = self._extract_params(request)
        extra_credentials = self._get_extra_credentials(request)
        return uri, *self._answer(
            self.server.create_token_response, uri, http_method, body, headers, extra_credentials
        )

    def create_revocation_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a revocation request (RFC 7009 section 2): URI, headers, body, status."""
        self._bind(request)
        refused = _refused(request)
        if refused is not None:
            return "", *refused
        uri, http_method, body, headers = self._extract_params(request)
        return uri, *self._answer(self.server.create_revocation_response, uri, http_method, body, headers)

    def create_userinfo_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a UserInfo request (OpenID Connect Core section 5.3): URI, headers, body, status."""
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        return uri, *self._answer(self.server.create_userinfo_response, uri, http_method, body, headers)

    def verify_request(self, request: HttpRequest, scopes: list[str]) -> tuple[bool, OAuthlibRequest]:
        """Tell whether the request's bearer token grants all of `scopes` (RFC 6750); the second value knows more."""
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        return self.server.verify_request(uri, http_method, body, headers, scopes=scopes)

    def authenticate_client(self, request: HttpRequest) -> bool:
        """Tell whether the request authenticates a confidential client (RFC 6749 section 2.3)."""
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        oauth_request = OAuthlibRequest(uri, http_method, body, headers)  # type: ignore[arg-type]
        return bool(self.server.request_validator.authenticate_client(oauth_request))

    def _bind(self, request: HttpRequest) -> None:
        """Let the validator's hooks see the Django request: issuer and session are in it."""
        validator = getattr(self.server, "request_validator", None)
        if validator is not None:
            validator.django_request = request

    def _answer(self, create: Any, *arguments: Any) -> Response:
        try:
            headers, body, status = create(*arguments)
        except OAuth2Error as error:
            headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
            headers.update(error.headers)
            return headers, error.json, error.status_code
        return headers, body or "", status


class JSONOAuthLibCore(OAuthLibCore):
    """Takes the parameters from a JSON body. Not what RFC 6749 says; for clients that cannot do otherwise."""

    def extract_body(self, request: HttpRequest) -> list[tuple[str, str]]:
        try:
            parameters = json.loads(request.body.decode("utf-8"))
        except ValueError:
            return []
        if not isinstance(parameters, dict):
            return []
        return [(name, str(value)) for name, value in parameters.items() if value is not None]


def get_oauthlib_core() -> OAuthLibCore:
    """Return a new OAUTH2_BACKEND_CLASS over a new server, as the settings say."""
    return oauth2_settings.OAUTH2_BACKEND_CLASS(_new_server())


def _new_server() -> Any:
    validator = oauth2_settings.OAUTH2_VALIDATOR_CLASS()
    is_openid = oauth2_settings.OIDC_ENABLED
    server_class = oauth2_settings.OIDC_SERVER_CLASS if is_openid else oauth2_settings.OAUTH2_SERVER_CLASS
    server = server_class(validator, **oauth2_settings.server_kwargs)
    server.request_validator = validator
    return server


def _refused(request: HttpRequest) -> Response | None:
    """Return the answer to a body that no endpoint parses: too long, or with characters no parameter may have."""
    reason = None
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAXIMUM_BODY_BYTES:
        reason = "The request body is too long."
    elif any("\x00" in value for values in request.POST.lists() for value in [values[0], *values[1]]):
        reason = "A parameter has a NUL character."
    if reason is None:
        return None
    error = oauth2.InvalidRequestError(description=reason)
    return {"Content-Type": "application/json", "Cache-Control": "no-store"}, error.json, error.status_code


_URI_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=&;:%+~,*@!()/?-._'$[]")
