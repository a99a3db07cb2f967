"""The site's own table, which points at the provider's."""

from __future__ import annotations

from django.db import models

from oauth2_provider.settings import oauth2_settings


class Subscription(models.Model):
    application = models.ForeignKey(oauth2_settings.APPLICATION_MODEL, on_delete=models.CASCADE)
    plan = models.CharField(max_length=20, default="free")

    def __str__(self) -> str:
        return self.plan
