"""The authorization code as a row: Grant (RFC 6749 section 4.1, RFC 7636)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings
from .fields import ResourceJSONField
from .validity import Expiring


class AbstractGrant(Expiring):
    """An authorization code with what it was given for.

    A redeemed code stays until it expires, with what was issued from it, so that a second use can be recognized
    and answered by revoking that (RFC 6749 section 4.1.2).
    """

    CODE_CHALLENGE_PLAIN = "plain"
    CODE_CHALLENGE_S256 = "S256"
    CODE_CHALLENGE_METHODS = ((CODE_CHALLENGE_PLAIN, "plain"), (CODE_CHALLENGE_S256, "S256"))

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="%(app_label)s_%(class)s",
    )
    code = models.CharField(_("code"), max_length=255, unique=True)
    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL, verbose_name=_("application"), on_delete=models.CASCADE
    )
    expires = models.DateTimeField(_("expires"))
    redirect_uri = models.TextField(_("redirect URI"))
    scope = models.TextField(_("scope"), blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    code_challenge = models.CharField(_("code challenge"), max_length=128, blank=True, default="")
    code_challenge_method = models.CharField(
        _("code challenge method"), max_length=10, blank=True, default="", choices=CODE_CHALLENGE_METHODS
    )
    nonce = models.CharField(_("nonce"), max_length=255, blank=True, default="")
    claims = models.TextField(_("claims"), blank=True)
    resource = ResourceJSONField(_("resource"), default=list, blank=True)
    redeemed = models.DateTimeField(_("redeemed"), null=True, blank=True, default=None, editable=False)
    token_family = models.UUIDField(_("token family"), null=True, blank=True, default=None, editable=False)
    token_checksum = models.CharField(
        _("token checksum"), max_length=64, blank=True, default="", editable=False
    )
    authentication = models.TextField(
        _("authentication"), null=True, blank=True, default=None, editable=False
    )

    class Meta:
        abstract = True
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [models.Index(fields=["expires"])]

    def __str__(self) -> str:
        return f"Grant {self.pk}"

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Tell whether `uri` is the redirect URI of the authorization request (RFC 6749 section 4.1.3).

        One that named none went to the only URI that the client has registered.
        """
        if self.redirect_uri:
            return uri == self.redirect_uri
        return [uri] == self.application.redirect_uris.split()


class Grant(AbstractGrant):
    """The stock grant model."""

    class Meta(AbstractGrant.Meta):
        swappable = "OAUTH2_PROVIDER_GRANT_MODEL"
