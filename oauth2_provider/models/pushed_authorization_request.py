"""The pushed authorization request as a row (RFC 9126)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from secrets import token_urlsafe

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings
from .registry import get_par_request_model
from .validity import Expiring

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
"""What the request URIs of pushed requests begin with (RFC 9126 section 2.2)."""


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


def create_pushed_authorization_request(
    client_id: str, parameters: Mapping[str, str | list[str]]
) -> AbstractPushedAuthorizationRequest:
    """Store the parameters that a client pushed, for PAR_REQUEST_URI_LIFETIME_SECONDS, under a new request URI.

    The URI holds 256 random bits: a guess is hopeless (RFC 9126 section 7.1).
    """
    lifetime = timedelta(seconds=oauth2_settings.PAR_REQUEST_URI_LIFETIME_SECONDS)
    return get_par_request_model().objects.create(
        request_uri=REQUEST_URI_PREFIX + token_urlsafe(32),
        client_id=client_id,
        parameters=dict(parameters),
        expires=timezone.now() + lifetime,
    )
