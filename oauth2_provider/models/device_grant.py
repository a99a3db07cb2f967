"""The device code as a row: DeviceGrant (RFC 8628)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fields import ResourceJSONField
from .registry import get_device_grant_model


class AbstractDeviceGrant(models.Model):
    """A device code, the user code that goes with it, and what the user said to it."""

    AUTHORIZED = "authorized"
    AUTHORIZATION_PENDING = "authorization-pending"
    EXPIRED = "expired"
    DENIED = "denied"
    DEVICE_FLOW_STATUS = (
        (AUTHORIZED, _("Authorized")),
        (AUTHORIZATION_PENDING, _("Authorization pending")),
        (EXPIRED, _("Expired")),
        (DENIED, _("Denied")),
    )

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        related_name="%(app_label)s_%(class)s",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
    )
    device_code = models.CharField(_("device code"), max_length=100)
    user_code = models.CharField(_("user code"), max_length=100, db_index=True)
    scope = models.TextField(_("scope"), blank=True)
    interval = models.IntegerField(_("interval"), default=5)
    expires = models.DateTimeField(_("expires"))
    status = models.CharField(
        _("status"), max_length=64, blank=True, choices=DEVICE_FLOW_STATUS, default=AUTHORIZATION_PENDING
    )
    client_id = models.CharField(_("client ID"), max_length=255, db_index=True)
    last_checked = models.DateTimeField(_("last checked"), default=timezone.now)
    resource = ResourceJSONField(_("resource"), null=True, blank=True, default=None, editable=False)
    redeemed = models.DateTimeField(_("redeemed"), null=True, blank=True, default=None, editable=False)
    authentication = models.TextField(
        _("authentication"), null=True, blank=True, default=None, editable=False
    )

    class Meta:
        abstract = True
        verbose_name = _("device grant")
        verbose_name_plural = _("device grants")
        indexes = [models.Index(fields=["expires"])]
        constraints = [
            models.UniqueConstraint(fields=["device_code"], name="%(app_label)s_%(class)s_unique_device_code")
        ]

    def __str__(self) -> str:
        return f"DeviceGrant {self.pk}"

    def is_expired(self) -> bool:
        """Tell whether the device code is over; a row found over is stamped EXPIRED."""
        if self.status != self.EXPIRED and timezone.now() >= self.expires:
            self.status = self.EXPIRED
            self.save(update_fields=["status"])
        return self.status == self.EXPIRED


class DeviceGrant(AbstractDeviceGrant):
    """The stock device-grant model."""

    class Meta(AbstractDeviceGrant.Meta):
        swappable = "OAUTH2_PROVIDER_DEVICE_GRANT_MODEL"


@dataclass
class DeviceRequest:
    """A device authorization request (RFC 8628 section 3.1). `scope` is separated by spaces.

    `resource` holds its resource indicators (RFC 8707 section 2).
    """

    client_id: str
    scope: str | None = None
    resource: list[str] = field(default_factory=list)


@dataclass
class DeviceCodeResponse:
    """A device authorization response (RFC 8628 section 3.2). `expires_in` and `interval` are seconds."""

    verification_uri: str
    expires_in: int
    user_code: str
    device_code: str
    interval: int
    verification_uri_complete: str | Callable[[str], str] | None = None


def create_device_grant(
    device_request: DeviceRequest, device_response: DeviceCodeResponse
) -> AbstractDeviceGrant:
    """Store what was answered to a device authorization request. The first poll may come at once."""
    now = timezone.now()
    return get_device_grant_model().objects.create(
        client_id=device_request.client_id,
        device_code=device_response.device_code,
        user_code=device_response.user_code,
        scope=device_request.scope or "",
        resource=device_request.resource,
        interval=device_response.interval,
        expires=now + timedelta(seconds=device_response.expires_in),
        last_checked=now - timedelta(seconds=device_response.interval),
    )
