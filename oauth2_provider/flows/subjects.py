"""Subject identifiers, public and pairwise (OpenID Connect Core 1.0 section 8)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..settings import oauth2_settings


def subject_of(user: Any, application: Any) -> str:
    """Return the `sub` of `user` that `application` sees: the primary key, or one that only its sector has.

    Section 8.1: a keyed hash over sector and account, under OIDC_PAIRWISE_SUBJECT_SALT. Raises ImproperlyConfigured
    for a pairwise subject without that, or without a sector.
    """
    sector = sector_of(application)
    if sector is None:
        return str(user.pk)
    salt = oauth2_settings.OIDC_PAIRWISE_SUBJECT_SALT
    return hmac.new(salt.encode(), f"{sector}\n{user.pk}".encode(), hashlib.sha256).hexdigest()


def sector_of(application: Any) -> str | None:
    """Return the sector whose subjects `application` sees; None where it sees public ones.

    Raises ImproperlyConfigured as `subject_of` does.
    """
    if application is None or application.subject_type != application.SubjectType.PAIRWISE:
        return None
    if not oauth2_settings.OIDC_PAIRWISE_SUBJECT_SALT:
        raise ImproperlyConfigured("Pairwise subjects need the setting OIDC_PAIRWISE_SUBJECT_SALT")
    return str(application.sector_identifier)
