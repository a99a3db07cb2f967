"""What oauthlib's servers lack: device authorization, ID tokens in it, pushed requests, grants of the site's own.

RFC 8628, RFC 9126, RFC 6749 section 4.5.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

from oauthlib.common import Request, generate_token
from oauthlib.oauth2 import (
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    TemporarilyUnavailableError,
    UnauthorizedClientError,
)
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error
from oauthlib.oauth2.rfc6749.grant_types.base import GrantTypeBase
from oauthlib.oauth2.rfc6749.tokens import get_token_from_header
from oauthlib.oauth2.rfc6749.utils import scope_to_list
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant as OAuthlibDeviceCodeGrant
from oauthlib.openid.connect.core.endpoints.userinfo import UserInfoEndpoint
from oauthlib.openid.connect.core.grant_types.base import GrantTypeBase as OpenIDGrantTypeBase

from . import generators
from .extension_grants import Authorization, ExtensionGrant, ExtensionGrantError, ExtensionGrantRequest
from .extension_grants import extension_grants as find_extension_grants
from .flows.device import NoUserCodeLeft, normalised_user_code, unused_user_code
from .models import (
    DeviceCodeResponse,
    DeviceRequest,
    create_device_grant,
    create_pushed_authorization_request,
)
from .settings import oauth2_settings
from .www_authenticate import bearer_challenge, challenge_status

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
ABOUT_THE_USER = {"prompt", "id_token_hint"}
CREDENTIALS = {"client_id", "client_secret", "client_assertion", "client_assertion_type"}


def new_server(server_class: Any, validator: Any) -> Any:
    """Return a server over `validator`, as the settings say, with the grants that oauthlib's lack."""
    server_kwargs = oauth2_settings.server_kwargs
    server_kwargs["token_generator"] = server_kwargs.get("token_generator") or generators.generate_token
    server = server_class(validator, **server_kwargs)
    server.request_validator = validator
    checks_userinfo = getattr(server_class, "validate_userinfo_request", None)
    if checks_userinfo is UserInfoEndpoint.validate_userinfo_request:
        server.validate_userinfo_request = partial(_validate_userinfo_request, validator)
    _take_words_in_any_order(getattr(server, "response_types", {}))
    grant_types = getattr(server, "grant_types", None)
    if grant_types is None:
        return server
    if type(grant_types.get(DEVICE_CODE)) is OAuthlibDeviceCodeGrant:
        grant_types[DEVICE_CODE] = DeviceCodeGrant(
            validator, pre_token=list(oauth2_settings.OAUTH_PRE_TOKEN_VALIDATION)
        )
    for grant_type, extension in find_extension_grants().items():
        grant_types[grant_type] = ExtensionGrantType(validator, extension=extension)
    return server


def in_known_order(response_type: str) -> str:
    """Return the values of `response_type` in the order that oauthlib knows; any is good (RFC 6749 section 3.1.1)."""
    return " ".join(sorted(response_type.split(" ")))


