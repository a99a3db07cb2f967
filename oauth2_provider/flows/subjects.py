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
    if application is None or application.subject_type != application.SubjectType.PAIRWISE:
        return str(user.pk)
    salt = oauth2_settings.OIDC_PAIRWISE_SUBJECT_SALT
    if not salt:
        raise ImproperlyConfigured("Pairwise subjects need the setting OIDC_PAIRWISE_SUBJECT_SALT")
    account = f"{application.sector_identifier}\n{user.pk}".encode()
    return hmac.new(salt.encode(), account, hashlib.sha256).hexdigest()
