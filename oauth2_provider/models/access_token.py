"""The access token as a row (RFC 6749 section 1.4, RFC 6750)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings
from .fields import ResourceJSONField, TokenChecksumField
from .validity import Scoped


class AbstractAccessToken(Scoped):
    """An access token: who may do what, until when, with which resources.

    `token` is blank under COMPLIANT_BCP_RFC9700_TOKEN_STORAGE; it is found by `token_checksum`. `authentication`, of
    codes and refresh tokens as well, is what OpenID Connect says of the login (`flows.authentication`), as JSON.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        blank=True,
        null=True,
        related_name="%(app_label)s_%(class)s",
    )
    source_refresh_token = models.OneToOneField(
        oauth2_settings.REFRESH_TOKEN_MODEL,
        verbose_name=_("source refresh token"),
        on_delete=models.SET_NULL,
        blank=True,
        null=True,
        related_name="refreshed_access_token",
    )
    token = models.TextField(_("token"))
    token_checksum = TokenChecksumField(_("token checksum"), max_length=64, unique=True, db_index=True)
    id_token = models.OneToOneField(
        oauth2_settings.ID_TOKEN_MODEL,
        verbose_name=_("ID token"),
        on_delete=models.CASCADE,
        blank=True,
        null=True,
        related_name="access_token",
    )
    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL,
        verbose_name=_("application"),
        on_delete=models.CASCADE,
        blank=True,
        null=True,
    )
    expires = models.DateTimeField(_("expires"))
    scope = models.TextField(_("scope"), blank=True)
    resource = ResourceJSONField(_("resource"), default=list, blank=True)
    authentication = models.TextField(
        _("authentication"), null=True, blank=True, default=None, editable=False
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        indexes = [models.Index(fields=["expires"])]

    def __str__(self) -> str:
        return f"AccessToken {self.pk}"

    def allows_audience(self, audience_uri: str) -> bool:
        """Tell whether the token is good at `audience_uri` (RFC 8707); one bound to nothing is everywhere."""
        if not self.resource:
            return True
        matches: Any = oauth2_settings.RESOURCE_SERVER_TOKEN_RESOURCE_VALIDATOR
        return bool(matches(audience_uri, self.resource))

    def revoke(self) -> None:
        """Delete the row."""
        self.delete()


class AccessToken(AbstractAccessToken):
    """The stock access-token model."""

    class Meta(AbstractAccessToken.Meta):
        swappable = "OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL"
