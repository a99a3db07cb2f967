"""What tokens and grants have in common: an end, and scopes (RFC 6749 section 3.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.utils import timezone

from ..scopes import get_scopes_backend


class Expiring(models.Model):
    """A row that is over at `expires`."""

    expires: datetime

    class Meta:
        abstract = True

    def is_expired(self) -> bool:
        """Tell whether the row is over; one without an end counts as over."""
        return not self.expires or timezone.now() >= self.expires


class Scoped(Expiring):
    """A token with scopes, separated by spaces in `scope`."""

    scope: str

    class Meta:
        abstract = True

    def is_valid(self, scopes: Iterable[str] | None = None) -> bool:
        """Tell whether the token is live and grants all of `scopes`."""
        return not self.is_expired() and self.allow_scopes(scopes)

    def allow_scopes(self, scopes: Iterable[str] | None) -> bool:
        """Tell whether the token grants all of `scopes`; none asked for is always granted."""
        return set(scopes or ()) <= set(self.scope.split())

    @property
    def scopes(self) -> dict[str, str]:
        """The granted scopes that the scopes backend knows, with their meaning for people."""
        granted = self.scope.split()
        known = get_scopes_backend().get_all_scopes()
        return {name: meaning for name, meaning in known.items() if name in granted}
