"""Keys that sign ID tokens, beside those in the settings (OpenID Connect Core 1.0 section 10.1, RFC 7517)."""

from __future__ import annotations

import functools
import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from jwcrypto import jwe, jwk
from jwcrypto.common import JWException, base64url_encode

KINDS: dict[str, dict[str, Any]] = {
    "RS256": {"kty": "RSA", "size": 2048},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}
"""Algorithm -> the key it takes (RFC 7518 section 3.1, RFC 8037 section 3.1)."""


class SigningKeyQuerySet(models.QuerySet):
    """Keys by their place in a rotation."""

    def generate(self, algorithm: str) -> Any:
        """Make a key for `algorithm`, one of KINDS, and store it as the next."""
        key = jwk.JWK.generate(**KINDS[algorithm])
        return self.create(kid=key.thumbprint(), algorithm=algorithm, encrypted=_encrypt(key))

    def next(self, algorithm: str) -> SigningKeyQuerySet:
        """Return the keys that are published and do not sign yet, oldest first."""
        return self.filter(algorithm=algorithm, activated__isnull=True).order_by("pk")

    def active(self, algorithm: str) -> SigningKeyQuerySet:
        """Return the key that signs: there is one at most."""
        return self.filter(algorithm=algorithm, activated__isnull=False, retired__isnull=True).order_by("pk")


class SigningKey(models.Model):
    """A private key: next, then active, then retired.

    `encrypted` is the key as a JWE under SECRET_KEY; `kid` its RFC 7638 thumbprint.
    """

    kid = models.CharField(_("key ID"), max_length=64, unique=True)
    algorithm = models.CharField(_("algorithm"), max_length=5)
    encrypted = models.TextField(_("encrypted key"))
    created = models.DateTimeField(_("created"), auto_now_add=True)
    activated = models.DateTimeField(_("activated"), null=True, blank=True, default=None)
    retired = models.DateTimeField(_("retired"), null=True, blank=True, default=None)
    signs = models.GeneratedField(
        expression=Case(
            When(activated__isnull=False, retired__isnull=True, then=F("algorithm")), default=Value(None)
        ),
        output_field=models.CharField(_("signs"), max_length=5, null=True),
        db_persist=True,
        unique=True,
    )
    """The algorithm while the key is the active one, else NULL: unique, so that of runs that race one key signs."""

    objects: Any = SigningKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        constraints = [
            models.CheckConstraint(
                condition=Q(retired__isnull=True) | Q(activated__isnull=False),
                name="oauth2_provider_signingkey_active_before_retired",
            )
        ]

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid}"

    @property
    def jwk(self) -> jwk.JWK:
        """The key. Raises ImproperlyConfigured where SECRET_KEY is not the one it was stored under."""
        return _decrypt(self.encrypted, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))

    @property
    def state(self) -> str:
        """Its place in a rotation: next, active or retired."""
        if self.retired is not None:
            return "retired"
        return "active" if self.activated is not None else "next"


def _encrypt(key: jwk.JWK) -> str:
    header = json.dumps({"alg": "dir", "enc": "A256GCM"})
    token = jwe.JWE(key.export_private(), protected=header)
    token.add_recipient(_wrapping_key(settings.SECRET_KEY))
    return str(token.serialize(compact=True))


@functools.lru_cache
def _decrypt(encrypted: str, secrets: tuple[str, ...]) -> jwk.JWK:
    """Return the key; cached, because decrypting and parsing cost more than signing."""
    for secret in secrets:
        token = jwe.JWE()
        try:
            token.deserialize(encrypted, key=_wrapping_key(secret))
        except JWException:
            continue
        return jwk.JWK.from_json(token.payload)
    raise ImproperlyConfigured(
        "A signing key cannot be read: SECRET_KEY has changed. Put the old one into SECRET_KEY_FALLBACKS."
    )


def _wrapping_key(secret: str) -> jwk.JWK:
    digest = salted_hmac("oauth2_provider.models.signing_key", "", secret=secret, algorithm="sha256").digest()
    return jwk.JWK(kty="oct", k=base64url_encode(digest))
