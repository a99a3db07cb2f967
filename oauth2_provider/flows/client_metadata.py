"""Client metadata: what a client says of itself, checked, and laid down in an application (RFC 7591 section 2).

Dynamic registration and Client ID Metadata Documents share it. Members that are not known are ignored, as section 2
asks; what a client asks for and the site does not offer is left out where something remains, and refused where nothing
does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import NON_FIELD_ERRORS, ImproperlyConfigured, ValidationError
from django.utils import translation
from jwcrypto.common import json_encode

from ..models import AbstractApplication
from ..models.openid_client import active_key
from ..models.registered_client import KIND_OF_GRANT_TYPE, REFRESH_TOKEN, kinds_of
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings
from .metadata import supported_auth_methods, supported_grant_types
from .metadata_values import InvalidClientMetadata, InvalidRedirectURI, Members

Methods = AbstractApplication.TokenEndpointAuthMethod
KINDS_THAT_REDIRECT = {"authorization-code", "implicit", "openid-hybrid"}
SHARED_SECRET_METHODS = (Methods.CLIENT_SECRET_BASIC, Methods.CLIENT_SECRET_POST, Methods.CLIENT_SECRET_JWT)
PREFERENCE = (
    "authorization-code",
    "urn:ietf:params:oauth:grant-type:device_code",
    "implicit",
    "client-credentials",
)
"""Which of several grants becomes the one of `authorization_grant_type`."""
LAID_DOWN = (
    "name",
    "redirect_uris",
    "post_logout_redirect_uris",
    "client_type",
    "authorization_grant_type",
    "registered_grant_types",
    "registered_scope",
    "token_endpoint_auth_method",
    "hash_client_secret",
    "client_jwks",
    "client_jwks_uri",
    "algorithm",
    "subject_type",
    "sector_identifier_uri",
    "require_pushed_authorization_requests",
    "client_metadata",
)
"""The fields that `apply_metadata` writes."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
NAME_CHARACTERS = 255


def apply_metadata(application: Any, document: Any, *, default_method: str) -> None:
    """Lay `document`, the JSON values that the client sent, down in `application`; nothing is stored.

    What the document leaves out gets its default, also where the application had a value (RFC 7592 section 2.2).
    `default_method` is the token_endpoint_auth_method of a client that names none. `check` comes after, when the
    secret is settled. Raises InvalidClientMetadata or InvalidRedirectURI.
    """
    members = Members.of(document)
    _apply_grants(application, members)
    _apply_authentication(application, members, default_method)
    _apply_redirect_uris(application, members)
    _apply_openid(application, members)
    application.name = (members.text("client_name") or "")[:NAME_CHARACTERS]
    application.registered_scope = _scope(members)
    application.require_pushed_authorization_requests = members.boolean(
        "require_pushed_authorization_requests"
    )
    response_types = _response_types(application, members)
    application.client_metadata = {**members.presentation(), "response_types": response_types}


def describe(application: Any) -> dict[str, Any]:
    """Return all metadata that is registered of `application` (RFC 7591 section 3.2.1, MUST)."""
    description: dict[str, Any] = {
        "client_name": application.name,
        "redirect_uris": application.redirect_uris.split(),
        "grant_types": application.effective_grant_types,
        "token_endpoint_auth_method": application.token_endpoint_auth_method or _method_of(application),
        "scope": application.registered_scope or "",
        "post_logout_redirect_uris": application.post_logout_redirect_uris.split(),
        "jwks_uri": application.client_jwks_uri,
        "id_token_signed_response_alg": application.algorithm,
        "require_pushed_authorization_requests": application.require_pushed_authorization_requests,
    }
    if application.client_jwks:
        keys = application.get_client_signing_jwks()
        description["jwks"] = keys.export(private_keys=False, as_dict=True)
    if application.subject_type != AbstractApplication.SubjectType.PUBLIC:
        description["subject_type"] = application.subject_type
    described = {name: value for name, value in description.items() if value not in ("", None, [])}
    return {**(application.client_metadata or {}), **described}


def _method_of(application: Any) -> str:
    is_public = application.client_type == application.CLIENT_PUBLIC
    return Methods.NONE.value if is_public else Methods.CLIENT_SECRET_BASIC.value


def _apply_grants(application: Any, members: Members) -> None:
    asked = members.texts("grant_types") or ["authorization_code"]
    known = {*KIND_OF_GRANT_TYPE, REFRESH_TOKEN}
    granted = [name for name in dict.fromkeys(asked) if name in supported_grant_types() and name in known]
    kinds = kinds_of(granted)
    if not kinds:
        raise InvalidClientMetadata(
            f"None of these grant_types is offered here; offered are: {', '.join(supported_grant_types())}."
        )
    preferred = [kind for kind in PREFERENCE if kind in kinds]
    application.authorization_grant_type = preferred[0] if preferred else sorted(kinds)[0]
    application.registered_grant_types = " ".join(granted)


