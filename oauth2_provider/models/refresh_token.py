"""The refresh token as a row (RFC 6749 section 1.5, RFC 9700 section 4.14)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..batching import atomically
from ..settings import oauth2_settings
from .fields import ResourceJSONField, TokenChecksumField
from .registry import get_access_token_model


class AbstractRefreshToken(models.Model):
    """A refresh token. One that is revoked stays as a row, so that its replay can be recognized.

    `token_family` is shared by all tokens that rotation made out of one grant. `scope` is what was granted, which
    no rotation changes (RFC 6749 section 6); None: that of the access token.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="%(app_label)s_%(class)s",
    )
    token = models.TextField(_("token"))
    token_checksum = TokenChecksumField(_("token checksum"), max_length=64, unique=True)
    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL, verbose_name=_("application"), on_delete=models.CASCADE
    )
    access_token = models.OneToOneField(
        oauth2_settings.ACCESS_TOKEN_MODEL,
        verbose_name=_("access token"),
        on_delete=models.SET_NULL,
        blank=True,
        null=True,
        related_name="refresh_token",
    )
    token_family = models.UUIDField(_("token family"), null=True, blank=True, editable=False)
    scope = models.TextField(_("scope"), null=True, blank=True, default=None, editable=False)
    resource = ResourceJSONField(_("resource"), default=list, blank=True)
    authentication = models.TextField(
        _("authentication"), null=True, blank=True, default=None, editable=False
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    revoked = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        abstract = True
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        indexes = [models.Index(fields=["token_family"]), models.Index(fields=["revoked", "access_token"])]

    def __str__(self) -> str:
        return f"RefreshToken {self.pk}"

    def revoke(self) -> None:
        """Stamp the token revoked and delete its access token; one that is revoked keeps its date.

        One transaction; the refresh token is locked before the access token, as rotation does.
        """
        alias = router.db_for_write(type(self), instance=self)
        atomically(partial(self._revoke, alias), using=alias)

    def _revoke(self, alias: str) -> None:
        tokens = type(self)._base_manager.using(alias)
        token = tokens.select_for_update().filter(pk=self.pk).first()
        if token is None or token.revoked is not None:
            return
        access_token_id = token.access_token_id
        token.access_token = None
        token.revoked = self.revoked = timezone.now()
        token.save(using=alias, update_fields=["access_token", "revoked", "updated"])
        self.access_token = None
        if access_token_id is not None:
            self._revoke_access_token(access_token_id, alias)

    @classmethod
    def revoke_family(cls, token_family: UUID) -> None:
        """Revoke every live token of `token_family`, in the order of their keys (RFC 9700 section 4.14.2)."""
        for token in cls._base_manager.filter(token_family=token_family, revoked__isnull=True).order_by("pk"):
            token.revoke()

    @staticmethod
    def _revoke_access_token(access_token_id: Any, alias: str) -> None:
        access_token = get_access_token_model()._base_manager.using(alias).filter(pk=access_token_id).first()
        if access_token is not None:
            access_token.revoke()


class RefreshToken(AbstractRefreshToken):
    """The stock refresh-token model."""

    class Meta(AbstractRefreshToken.Meta):
        swappable = "OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL"


def refresh_token_expire_timedelta() -> timedelta | None:
    """Return REFRESH_TOKEN_EXPIRE_SECONDS as a timedelta; None where refresh tokens never expire.

    Raises ImproperlyConfigured for a value that is neither a number of seconds nor a timedelta.
    """
    lifetime = oauth2_settings.REFRESH_TOKEN_EXPIRE_SECONDS
    if not lifetime:
        return None
    if isinstance(lifetime, timedelta):
        return lifetime
    try:
        return timedelta(seconds=lifetime)
    except TypeError as exc:
        raise ImproperlyConfigured(
            "REFRESH_TOKEN_EXPIRE_SECONDS must be a number of seconds or a timedelta"
        ) from exc
