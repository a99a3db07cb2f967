"""The pushed authorization request as a row (RFC 9126)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .validity import Expiring


class AbstractPushedAuthorizationRequest(Expiring):
    """The parameters that a client pushed, kept under `request_uri` until they are used or `expires`."""

    id = models.BigAutoField(primary_key=True)
    request_uri = models.CharField(_("request URI"), max_length=255)
    client_id = models.CharField(_("client ID"), max_length=255, db_index=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    expires = models.DateTimeField(_("expires"))
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True
        verbose_name = _("pushed authorization request")
        verbose_name_plural = _("pushed authorization requests")
        indexes = [models.Index(fields=["expires"])]
        constraints = [
            models.UniqueConstraint(fields=["request_uri"], name="%(app_label)s_%(class)s_unique_request_uri")
        ]

    def __str__(self) -> str:
        return f"PushedAuthorizationRequest {self.pk}"


class PushedAuthorizationRequest(AbstractPushedAuthorizationRequest):
    """The stock model."""

    class Meta(AbstractPushedAuthorizationRequest.Meta):
        swappable = "OAUTH2_PROVIDER_PAR_REQUEST_MODEL"
