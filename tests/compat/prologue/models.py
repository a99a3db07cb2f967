"""One table, there before the provider's."""

from __future__ import annotations

from django.db import models


class Tenant(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name