def _apply_authentication(application: Any, members: Members, default_method: str) -> None:
    method = members.text("token_endpoint_auth_method") or default_method
    offered = supported_auth_methods()
    if method not in offered:
        raise InvalidClientMetadata(f"token_endpoint_auth_method must be one of: {', '.join(offered)}.")
    is_public = method == Methods.NONE
    if is_public and application.allows_grant_type(application.GRANT_CLIENT_CREDENTIALS):
        # RFC 6749 section 4.4: "MUST only be used by confidential clients"
        raise InvalidClientMetadata("client_credentials needs another token_endpoint_auth_method than none.")
    application.token_endpoint_auth_method = method
    application.client_type = application.CLIENT_PUBLIC if is_public else application.CLIENT_CONFIDENTIAL
    application.hash_client_secret = method != Methods.CLIENT_SECRET_JWT
    jwks = members.mapping("jwks")
    application.client_jwks = json_encode(jwks) if jwks else ""
    application.client_jwks_uri = members.uri("jwks_uri", schemes=("https",)) or ""


def _apply_redirect_uris(application: Any, members: Members) -> None:
    redirect_uris = members.texts("redirect_uris") or []
    needs_one = any(application.allows_grant_type(kind) for kind in KINDS_THAT_REDIRECT)
    if needs_one and not redirect_uris:
        raise InvalidRedirectURI("These grant_types need redirect_uris.")
    logout_uris = members.texts("post_logout_redirect_uris") or []
    validate = application.get_redirect_uri_validator()
    with translation.override(None):
        for uri in redirect_uris:
            _check_redirect_uri(uri, validate)
        try:
            for uri in logout_uris:
                _check_redirect_uri(uri, validate)
        except InvalidRedirectURI as error:
            raise InvalidClientMetadata(f"post_logout_redirect_uris: {error}") from error
    application.redirect_uris = " ".join(redirect_uris)
    application.post_logout_redirect_uris = " ".join(logout_uris)


def _check_redirect_uri(uri: str, validate: Any) -> None:
    """Raise InvalidRedirectURI unless `uri` is one that may be registered unseen (RFC 7591 section 5, MUST)."""
    try:
        validate(uri)
        parts = urlsplit(uri)
    except ValidationError as error:
        raise InvalidRedirectURI(" ".join(error.messages)) from error
    except ValueError as error:
        raise InvalidRedirectURI("A redirect URI cannot be parsed.") from error
    if uri.split() != [uri]:
        raise InvalidRedirectURI("A redirect URI has no spaces.")
    if "*" in parts.netloc:
        raise InvalidRedirectURI("A wildcard is not registered this way: list each redirect URI.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise InvalidRedirectURI("A redirect URI must be https; http is for this machine (localhost) only.")


def _apply_openid(application: Any, members: Members) -> None:
    application.subject_type = members.text("subject_type") or AbstractApplication.SubjectType.PUBLIC.value
    application.sector_identifier_uri = None  # unproved, it would show a client the subjects of others
    if application.subject_type not in oauth2_settings.OIDC_SUBJECT_TYPES_SUPPORTED:
        raise InvalidClientMetadata("This subject_type is not offered here.")
    algorithm = members.text("id_token_signed_response_alg")
    application.algorithm = algorithm or _default_algorithm()
    if algorithm == application.HS256_ALGORITHM:
        if application.token_endpoint_auth_method not in SHARED_SECRET_METHODS:
            raise InvalidClientMetadata("HS256 needs a client secret.")
        application.hash_client_secret = False


def _default_algorithm() -> str:
    """Return RS256, as OpenID Connect has it, where the site has such a key; else no algorithm."""
    if not oauth2_settings.OIDC_ENABLED:
        return AbstractApplication.NO_ALGORITHM
    try:
        active_key(AbstractApplication.RS256_ALGORITHM)
    except ImproperlyConfigured:
        return AbstractApplication.NO_ALGORITHM
    return AbstractApplication.RS256_ALGORITHM


def _response_types(application: Any, members: Members) -> list[str]:
    """Return the registered response types, consistent with the grant types (RFC 7591 section 2.1)."""
    granted = set(application.effective_grant_types)
    default = [
        response_type
        for response_type, grant_type in (("code", "authorization_code"), ("token", "implicit"))
        if grant_type in granted
    ]
    asked = members.texts("response_types") or default
    for response_type in asked:
        parts = set(response_type.split())
        needed = {"authorization_code" if part == "code" else "implicit" for part in parts}
        if not parts <= {"code", "token", "id_token"} or not needed <= granted:
            raise InvalidClientMetadata(
                f"The response type {response_type!r} does not go with these grant_types."
            )
    return asked


def _scope(members: Members) -> str | None:
    """Return the scopes that the client keeps to; None where it names none."""
    asked = (members.text("scope") or "").split()
    offered = {*get_scopes_backend().get_all_scopes()} - {oauth2_settings.DCR_REGISTRATION_SCOPE}
    kept = [scope for scope in dict.fromkeys(asked) if scope in offered]
    if asked and not kept:
        raise InvalidClientMetadata("None of these scopes is offered here.")
    return " ".join(kept) or None


def check(application: Any) -> None:
    """Raise InvalidClientMetadata for what the model refuses."""
    with translation.override(None):
        try:
            # whether the client_id is free is for the database to say when the row is stored
            application.full_clean(exclude=["client_id", "client_secret", "user"])
        except ValidationError as error:
            raise InvalidClientMetadata(_as_sentence(error)) from error


def _as_sentence(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    by_field = error.message_dict.items()
    return " ".join(
        " ".join(messages) if name == NON_FIELD_ERRORS else f"{name}: {' '.join(messages)}"
        for name, messages in by_field
    )
