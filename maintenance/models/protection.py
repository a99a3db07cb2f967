"""Applications that the clean-up of inactive ones never removes, whatever else: an operator's word on one."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProtectedApplication(models.Model):
    """One application, by its client_id: the word holds for one that was removed and restored as well."""

    id = models.BigAutoField(primary_key=True)
    client_id = models.CharField(_("client ID"), max_length=255, unique=True)
    actor = models.CharField(_("protected by"), max_length=200, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    created = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("protected application")
        verbose_name_plural = _("protected applications")
        default_permissions = ("add", "delete", "view")

    def __str__(self) -> str:
        return self.client_id
