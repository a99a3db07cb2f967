"""The site's own models: each of the provider's abstract ones with a field more, where settings name it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from oauth2_provider import models as provider

for name in settings.SWAPPED:
    base = getattr(provider, f"Abstract{name}")
    fields = {"__module__": __name__, "tenant": models.CharField(max_length=20, default="main")}
    if name == "IDToken":  # a site that keeps those it revoked
        fields["revoked"] = models.DateTimeField(null=True)
    globals()[name] = type(name, (base,), fields)
