"""The ID token as a row (OpenID Connect Core 1.0 section 2). The JWT itself is not stored."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings
from .validity import Scoped


class AbstractIDToken(Scoped):
    """What is kept of an ID token: its `jti`, whose it is, and its end."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        blank=True,
        null=True,
        related_name="%(app_label)s_%(class)s",
    )
    jti = models.UUIDField(_("JWT Token ID"), unique=True, default=uuid.uuid4, editable=False)
    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL,
        verbose_name=_("application"),
        on_delete=models.CASCADE,
        blank=True,
        null=True,
    )
    expires = models.DateTimeField(_("expires"))
    scope = models.TextField(_("scope"), blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True
        verbose_name = _("id token")
        verbose_name_plural = _("id tokens")
        indexes = [models.Index(fields=["expires"])]

    def __str__(self) -> str:
        return f"JTI: {self.jti} User: {self.user_id}"

    def revoke(self) -> None:
        """Delete the row."""
        self.delete()


class IDToken(AbstractIDToken):
    """The stock ID-token model."""

    class Meta(AbstractIDToken.Meta):
        swappable = "OAUTH2_PROVIDER_ID_TOKEN_MODEL"