class UserInfoError(OAuth2Error):
    """No token that opens UserInfo; status and challenge say why (RFC 6750 section 3.1)."""

    def __init__(self, refused: dict[str, str], *, scope: str) -> None:
        self.refused = refused
        self.scope = scope
        super().__init__(refused.get("error_description"), status_code=challenge_status(refused))

    @property
    def json(self) -> str:
        """The body: what the challenge says, too."""
        return json.dumps(self.refused)

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, without an error where no token was presented, with the scope where that is what lacks."""
        return {"WWW-Authenticate": bearer_challenge(self.refused, scopes=[self.scope])}


def _validate_userinfo_request(validator: Any, request: Any) -> None:
    """Let in a token with the scope `openid` (OpenID Connect Core 1.0 section 5.3.1). Raises UserInfoError."""
    if not validator.validate_bearer_token(get_token_from_header(request), ["openid"], request):
        raise UserInfoError(vars(request).get("oauth2_error") or {}, scope="openid")


def _take_words_in_any_order(response_types: dict[str, Any]) -> None:
    """Have each handler found however the words of its response type are ordered (RFC 6749 section 3.1.1)."""
    for response_type, handler in list(response_types.items()):
        for words in permutations(response_type.split()):
            response_types.setdefault(" ".join(words), handler)


class DeviceCodeGrant(OAuthlibDeviceCodeGrant):
    """The device grant, with client authentication before anything else, and an ID token where `openid` is granted."""

    request_validator: Any

    def validate_device_authorization_request(self, request: Any) -> None:
        """Check a device authorization request (section 3.1); a client that authenticates need not name itself."""
        request.grant_type, request.scopes = DEVICE_CODE, scope_to_list(request.scope)
        self.validate_client_authentication(request)
        self.validate_grant_type(request)
        self.validate_scopes(request)

    def create_token_response(self, request: Any, token_handler: Any) -> tuple[dict[str, str], str, int]:
        """Answer a device access token request (sections 3.4 and 3.5)."""
        self.validate_token_request(request)
        token = token_handler.create_token(request, self.refresh_token)
        if oauth2_settings.OIDC_ENABLED and request.client.algorithm:
            id_tokens = OpenIDGrantTypeBase()
            id_tokens.proxy_target = self
            token = id_tokens.add_id_token(token, token_handler, request)
        self.request_validator.save_token(token, request)
        return dict(HEADERS), json.dumps(token), 200


class ExtensionGrantType(GrantTypeBase):
    """A grant of EXTENSION_GRANTS at the token endpoint."""

    request_validator: Any
    extension: ExtensionGrant

    def create_token_response(self, request: Any, token_handler: Any) -> tuple[dict[str, str], str, int]:
        """Authenticate the client, ask the grant what the request is worth, store and answer that."""
        self.validate_client_authentication(request)
        if not self.extension.allows(request.client):
            raise UnauthorizedClientError(request=request)
        self.request_validator._check_and_set_request_resource(request)
        authorization = self._authorization(request)
        if authorization.user is not None and not authorization.user.is_active:
            raise InvalidGrantError(request=request)
        request.user = authorization.user
        if authorization.scopes is not None:
            request.scopes = list(authorization.scopes)
        if authorization.resource is not None:
            request.resource = list(authorization.resource)
        self.validate_scopes(request)
        has_refresh_token = authorization.has_refresh_token and authorization.user is not None
        token = token_handler.create_token(request, refresh_token=has_refresh_token)
        self.request_validator.save_token(token, request)
        return dict(HEADERS), json.dumps({**token, **authorization.members}), 200

    def _authorization(self, request: Any) -> Authorization:
        parameters = {name: value for name, value in request.decoded_body if name not in CREDENTIALS}
        asked = ExtensionGrantRequest(
            application=request.client,
            parameters=parameters,
            scopes=request.scopes or [],
            resource=request.resource,
            http_request=self.request_validator.django_request,
        )
        try:
            return self.extension.authorize(asked)
        except ExtensionGrantError as refused:
            raise CustomOAuth2Error(
                refused.error, description=refused.description or None, request=request
            ) from refused


class DeviceAuthorizationServer:
    """The device authorization endpoint (section 3.1): checks, and stores what it answers."""

    def __init__(self, request_validator: Any, verification_uri: str) -> None:
        """Take the validator, and where users enter their codes."""
        self.request_validator = request_validator
        self.verification_uri = verification_uri
        self.device_code_grant = DeviceCodeGrant(request_validator)

    def create_device_authorization_response(
        self, uri: str, http_method: str = "POST", body: Any = None, headers: Any = None
    ) -> tuple[dict[str, str], str, int]:
        """Return headers, body and status of the answer (section 3.2)."""
        request: Any = Request(uri, http_method, body, headers)  # type: ignore[arg-type]
        if request.uri_query:
            # the parameters are in the body; credentials must not be in a URI (RFC 6749 section 2.3.1)
            raise InvalidRequestError(description="URL query parameters are not allowed", request=request)
        self.device_code_grant.validate_device_authorization_request(request)
        answer = self._issue(request)
        content = {name: value for name, value in vars(answer).items() if value is not None}
        return dict(HEADERS), json.dumps(content), 200

    def _issue(self, request: Any) -> DeviceCodeResponse:
        """Store a new device code; its user code is that of no other live one."""
        try:
            user_code = unused_user_code(oauth2_settings.OAUTH_DEVICE_USER_CODE_GENERATOR)
        except NoUserCodeLeft as exc:
            raise TemporarilyUnavailableError(request=request, status_code=503) from exc
        answer = DeviceCodeResponse(
            verification_uri=self.verification_uri,
            verification_uri_complete=_complete(user_code),
            expires_in=oauth2_settings.DEVICE_CODE_EXPIRE_SECONDS,
            user_code=user_code,
            device_code=generate_token(48),
            interval=oauth2_settings.DEVICE_FLOW_INTERVAL,
        )
        asked = DeviceRequest(
            client_id=request.client.client_id,
            scope=" ".join(request.scopes),
            resource=list(request.resource or []),
        )
        create_device_grant(asked, replace(answer, user_code=normalised_user_code(user_code) or user_code))
        return answer


class PushedAuthorizationServer:
    """The pushed authorization request endpoint (RFC 9126 section 2): checks as the authorization endpoint would."""

    def __init__(self, server: Any) -> None:
        """Take the server of the authorization endpoint."""
        self.server = server
        self.request_validator = server.request_validator

    def create_pushed_authorization_response(
        self, uri: str, http_method: str = "POST", body: Any = None, headers: Any = None
    ) -> tuple[dict[str, str], str, int]:
        """Return headers, body and status of the answer (section 2.2)."""
        try:
            return self._push(uri, http_method, body, headers)
        except OAuth2Error as error:
            error.state = None  # which is for redirects; section 2.3 has errors as the token endpoint's
            raise

    def _push(self, uri: str, http_method: str, body: Any, headers: Any) -> tuple[dict[str, str], str, int]:
        request: Any = Request(uri, http_method, body, headers)  # type: ignore[arg-type]
        if request.uri_query:
            raise InvalidRequestError(description="URL query parameters are not allowed", request=request)
        GrantTypeBase(self.request_validator).validate_client_authentication(request)
        parameters = _authorization_parameters(request)
        self._validate(uri, request.client.client_id, parameters, headers)
        pushed = create_pushed_authorization_request(request.client.client_id, parameters)
        lifetime = int(oauth2_settings.PAR_REQUEST_URI_LIFETIME_SECONDS)
        content = {"request_uri": pushed.request_uri, "expires_in": lifetime}
        return dict(HEADERS), json.dumps(content), 201

    def _validate(self, uri: str, client_id: str, parameters: dict[str, Any], headers: Any) -> None:
        """Raise what the authorization endpoint would answer; who the user is, is asked there (section 2.1)."""
        asked = {name: value for name, value in parameters.items() if name not in ABOUT_THE_USER}
        if "response_type" in asked:
            asked["response_type"] = in_known_order(asked["response_type"])
        query = urlencode({**asked, "client_id": client_id}, doseq=True)
        self.request_validator.django_request.is_pushed = True
        self.server.validate_authorization_request(f"{uri}?{query}", "GET", "", headers)


def _authorization_parameters(request: Any) -> dict[str, str | list[str]]:
    """Return the parameters to keep, `resource` as a list. Raises invalid_request for a request URI (section 2.1)."""
    parameters: dict[str, Any] = {}
    for name, value in request.decoded_body:
        if name == "resource":
            parameters.setdefault(name, []).append(value)
        elif name not in CREDENTIALS:
            parameters[name] = value
    if "request_uri" in parameters:
        raise InvalidRequestError(description="request_uri cannot be pushed.", request=request)
    if "request" in parameters:
        error, description = "request_not_supported", "Request objects are not supported."
        raise CustomOAuth2Error(error, description=description, request=request)
    return parameters


def _complete(user_code: str) -> str | None:
    """Return the URI that has the user code in it, for a QR code (section 3.3.1); None where the site has none."""
    complete = oauth2_settings.OAUTH_DEVICE_VERIFICATION_URI_COMPLETE
    if callable(complete):
        return str(complete(user_code))
    return complete.format(user_code=user_code) if complete else None
