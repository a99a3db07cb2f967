"""HttpRequest to oauthlib, and back: one file before the protocol library, one after it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlparse, urlunparse

from django.http import HttpRequest
from oauthlib import oauth2
from oauthlib.common import Request as OAuthlibRequest
from oauthlib.oauth2 import OAuth2Error

from .exceptions import FatalClientError, OAuthToolkitError
from .flows import authentication
from .oauth2_servers import in_known_order, new_server
from .settings import oauth2_settings
from .www_authenticate import BASIC_CHALLENGE, has_basic_credentials

REPEATABLE = {"resource"}
"""The parameters that a request may have several times (RFC 8707 section 2)."""

Response = tuple[dict[str, str], str, int]
"""Headers, body, status."""


class OAuthLibCore:
    """Calls one oauthlib server for Django requests. Subclass it and name it in OAUTH2_BACKEND_CLASS."""

    def __init__(self, server: Any = None) -> None:
        """Take the oauthlib server; by default a new one, as the settings say."""
        self.server = server or _new_server()

    def _get_escaped_full_path(self, request: HttpRequest) -> str:
        """Return the absolute URI, its query written anew: every character escaped, empty parameters left out."""
        parsed = list(urlparse(request.build_absolute_uri()))
        query = (
            (name, in_known_order(value) if name == "response_type" else value)
            for name, values in request.GET.lists()
            for value in values
        )
        parsed[4] = _encoded(query)
        return urlunparse(parsed)

    def _get_extra_credentials(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return what the token endpoint's hooks are to find in `request.extra_credentials`. Override it."""
        return None

    def _extract_params(self, request: HttpRequest) -> tuple[str, str, str, dict[str, Any]]:
        uri, body = self._get_escaped_full_path(request), _encoded(self.extract_body(request))
        return uri, request.method or "", body, self.extract_headers(request)

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
            mode = error.response_mode
            _place(error, error.response_type, mode)
            raise OAuthToolkitError(error=error, response_mode=mode) from error

    def create_authorization_response(
        self, request: HttpRequest, scopes: str, credentials: dict[str, Any], allow: bool
    ) -> tuple[str, dict[str, str], str, int]:
        """Return URI, headers, body and status of the response to what the user decided.

        `credentials` are those of `validate_authorization_request`. The response stands in the fragment of the URI
        for the response mode form_post, where the view takes it from.
        """
        self._bind(request)
        mode = credentials.get("response_mode")
        try:
            if not allow:
                raise oauth2.AccessDeniedError(state=credentials.get("state"))
            credentials["user"] = request.user
            credentials["authentication"] = _login_of(request, credentials)
            credentials["response_mode"] = "fragment" if mode == "form_post" else mode
            _, http_method, body, request_headers = self._extract_params(request)
            headers, body, status = self.server.create_authorization_response(
                uri=request.build_absolute_uri(request.path),  # without a query: `credentials` say it all
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
            _place(error, credentials.get("response_type"), mode)
            raise OAuthToolkitError(
                error=error, redirect_uri=credentials["redirect_uri"], response_mode=mode
            ) from error

    def create_device_authorization_response(self, request: HttpRequest) -> Response:
        """Answer a device authorization request (RFC 8628 section 3.1): headers, body, status."""
        return self._answer(request, self.server.create_device_authorization_response)[1:]

    def create_pushed_authorization_response(self, request: HttpRequest) -> Response:
        """Answer a pushed authorization request (RFC 9126 section 2): headers, body, status."""
        return self._answer(request, self.server.create_pushed_authorization_response)[1:]

    def create_token_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a token request (RFC 6749 section 3.2): URI, headers, body, status."""
        create, extra_credentials = self.server.create_token_response, self._get_extra_credentials(request)
        return self._answer(request, create, extra_credentials, required="grant_type")

    def create_revocation_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a revocation request (RFC 7009 section 2): URI, headers, body, status."""
        return self._answer(request, self.server.create_revocation_response)

    def create_userinfo_response(self, request: HttpRequest) -> tuple[str, dict[str, str], str, int]:
        """Answer a UserInfo request (OpenID Connect Core section 5.3): URI, headers, body, status."""
        return self._answer(request, self.server.create_userinfo_response)

    def verify_request(self, request: HttpRequest, scopes: list[str]) -> tuple[bool, OAuthlibRequest]:
        """Tell whether the request's bearer token grants all of `scopes` (RFC 6750); the second value knows more.

        An upload is not parsed before it is let in: only a body of a single part may carry a token (section 2.2).
        """
        self._bind(request)
        if request.content_type == "multipart/form-data":
            uri, http_method, body = self._get_escaped_full_path(request), request.method or "", ""
            headers = self.extract_headers(request)
        else:
            uri, http_method, body, headers = self._extract_params(request)
        valid, oauth_request = self.server.verify_request(uri, http_method, body, headers, scopes=scopes)
        found_out = vars(
            oauth_request
        )  # oauthlib would answer with a parameter of that name where there is nothing
        for name in ("user", "client", "access_token"):
            found_out.setdefault(name, None)
        found_out.setdefault("oauth2_error", {})
        return valid, oauth_request

    def authenticate_client(self, request: HttpRequest) -> bool:
        """Tell whether the request authenticates a confidential client (RFC 6749 section 2.3).

        The client is `request.client` afterwards.
        """
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        oauth_request = OAuthlibRequest(uri, http_method, body, headers)  # type: ignore[arg-type]
        if not self.server.request_validator.authenticate_client(oauth_request):
            return False
        request.client = oauth_request.client  # type: ignore[attr-defined]
        return True

    def _bind(self, request: HttpRequest) -> None:
        """Let the validator's hooks see the Django request: issuer and session are in it."""
        validator = getattr(self.server, "request_validator", None)
        if validator is not None:
            validator.django_request = request

    def _answer(
        self, request: HttpRequest, create: Callable[..., Response], *arguments: Any, required: str = ""
    ) -> tuple[str, dict[str, str], str, int]:
        """Return URI, headers, body and status of what `create` makes of the request, its errors included."""
        self._bind(request)
        uri, http_method, body, headers = self._extract_params(request)
        try:
            _refuse_malformed(body, required)
            answer_headers, answer, status = create(uri, http_method, body, headers, *arguments)
        except OAuth2Error as error:
            answer_headers = {
                "Content-Type": "application/json",
                "Cache-Control": "no-store",
                "Pragma": "no-cache",
                **error.headers,
            }
            answer, status = error.json, error.status_code
        if status == 401 and has_basic_credentials(headers.get("Authorization")):
            answer_headers["WWW-Authenticate"] = BASIC_CHALLENGE
        return uri, answer_headers, answer or "", status


class JSONOAuthLibCore(OAuthLibCore):
    """Takes the parameters from a JSON body. Not what RFC 6749 says; for clients that cannot do otherwise."""

    def extract_body(self, request: HttpRequest) -> list[tuple[str, str]]:
        try:
            parameters = json.loads(request.body.decode("utf-8"))
        except ValueError:
            return []
        if not isinstance(parameters, dict):
            return []
        pairs = [
            (name, str(item))
            for name, value in parameters.items()
            for item in (value if isinstance(value, list) else [value])
            if item is not None
        ]
        return [(_without_surrogates(name), _without_surrogates(value)) for name, value in pairs]


def get_oauthlib_core(*, server_class: Any = None, validator_class: Any = None) -> OAuthLibCore:
    """Return a new OAUTH2_BACKEND_CLASS over a new server, of the classes given or as the settings say."""
    return oauth2_settings.OAUTH2_BACKEND_CLASS(_new_server(server_class, validator_class))


def _new_server(server_class: Any = None, validator_class: Any = None) -> Any:
    validator = (validator_class or oauth2_settings.OAUTH2_VALIDATOR_CLASS)()
    if server_class is None:
        is_openid = oauth2_settings.OIDC_ENABLED
        server_class = oauth2_settings.OIDC_SERVER_CLASS if is_openid else oauth2_settings.OAUTH2_SERVER_CLASS
    return new_server(server_class, validator)


def _encoded(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the parameters form-encoded; one without a value counts as left out (RFC 6749 section 3.1)."""
    return urlencode([(name, value) for name, value in parameters if value])


def _refuse_malformed(body: str, required: str) -> None:
    """Refuse what no parameter may be: repeated (RFC 6749 section 3.2), with a NUL character, missing."""
    parameters = parse_qsl(body)
    if required and required not in dict(parameters):
        raise oauth2.InvalidRequestError(description=f"The {required} parameter is missing.")
    repeated = {name for name, times in Counter(name for name, _ in parameters).items() if times > 1}
    if repeated - REPEATABLE:
        raise oauth2.InvalidRequestError(description="A parameter is repeated.")
    if any("\x00" in name or "\x00" in value for name, value in parameters):
        raise oauth2.InvalidRequestError(description="A parameter has a NUL character.")


def _place(error: OAuth2Error, response_type: str | None, response_mode: str | None) -> None:
    """Have a redirected error stand where the response would: in the fragment where tokens are asked for.

    RFC 6749 section 4.2.2.1.
    """
    has_tokens = {"token", "id_token"} & set((response_type or "").split())
    if has_tokens or response_mode in ("fragment", "form_post"):
        error.response_mode = "fragment"


def _login_of(request: HttpRequest, credentials: dict[str, Any]) -> authentication.Authentication:
    """Return what is kept with what is issued now: the session's login, and the claims that the client asked for."""
    asked = credentials.get("claims")
    return authentication.from_session(
        getattr(request, "session", {}), asked if isinstance(asked, dict) else None
    )


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
