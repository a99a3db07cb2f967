"""The provider's settings: the dict OAUTH2_PROVIDER, with every default, its unit and its meaning.

Read them as attributes of `oauth2_settings`. Values are read live: a change of the Django setting is seen at
the next access. DEFAULTS hold dotted strings, never functions, so that this module imports nothing of ours but `http`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string

from .http import path_of

USER_SETTINGS: dict[str, Any] | None = getattr(settings, "OAUTH2_PROVIDER", None)

# The swappable models, read once at import as Django itself does.
APPLICATION_MODEL = getattr(settings, "OAUTH2_PROVIDER_APPLICATION_MODEL", "oauth2_provider.Application")
ACCESS_TOKEN_MODEL = getattr(settings, "OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL", "oauth2_provider.AccessToken")
ID_TOKEN_MODEL = getattr(settings, "OAUTH2_PROVIDER_ID_TOKEN_MODEL", "oauth2_provider.IDToken")
GRANT_MODEL = getattr(settings, "OAUTH2_PROVIDER_GRANT_MODEL", "oauth2_provider.Grant")
REFRESH_TOKEN_MODEL = getattr(settings, "OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL", "oauth2_provider.RefreshToken")
DEVICE_GRANT_MODEL = getattr(settings, "OAUTH2_PROVIDER_DEVICE_GRANT_MODEL", "oauth2_provider.DeviceGrant")
PAR_REQUEST_MODEL = getattr(
    settings, "OAUTH2_PROVIDER_PAR_REQUEST_MODEL", "oauth2_provider.PushedAuthorizationRequest"
)

DEFAULTS: dict[str, Any] = {
    # -- the machine room
    "OAUTH2_SERVER_CLASS": "oauthlib.oauth2.Server",
    "OIDC_SERVER_CLASS": "oauthlib.openid.Server",  # in its place when OIDC_ENABLED
    "OAUTH2_VALIDATOR_CLASS": "oauth2_provider.oauth2_validators.OAuth2Validator",
    "OAUTH2_BACKEND_CLASS": "oauth2_provider.oauth2_backends.OAuthLibCore",
    "EXTRA_SERVER_KWARGS": {},  # passed to the server class
    "ALWAYS_RELOAD_OAUTHLIB_CORE": False,  # accepted, without effect: nothing is cached
    # -- scopes
    "SCOPES": {"read": "Reading scope", "write": "Writing scope"},  # scope -> its meaning for people
    "DEFAULT_SCOPES": ["__all__"],
    "SCOPES_BACKEND_CLASS": "oauth2_provider.scopes.SettingsScopes",
    "READ_SCOPE": "read",
    "WRITE_SCOPE": "write",
    "_SCOPES": [],  # computed: the names of SCOPES
    "_DEFAULT_SCOPES": [],  # computed
    # -- models and admin
    "APPLICATION_MODEL": APPLICATION_MODEL,
    "ACCESS_TOKEN_MODEL": ACCESS_TOKEN_MODEL,
    "ID_TOKEN_MODEL": ID_TOKEN_MODEL,
    "GRANT_MODEL": GRANT_MODEL,
    "REFRESH_TOKEN_MODEL": REFRESH_TOKEN_MODEL,
    "DEVICE_GRANT_MODEL": DEVICE_GRANT_MODEL,
    "PAR_REQUEST_MODEL": PAR_REQUEST_MODEL,
    "APPLICATION_ADMIN_CLASS": "oauth2_provider.admin.ApplicationAdmin",
    "ACCESS_TOKEN_ADMIN_CLASS": "oauth2_provider.admin.AccessTokenAdmin",
    "GRANT_ADMIN_CLASS": "oauth2_provider.admin.GrantAdmin",
    "ID_TOKEN_ADMIN_CLASS": "oauth2_provider.admin.IDTokenAdmin",
    "REFRESH_TOKEN_ADMIN_CLASS": "oauth2_provider.admin.RefreshTokenAdmin",
    # -- clear_expired()
    "CLEAR_EXPIRED_TOKENS_BATCH_SIZE": 10000,  # rows a window
    "CLEAR_EXPIRED_TOKENS_BATCH_INTERVAL": 0,  # seconds between windows
    # -- clients
    "CLIENT_ID_GENERATOR_CLASS": "oauth2_provider.generators.ClientIdGenerator",
    "CLIENT_SECRET_GENERATOR_CLASS": "oauth2_provider.generators.ClientSecretGenerator",
    "CLIENT_SECRET_GENERATOR_LENGTH": 128,  # characters
    "CLIENT_SECRET_HASHER": "default",  # a name in PASSWORD_HASHERS; "default" stores generated secrets fast
    # -- tokens and codes
    "ACCESS_TOKEN_GENERATOR": None,  # callable(request) -> str
    "REFRESH_TOKEN_GENERATOR": None,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ACCESS_TOKEN_EXPIRE_SECONDS": 36000,  # or a timedelta, or a callable(request), or its dotted path
    "ID_TOKEN_EXPIRE_SECONDS": 36000,
    "REFRESH_TOKEN_EXPIRE_SECONDS": None,  # counted from the access token's expiry; None or 0: never
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "REFRESH_TOKEN_REUSE_PROTECTION": False,
    "ROTATE_REFRESH_TOKEN": True,
    "ERROR_RESPONSE_WITH_SCOPES": False,
    # -- authorization requests
    "REQUEST_APPROVAL_PROMPT": "force",  # "auto" skips the form when a live token covers the scopes
    "PKCE_REQUIRED": True,  # or a callable(client_id)
    "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    "ALLOWED_SCHEMES": ["https"],  # of origins (CORS)
    "ALLOW_URI_WILDCARDS": False,
    "ALLOW_LOCALHOST_LOOPBACK": False,
    "REDIRECT_URI_VALIDATOR": "oauth2_provider.validators.redirect_uri_validator",  # callable(application)
    "ALLOWED_ORIGIN_VALIDATOR": "oauth2_provider.validators.allowed_origin_validator",
    "REQUIRE_FORM_ENCODED_REQUEST_BODY": False,
    # endpoint ("token", "revoke", "introspect", "device", "par", "register", "cimd") -> "60/minute", of one client and
    # address; "user_code": wrong codes of one user, "10/hour" unless it is named here
    "THROTTLE_RATES": {},
    # -- device flow (RFC 8628)
    "OAUTH_DEVICE_VERIFICATION_URI": None,  # a URI or path; None: the page `device` of this site
    "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": None,  # a URI with {user_code} in it, or a callable(user_code)
    "OAUTH_DEVICE_USER_CODE_GENERATOR": "oauth2_provider.utils.user_code_generator",
    "OAUTH_PRE_TOKEN_VALIDATION": ["oauth2_provider.utils.set_oauthlib_user_to_device_request_user"],
    "DEVICE_FLOW_INTERVAL": 5,  # seconds between two polls
    "DEVICE_CODE_EXPIRE_SECONDS": 1800,
    # -- grants of the site's own (RFC 6749 section 4.5): subclasses of extension_grants.ExtensionGrant
    "EXTENSION_GRANTS": [],
    # -- RFC 9700: gates of behaviour, then gates of how severe a check is
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": False,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": False,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": False,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": False,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": False,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": False,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": False,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": False,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": False,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": False,
    # -- dynamic client registration (RFC 7591, 7592)
    "DCR_ENABLED": False,
    "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.IsAuthenticatedDCRPermission",),
    "DCR_REGISTRATION_SCOPE": "oauth2_provider:registration",
    "DCR_REGISTRATION_TOKEN_EXPIRE_SECONDS": 31536000,  # a year; None: in the year 9999
    "DCR_ROTATE_REGISTRATION_TOKEN_ON_UPDATE": True,
    "DCR_ROTATE_CLIENT_SECRET_ON_UPDATE": False,
    # -- client ID metadata documents
    "CIMD_ENABLED": False,
    "CIMD_METADATA_FETCHER": "oauth2_provider.cimd.SafeMetadataFetcher",
    "CIMD_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.cimd.AllowAllCIMDPermission",),
    "CIMD_ALLOWED_HOSTS": [],
    "CIMD_FETCH_TIMEOUT_SECONDS": 5,
    "CIMD_MAX_DOCUMENT_SIZE": 16384,  # bytes
    "CIMD_METADATA_MIN_AGE_SECONDS": 300,
    "CIMD_METADATA_MAX_AGE_SECONDS": 86400,
    "CIMD_FAILURE_BACKOFF_SECONDS": 60,
    "CIMD_MAX_CONCURRENT_FETCHES": 10,
    # -- JWT client authentication (RFC 7523)
    "CLIENT_ASSERTION_LEEWAY": 60,  # seconds
    "CLIENT_ASSERTION_MAX_LIFETIME": 300,  # seconds
    "CLIENT_ASSERTION_ACCEPTED_AUDIENCES": None,  # values of aud; None: the issuer and the endpoints of this server
    "CLIENT_ASSERTION_PRIVATE_KEY_JWT_ALGS": [
        f"{family}{bits}" for family in ("RS", "ES", "PS") for bits in (256, 384, 512)
    ],
    "CLIENT_ASSERTION_CLIENT_SECRET_JWT_ALGS": ["HS256", "HS384", "HS512"],
    "CLIENT_ASSERTION_JWKS_FETCHER": "oauth2_provider.safe_fetch.SafeFetcher",
    "CLIENT_ASSERTION_JWKS_CACHE_TIMEOUT": 3600,  # seconds
    "CLIENT_ASSERTION_JWKS_FETCH_TIMEOUT_SECONDS": 5,
    "CLIENT_ASSERTION_JWKS_MAX_SIZE": 65536,  # bytes
    "CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS": 60,
    # -- pushed authorization requests (RFC 9126)
    "PAR_ENABLED": True,
    "PAR_REQUEST_URI_LIFETIME_SECONDS": 60,
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": False,
    # -- server metadata (RFC 8414)
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code", "token"],
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_post", "client_secret_basic"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": [
        "authorization_code",
        "implicit",
        "password",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    # -- OpenID Connect
    "OIDC_ENABLED": False,
    "OIDC_ISS_ENDPOINT": "",  # the issuer; empty: taken from the request
    "OIDC_USERINFO_ENDPOINT": "",
    "OIDC_USERINFO_CORS_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": "",  # PEM
    "OIDC_RSA_PRIVATE_KEYS_INACTIVE": [],  # PEM; still published, no longer signed with
    "OIDC_JWKS_MAX_AGE_SECONDS": 3600,
    "OIDC_RESPONSE_TYPES_SUPPORTED": [
        "code",
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "code id_token token",
    ],
    "OIDC_SUBJECT_TYPES_SUPPORTED": ["public"],  # "pairwise" as well, with a salt
    "OIDC_PAIRWISE_SUBJECT_SALT": "",  # secret; changing it changes every pairwise subject
    "OIDC_ACR_VALUES_SUPPORTED": [],  # what the site's logins may set as the session's acr
    "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["client_secret_post", "client_secret_basic"],
    "OIDC_RP_INITIATED_REGISTRATION_ENABLED": False,
    "OIDC_RP_INITIATED_REGISTRATION_URL": None,
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": False,
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": True,
    "OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS": False,
    "OIDC_RP_INITIATED_LOGOUT_ACCEPT_EXPIRED_TOKENS": True,
    "OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS": True,
    # -- resource server
    "RESOURCE_SERVER_INTROSPECTION_URL": None,
    "RESOURCE_SERVER_AUTH_TOKEN": None,
    "RESOURCE_SERVER_INTROSPECTION_CREDENTIALS": None,  # (client_id, client_secret)
    "RESOURCE_SERVER_INTROSPECTION_TIMEOUT_SECONDS": 5,
    "RESOURCE_SERVER_INTROSPECTION_JWT_CLIENT_ID": None,
    "RESOURCE_SERVER_INTROSPECTION_JWT_PRIVATE_KEY": None,
    "RESOURCE_SERVER_INTROSPECTION_JWT_ALG": None,
    "RESOURCE_SERVER_INTROSPECTION_JWT_AUDIENCE": None,
    "RESOURCE_SERVER_INTROSPECTION_JWT_KID": None,
    "RESOURCE_SERVER_INTROSPECTION_JWT_LIFETIME": 60,  # seconds
    "RESOURCE_SERVER_TOKEN_CACHING_SECONDS": 36000,
    "RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR": (
        "oauth2_provider.oauth2_validators.validate_resource_as_url_prefix"
    ),
    "AUTHENTICATION_SERVER_EXP_TIME_ZONE": "UTC",
    "OAUTH2_PROTECTED_RESOURCE_IDENTIFIER": "",
    "OAUTH2_PROTECTED_RESOURCE_AUTHORIZATION_SERVERS": [],
    "OAUTH2_PROTECTED_RESOURCE_BEARER_METHODS_SUPPORTED": ["header"],
    "OAUTH2_PROTECTED_RESOURCE_NAME": "",
    "OAUTH2_PROTECTED_RESOURCE_DOCUMENTATION": "",
    "OAUTH2_PROTECTED_RESOURCE_POLICY_URI": "",
    "OAUTH2_PROTECTED_RESOURCE_TOS_URI": "",
}

MANDATORY = (
    "CLIENT_ID_GENERATOR_CLASS",
    "CLIENT_SECRET_GENERATOR_CLASS",
    "OAUTH2_SERVER_CLASS",
    "OAUTH2_VALIDATOR_CLASS",
    "OAUTH2_BACKEND_CLASS",
    "SCOPES",
    "ALLOWED_REDIRECT_URI_SCHEMES",
    "REDIRECT_URI_VALIDATOR",
    "ALLOWED_ORIGIN_VALIDATOR",
    "OIDC_RESPONSE_TYPES_SUPPORTED",
    "OIDC_SUBJECT_TYPES_SUPPORTED",
    "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED",
)
"""Settings that must not be empty."""

IMPORT_STRINGS = (
    "CLIENT_ID_GENERATOR_CLASS",
    "CLIENT_SECRET_GENERATOR_CLASS",
    "ACCESS_TOKEN_GENERATOR",
    "REFRESH_TOKEN_GENERATOR",
    "OAUTH2_SERVER_CLASS",
    "OIDC_SERVER_CLASS",
    "OAUTH2_VALIDATOR_CLASS",
    "OAUTH2_BACKEND_CLASS",
    "OAUTH_DEVICE_USER_CODE_GENERATOR",
    "OAUTH_PRE_TOKEN_VALIDATION",
    "EXTENSION_GRANTS",
    "CLIENT_ASSERTION_JWKS_FETCHER",
    "SCOPES_BACKEND_CLASS",
    "APPLICATION_ADMIN_CLASS",
    "ACCESS_TOKEN_ADMIN_CLASS",
    "GRANT_ADMIN_CLASS",
    "ID_TOKEN_ADMIN_CLASS",
    "REFRESH_TOKEN_ADMIN_CLASS",
    "REDIRECT_URI_VALIDATOR",
    "ALLOWED_ORIGIN_VALIDATOR",
    "DCR_REGISTRATION_PERMISSION_CLASSES",
    "RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR",
    "CIMD_METADATA_FETCHER",
    "CIMD_REGISTRATION_PERMISSION_CLASSES",
)
"""Settings that may name what they mean by a dotted path, alone or in a list."""

DEPRECATED_SETTINGS = {
    "AUTHENTICATION_SERVER_EXP_TIME_ZONE": (
        "OAUTH2_PROVIDER['AUTHENTICATION_SERVER_EXP_TIME_ZONE'] is deprecated: `exp` is a Unix timestamp "
        "(RFC 7662 section 2.2). Remove the setting once the authorization server sends one."
    ),
}


def perform_import(val: Any, setting_name: str) -> Any:
    """Return `val` with every dotted path in it imported; lists and tuples keep their type."""
    if isinstance(val, str):
        return import_from_string(val, setting_name)
    if isinstance(val, (list, tuple)):
        return type(val)(perform_import(item, setting_name) for item in val)
    return val


def import_from_string(val: str, setting_name: str) -> Any:
    """Import a dotted path; an ImportError names the setting that holds it."""
    try:
        return import_string(val)
    except ImportError as exc:
        raise ImportError(
            f"Could not import {val!r} for setting {setting_name!r}. {type(exc).__name__}: {exc}."
        ) from exc


class OAuth2ProviderSettings:
    """The settings as attributes: the site's value, else the default; dotted paths imported.

    Raises AttributeError for an unknown name or an empty mandatory value.
    """

    def __init__(
        self,
        user_settings: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        import_strings: Iterable[str] | None = None,
        mandatory: Iterable[str] | None = None,
    ) -> None:
        self._user_settings = user_settings
        self.defaults = defaults or DEFAULTS
        self.import_strings = tuple(import_strings or IMPORT_STRINGS)
        self.mandatory = tuple(mandatory or ())
        self._read: dict[str, Any] = {}
        self._read_from: Mapping[str, Any] | None = None
        self._warned: set[str] = set()

    @property
    def user_settings(self) -> Mapping[str, Any]:
        if self._user_settings is not None:
            return self._user_settings
        user_settings = getattr(settings, "OAUTH2_PROVIDER", None) or {}
        self._warn_deprecated_settings(user_settings)
        return user_settings

    def __getattr__(self, attr: str) -> Any:
        """Return what was read of the dict that is the Django setting now; a request asks some twenty times."""
        if attr.startswith("__") or attr not in self.defaults:
            raise AttributeError(f"Invalid OAUTH2_PROVIDER setting: {attr}")
        current = getattr(settings, "OAUTH2_PROVIDER", None)
        if current is not self._read_from:
            self._read, self._read_from = {}, current
        read = self._read
        return read[attr] if attr in read else self._value(attr)

    def _value(self, attr: str) -> Any:
        if attr == "_SCOPES":
            return list(self.SCOPES)
        if attr == "_DEFAULT_SCOPES":
            return self._default_scopes()
        value = self.user_settings.get(attr, self.defaults[attr])
        if value and attr in self.import_strings:
            value = perform_import(value, attr)
        self.validate_setting(attr, value)
        self._read[attr] = value
        return value

    def _default_scopes(self) -> list[str]:
        default_scopes = list(self.DEFAULT_SCOPES)
        if "__all__" in default_scopes:
            return list(self.SCOPES)
        unknown = [scope for scope in default_scopes if scope not in self.SCOPES]
        if unknown:
            raise ImproperlyConfigured(f"DEFAULT_SCOPES names scopes that SCOPES does not: {unknown}")
        return default_scopes

    def validate_setting(self, attr: str, val: Any) -> None:
        if not val and attr in self.mandatory:
            raise AttributeError(f"OAUTH2_PROVIDER setting {attr} is mandatory")

    def _warn_deprecated_settings(self, user_settings: Mapping[str, Any]) -> None:
        for name in DEPRECATED_SETTINGS.keys() & user_settings.keys() - self._warned:
            self._warned.add(name)
            warnings.warn(DEPRECATED_SETTINGS[name], DeprecationWarning, stacklevel=4)

    def reload(self) -> None:
        """Forget what was read; the next access reads the Django setting again, even if it is the same dict."""
        self._read = {}
        self._warned.clear()

    @property
    def server_kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments of the oauthlib server."""
        return {
            "token_expires_in": self.access_token_expires_in,
            "refresh_expires_in": self.REFRESH_TOKEN_EXPIRE_SECONDS,
            "token_generator": self.ACCESS_TOKEN_GENERATOR,
            "refresh_token_generator": self.REFRESH_TOKEN_GENERATOR,
            **self.EXTRA_SERVER_KWARGS,
        }

    def access_token_expires_in(self, request: Any = None) -> int:
        """Return the lifetime of an access token in seconds.

        ACCESS_TOKEN_EXPIRE_SECONDS may be a number, a timedelta, a callable of the oauthlib request that
        returns either, or the dotted path of such a callable.
        """
        lifetime = self.ACCESS_TOKEN_EXPIRE_SECONDS
        if isinstance(lifetime, str):
            lifetime = import_from_string(lifetime, "ACCESS_TOKEN_EXPIRE_SECONDS")
        if callable(lifetime):
            lifetime = lifetime(request)
        if isinstance(lifetime, timedelta):
            lifetime = lifetime.total_seconds()
        return int(lifetime)

    def oidc_issuer(self, request: Any) -> str:
        """Return the issuer: OIDC_ISS_ENDPOINT, else where this request finds the provider.

        `request` is an HttpRequest, or an oauthlib request that carries one as `django_request`.
        """
        if self.OIDC_ISS_ENDPOINT:
            return str(self.OIDC_ISS_ENDPOINT)
        suffix = "/.well-known/openid-configuration"
        url = _http_request(request).build_absolute_uri(
            path_of("oauth2_provider:oidc-connect-discovery-info")
        )
        return url.removesuffix("/").removesuffix(suffix)

    def oauth2_metadata_issuer(self, request: Any) -> str:
        """Return the issuer of the RFC 8414 document.

        OIDC_ISS_ENDPOINT, else the URL this document was asked for without its well-known part (section 3.1).
        """
        if self.OIDC_ISS_ENDPOINT:
            return str(self.OIDC_ISS_ENDPOINT)
        http_request = _http_request(request)
        head, _, path = http_request.path.partition("/.well-known/oauth-authorization-server")
        return http_request.build_absolute_uri((head + path).rstrip("/") or "/").rstrip("/")

    def oauth2_authorization_server_issuer(self, request: Any) -> str:
        """Return the `iss` of authorization responses (RFC 9207 section 2): what the metadata says."""
        if self.OIDC_ENABLED or self.OIDC_ISS_ENDPOINT:
            return self.oidc_issuer(request)
        suffix = "/.well-known/oauth-authorization-server"
        url = _http_request(request).build_absolute_uri(path_of("oauth2_provider:oauth-server-metadata"))
        return url.removesuffix(suffix)

    def oauth2_resource_identifier(self, request: Any) -> str:
        """Return the resource identifier (RFC 9728 section 1.2): the setting, else scheme and host."""
        if self.OAUTH2_PROTECTED_RESOURCE_IDENTIFIER:
            return str(self.OAUTH2_PROTECTED_RESOURCE_IDENTIFIER)
        return _http_request(request).build_absolute_uri("/").rstrip("/")

    def oauth2_resource_authorization_servers(self, request: Any) -> list[str]:
        """Return the issuers that this resource trusts: the setting, else this server."""
        servers = self.OAUTH2_PROTECTED_RESOURCE_AUTHORIZATION_SERVERS
        return list(servers) if servers else [self.oauth2_authorization_server_issuer(request)]

    def oauth2_resource_metadata_url(self, request: Any) -> str:
        """Return where the RFC 9728 document of this resource is: in the path form where its identifier has a path."""
        path = urlsplit(self.oauth2_resource_identifier(request)).path.strip("/")
        url = (
            reverse("oauth2_provider:oauth-resource-metadata-path", args=[unquote(path)])
            if path
            else path_of("oauth2_provider:oauth-resource-metadata")
        )
        return _http_request(request).build_absolute_uri(url)


def _http_request(request: Any) -> HttpRequest:
    if isinstance(request, HttpRequest):
        return request
    return request.django_request


oauth2_settings = OAuth2ProviderSettings(None, DEFAULTS, IMPORT_STRINGS, MANDATORY)


def reload_oauth2_settings(*args: Any, **kwargs: Any) -> None:
    """Receive `setting_changed`."""
    if kwargs["setting"] == "OAUTH2_PROVIDER":
        oauth2_settings.reload()


setting_changed.connect(reload_oauth2_settings)
