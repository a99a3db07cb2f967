"""The client (RFC 6749 section 2) as a row: Application."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from jwcrypto import jwk

from ..generators import generate_client_id, generate_client_secret
from ..settings import oauth2_settings
from .fields import ClientSecretField
from .openid_client import OpenIDClient
from .registered_client import RegisteredClient
from .uris import is_origin_allowed, redirect_to_uri_allowed

USE_RESOLUTION = timedelta(hours=1)
"""How coarse `Application.last_used` is: an application in constant use costs one UPDATE in this time."""


class AbstractApplication(OpenIDClient, RegisteredClient):
    """A client. Subclass it for a model of your own (OAUTH2_PROVIDER_APPLICATION_MODEL)."""

    CLIENT_CONFIDENTIAL = "confidential"
    CLIENT_PUBLIC = "public"
    CLIENT_TYPES = (
        (CLIENT_CONFIDENTIAL, _("Confidential")),
        (CLIENT_PUBLIC, _("Public")),
    )

    GRANT_AUTHORIZATION_CODE = "authorization-code"
    GRANT_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    GRANT_IMPLICIT = "implicit"
    GRANT_PASSWORD = "password"
    GRANT_CLIENT_CREDENTIALS = "client-credentials"
    GRANT_OPENID_HYBRID = "openid-hybrid"
    GRANT_TYPES = (
        (GRANT_AUTHORIZATION_CODE, _("Authorization code")),
        (GRANT_DEVICE_CODE, _("Device Code")),
        (GRANT_IMPLICIT, _("Implicit")),
        (GRANT_PASSWORD, _("Resource owner password-based")),
        (GRANT_CLIENT_CREDENTIALS, _("Client credentials")),
        (GRANT_OPENID_HYBRID, _("OpenID connect hybrid")),
    )

    class RegistrationSource(models.TextChoices):
        """Who registered the application."""

        MANUAL = "manual", _("Manual")
        DCR = "dcr", _("Dynamic Client Registration")
        CIMD = "cimd", _("Client ID Metadata Document")

    class TokenEndpointAuthMethod(models.TextChoices):
        """How the client authenticates at the token endpoint (RFC 7591 section 2); empty: any it can."""

        ANY = "", _("Any supported method")
        NONE = "none", _("None (public client)")
        CLIENT_SECRET_BASIC = "client_secret_basic", _("Client secret, HTTP Basic")
        CLIENT_SECRET_POST = "client_secret_post", _("Client secret, request body")
        CLIENT_SECRET_JWT = "client_secret_jwt", _("JWT signed with the client secret")
        PRIVATE_KEY_JWT = "private_key_jwt", _("JWT signed with a private key")

    id = models.BigAutoField(primary_key=True)
    client_id = models.CharField(
        _("client ID"), max_length=255, unique=True, default=generate_client_id, db_index=True
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        related_name="%(app_label)s_%(class)s",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
    )
    redirect_uris = models.TextField(
        _("redirect URIs"), blank=True, help_text=_("Allowed URIs list, space separated")
    )
    post_logout_redirect_uris = models.TextField(
        _("post logout redirect URIs"),
        blank=True,
        default="",
        help_text=_("Allowed Post Logout URIs list, space separated"),
    )
    client_type = models.CharField(_("client type"), max_length=32, choices=CLIENT_TYPES)
    authorization_grant_type = models.CharField(
        _("authorization grant type"), max_length=44, choices=GRANT_TYPES
    )
    client_secret = ClientSecretField(
        _("client secret"),
        max_length=255,
        blank=True,
        default=generate_client_secret,
        db_index=True,
        help_text=_("Client secret for authentication"),
    )
    hash_client_secret = models.BooleanField(_("hash client secret"), default=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    skip_authorization = models.BooleanField(_("skip authorization"), default=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    allowed_origins = models.TextField(
        _("allowed origins"),
        blank=True,
        default="",
        help_text=_("Allowed origins list to enable CORS, space separated"),
    )
    registration_source = models.CharField(
        _("registration source"),
        max_length=32,
        choices=RegistrationSource.choices,
        default=RegistrationSource.MANUAL,
        help_text=_("How this application was registered (manual, DCR per RFC 7591, or CIMD)"),
    )
    cimd_expires_at = models.DateTimeField(
        _("CIMD expires at"),
        null=True,
        blank=True,
        default=None,
        help_text=_("When the cached Client ID Metadata Document should be re-fetched"),
    )
    client_jwks = models.TextField(
        _("client JWKS"), blank=True, default="", help_text=_("Public keys of the client, as a JWK Set")
    )
    client_jwks_uri = models.CharField(
        _("client JWKS URI"),
        max_length=500,
        blank=True,
        default="",
        help_text=_("Where the public keys of the client are"),
    )
    token_endpoint_auth_method = models.CharField(
        _("token endpoint authentication method"),
        max_length=32,
        choices=TokenEndpointAuthMethod.choices,
        default=TokenEndpointAuthMethod.ANY,
        blank=True,
    )
    require_pushed_authorization_requests = models.BooleanField(
        _("require pushed authorization requests"),
        null=True,
        blank=True,
        default=None,
        help_text=_("Unknown follows REQUIRE_PUSHED_AUTHORIZATION_REQUESTS"),
    )
    last_used = models.DateTimeField(
        _("last used"),
        null=True,
        blank=True,
        default=None,
        editable=False,
        help_text=_("When the application last got a token, to the hour"),
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name or self.client_id

    def get_absolute_url(self) -> str:
        return reverse("oauth2_provider:detail", args=[str(self.pk)])

    @property
    def default_redirect_uri(self) -> str:
        """The only registered redirect URI. Raises ImproperlyConfigured where there is none, or several.

        A request must then name one (RFC 6749 section 3.1.2.3).
        """
        uris = self.redirect_uris.split()
        if not uris:
            raise ImproperlyConfigured(
                "A redirect URI is required: the application registers none. Set its redirect_uris."
            )
        if len(uris) > 1:
            raise ImproperlyConfigured(
                "The application registers several redirect URIs: none is the default."
            )
        return uris[0]

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Tell whether `uri` is a registered redirect URI (RFC 6749 section 3.1.2.3)."""
        return redirect_to_uri_allowed(uri, self.redirect_uris.split())

    def post_logout_redirect_uri_allowed(self, uri: str) -> bool:
        """Tell whether `uri` is registered (OpenID Connect RP-Initiated Logout 1.0 section 3)."""
        return redirect_to_uri_allowed(uri, self.post_logout_redirect_uris.split())

    def origin_allowed(self, origin: str) -> bool:
        """Tell whether scripts of `origin` may call on behalf of this client."""
        return bool(self.allowed_origins) and is_origin_allowed(origin, self.allowed_origins.split())

    def is_usable(self, request: Any) -> bool:
        """Tell whether the application may be used at all. Override it to bar applications."""
        return True

    def mark_used(self, now: datetime) -> None:
        """Note that the application got a token at `now`; at most one UPDATE in USE_RESOLUTION.

        The row is what counts: this instance stays as it was read, so that a transaction can be run again.
        """
        if self.is_marked_used(now):
            return
        due = Q(last_used__isnull=True) | Q(last_used__lte=now - USE_RESOLUTION)
        type(self)._base_manager.filter(due, pk=self.pk).update(last_used=now)

    def is_marked_used(self, now: datetime) -> bool:
        """Tell whether use at `now` need not be noted: it was, less than USE_RESOLUTION ago."""
        return self.last_used is not None and self.last_used > now - USE_RESOLUTION

    def get_allowed_schemes(self) -> list[str]:
        """Return the schemes that this application's redirect URIs may have."""
        return oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES

    def get_redirect_uri_validator(self) -> Any:
        """Return the validator of one redirect URI, from REDIRECT_URI_VALIDATOR."""
        return oauth2_settings.REDIRECT_URI_VALIDATOR(self)

    def get_allowed_origin_validator(self) -> Any:
        """Return the validator of one origin, from ALLOWED_ORIGIN_VALIDATOR."""
        return oauth2_settings.ALLOWED_ORIGIN_VALIDATOR(self)

    def clean(self) -> None:
        """Validate what fields alone cannot tell. Raises ValidationError."""
        self._clean_grant_types()
        self._clean_redirect_uris()
        self._clean_origins()
        self._clean_algorithm()
        self._clean_subject()
        self._clean_authentication()

    def _clean_redirect_uris(self) -> None:
        needs_redirect = (self.GRANT_AUTHORIZATION_CODE, self.GRANT_IMPLICIT, self.GRANT_OPENID_HYBRID)
        uris = self.redirect_uris.split()
        needing = [kind for kind in needs_redirect if self.allows_grant_type(kind)]
        if not uris and needing:
            raise ValidationError(
                _("At least one redirect URI is needed for the grant type %(grant_type)s"),
                params={"grant_type": needing[0]},
            )
        validate = self.get_redirect_uri_validator()
        for uri in uris:
            validate(uri)

    def _clean_origins(self) -> None:
        validate = self.get_allowed_origin_validator()
        for origin in self.allowed_origins.split():
            validate(origin)

    def _clean_authentication(self) -> None:
        method = self.token_endpoint_auth_method
        methods = self.TokenEndpointAuthMethod
        if method == methods.PRIVATE_KEY_JWT and not (self.client_jwks or self.client_jwks_uri):
            raise ValidationError(_("private_key_jwt needs client_jwks or client_jwks_uri"))
        if method == methods.CLIENT_SECRET_JWT and self.hash_client_secret:
            raise ValidationError(_("client_secret_jwt needs a client secret that is not hashed"))
        if self.client_jwks and self.client_jwks_uri:
            raise ValidationError(_("client_jwks and client_jwks_uri exclude each other"))
        keys = self.get_client_signing_jwks()
        if method == methods.PRIVATE_KEY_JWT and keys is not None and not list(keys):
            raise ValidationError(_("private_key_jwt needs a key, and client_jwks holds none"))

    def get_client_signing_jwks(self) -> jwk.JWKSet | None:
        """Return the client's own public keys (RFC 7523), or None where `client_jwks` is empty."""
        return _parse_jwks(self.client_jwks) if self.client_jwks else None


class ApplicationManager(models.Manager):
    """Adds the natural key."""

    def get_by_natural_key(self, client_id: str) -> Any:
        return self.get(client_id=client_id)


class Application(AbstractApplication):
    """The stock client model."""

    objects = ApplicationManager()

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"

    def natural_key(self) -> tuple[str]:
        return (self.client_id,)


def _parse_jwks(document: str) -> jwk.JWKSet:
    try:
        keys = jwk.JWKSet.from_json(document)
        has_secret_key = any(key.has_private or key.is_symmetric for key in keys)
    except (jwk.InvalidJWKValue, ValueError, TypeError) as exc:
        raise ValidationError(_("client_jwks is not a JWK Set (RFC 7517 section 5)")) from exc
    if has_secret_key:
        raise ValidationError(_("client_jwks must hold public keys only"))
    return keys
