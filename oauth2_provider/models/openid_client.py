"""What a client is in OpenID Connect: how its ID tokens are signed, and which subject it sees.

OpenID Connect Core 1.0 sections 8 and 10.1.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from jwcrypto import jwk
from jwcrypto.common import base64url_encode

from ..hashers import is_hashed_secret
from ..settings import oauth2_settings
from ..utils import jwk_from_pem
from .signing_key import SigningKey

HS256_MINIMUM_BYTES = 32


class OpenIDClient(models.Model):
    """The part of an application that is an OpenID Connect relying party."""

    NO_ALGORITHM = ""
    RS256_ALGORITHM = "RS256"
    HS256_ALGORITHM = "HS256"
    ES256_ALGORITHM = "ES256"
    EDDSA_ALGORITHM = "EdDSA"
    ALGORITHM_TYPES = (
        (NO_ALGORITHM, _("No OIDC support")),
        (RS256_ALGORITHM, _("RSA with SHA-2 256")),
        (HS256_ALGORITHM, _("HMAC with SHA-2 256")),
        (ES256_ALGORITHM, _("ECDSA with P-256 and SHA-2 256")),
        (EDDSA_ALGORITHM, _("EdDSA with Ed25519")),
    )

    class SubjectType(models.TextChoices):
        """Whether clients see one identifier of a user, or each its own (section 8)."""

        PUBLIC = "public", _("Public: every client sees the same identifier")
        PAIRWISE = "pairwise", _("Pairwise: each sector sees an identifier of its own")

    algorithm = models.CharField(
        _("algorithm"), max_length=5, choices=ALGORITHM_TYPES, default=NO_ALGORITHM, blank=True
    )
    subject_type = models.CharField(
        _("subject type"),
        max_length=8,
        choices=SubjectType.choices,
        default=SubjectType.PUBLIC,
        db_default=SubjectType.PUBLIC.value,
    )
    sector_identifier_uri = models.TextField(
        _("sector identifier URI"),
        blank=True,
        null=True,
        default=None,
        help_text=_("Its host is the sector of a pairwise subject; empty: the host of the redirect URIs"),
    )

    class Meta:
        abstract = True

    @property
    def sector_identifier(self) -> str:
        """The sector that a pairwise subject is for: a host name (section 8.1).

        Raises ImproperlyConfigured where the redirect URIs have several hosts and no sector_identifier_uri says which.
        """
        if self.sector_identifier_uri:
            return urlsplit(self.sector_identifier_uri).hostname or ""
        hosts = {urlsplit(uri).hostname or uri for uri in self.redirect_uris.split()}  # type: ignore[attr-defined]
        if len(hosts) != 1:
            raise ImproperlyConfigured("Redirect URIs of several hosts need a sector_identifier_uri")
        return hosts.pop()

    @property
    def jwk_key(self) -> jwk.JWK:
        """The key that signs this application's ID tokens; ImproperlyConfigured where there is none."""
        if self.algorithm == self.NO_ALGORITHM:
            raise ImproperlyConfigured("The application has no algorithm to sign ID tokens with")
        if self.algorithm == self.HS256_ALGORITHM:
            return self._symmetric_key()
        return active_key(self.algorithm)

    def get_client_secret_hmac_jwk(self) -> jwk.JWK:
        """Return the client secret as a symmetric key. Raises ImproperlyConfigured for a hashed secret."""
        if self._client_secret_is_hashed(self.client_secret):  # type: ignore[attr-defined]
            raise ImproperlyConfigured("A hashed client secret cannot be used as a key")
        return jwk.JWK(kty="oct", k=base64url_encode(self.client_secret))  # type: ignore[attr-defined]

    def _symmetric_key(self) -> jwk.JWK:
        key = self.get_client_secret_hmac_jwk()
        if not self.has_long_secret:
            raise ImproperlyConfigured(
                f"HS256 needs a client secret of at least {HS256_MINIMUM_BYTES} bytes: give the client another"
            )
        return key

    @property
    def has_long_secret(self) -> bool:
        """Whether the client secret has the entropy of an HS256 key (Core 1.0 section 16.19, RFC 7518 section 3.2)."""
        return len(self.client_secret.encode()) >= HS256_MINIMUM_BYTES  # type: ignore[attr-defined]

    @staticmethod
    def _client_secret_is_hashed(client_secret: str) -> bool:
        return is_hashed_secret(client_secret)

    def _clean_algorithm(self) -> None:
        if self.algorithm == self.HS256_ALGORITHM:
            self._clean_symmetric()
        elif self.algorithm != self.NO_ALGORITHM:
            try:
                active_key(self.algorithm)
            except ImproperlyConfigured as error:
                raise ValidationError(str(error)) from error

    def _clean_symmetric(self) -> None:
        is_public = self.client_type == self.CLIENT_PUBLIC  # type: ignore[attr-defined]
        if is_public or self.allows_grant_type(self.GRANT_IMPLICIT, self.GRANT_OPENID_HYBRID):  # type: ignore[attr-defined]
            raise ValidationError(
                _(
                    "HS256 signs with the client secret, which no public client, implicit or hybrid flow can keep"
                )
            )
        if self.hash_client_secret:  # type: ignore[attr-defined]
            raise ValidationError(_("HS256 signs with the client secret: it must not be hashed"))
        if not self.has_long_secret:
            raise ValidationError(
                _("HS256 needs a client secret of at least 32 bytes (RFC 7518 section 3.2)")
            )

    def _clean_subject(self) -> None:
        if self.subject_type != self.SubjectType.PAIRWISE:
            return
        if not oauth2_settings.OIDC_PAIRWISE_SUBJECT_SALT:
            raise ValidationError(_("Pairwise subjects need the setting OIDC_PAIRWISE_SUBJECT_SALT"))
        uri = self.sector_identifier_uri
        if uri and not (urlsplit(uri).scheme == "https" and urlsplit(uri).hostname):
            raise ValidationError({"sector_identifier_uri": _("It must be an https URI")})
        try:
            self.sector_identifier  # noqa: B018 - raises
        except ImproperlyConfigured as error:
            raise ValidationError({"sector_identifier_uri": str(error)}) from error


def active_key(algorithm: str) -> jwk.JWK:
    """Return the key that signs with `algorithm`: of the settings for RS256, else the active SigningKey.

    Raises ImproperlyConfigured where there is none.
    """
    if algorithm == OpenIDClient.RS256_ALGORITHM and oauth2_settings.OIDC_RSA_PRIVATE_KEY:
        return jwk_from_pem(oauth2_settings.OIDC_RSA_PRIVATE_KEY)
    key = SigningKey.objects.active(algorithm).first()
    if key is not None:
        return key.jwk
    hint = ", or set OIDC_RSA_PRIVATE_KEY" if algorithm == OpenIDClient.RS256_ALGORITHM else ""
    raise ImproperlyConfigured(f"{algorithm} needs a key: run `manage.py createsigningkey {algorithm}`{hint}")
