"""Further secrets of a client, beside the one in the application's own row: a rotation needs two that work at once.

RFC 6749 section 2.3.1.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings

USE_RESOLUTION = timedelta(hours=1)
"""How coarse `ClientSecret.last_used` is."""


class ClientSecretQuerySet(models.QuerySet):
    """Secrets by whether they still open anything."""

    def live(self, now: datetime) -> ClientSecretQuerySet:
        """Return the secrets that are not over at `now`."""
        return self.filter(Q(expires__isnull=True) | Q(expires__gt=now))

    def of_client(self, client_id: str) -> ClientSecretQuerySet:
        """Return the secrets of the client `client_id`; the same statement whether there is such a client."""
        return self.filter(application__client_id=client_id)

    def newest_first(self) -> ClientSecretQuerySet:
        return self.order_by("-pk")


class ClientSecret(models.Model):
    """A secret that this server made, under its fast salted hash (see `hashers`), with a name and maybe an end."""

    id = models.BigAutoField(primary_key=True)
    application = models.ForeignKey(
        oauth2_settings.APPLICATION_MODEL,
        verbose_name=_("application"),
        related_name="client_secrets",
        on_delete=models.CASCADE,
    )
    name = models.CharField(
        _("name"), max_length=255, help_text=_("Where it is used, so that you know it again")
    )
    secret_hash = models.CharField(_("secret hash"), max_length=255, editable=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    expires = models.DateTimeField(
        _("expires"), null=True, blank=True, default=None, help_text=_("Empty: never")
    )
    last_used = models.DateTimeField(
        _("last used"),
        null=True,
        blank=True,
        default=None,
        editable=False,
        help_text=_("When the client last authenticated with it, to the hour"),
    )

    objects: Any = ClientSecretQuerySet.as_manager()

    class Meta:
        verbose_name = _("client secret")
        verbose_name_plural = _("client secrets")

    def __str__(self) -> str:
        return self.name

    def is_expired(self) -> bool:
        """Tell whether the secret is over."""
        return self.expires is not None and self.expires <= timezone.now()

    def mark_used(self, now: datetime) -> None:
        """Note that the client authenticated with it at `now`; at most one UPDATE in USE_RESOLUTION."""
        due_before = now - USE_RESOLUTION
        if self.last_used is not None and self.last_used > due_before:
            return
        due = Q(last_used__isnull=True) | Q(last_used__lte=due_before)
        type(self)._base_manager.filter(due, pk=self.pk).update(last_used=now)
