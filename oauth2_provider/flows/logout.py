"""What a logout ends beside the session (OpenID Connect RP-Initiated Logout 1.0).

By set, however much the user has; done twice, the second time finds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from ..models import (
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from .bulk_revocation import Holder, revoke_credentials


def end_access(
    user: Any,
    *,
    client_types: Collection[str] | None = None,
    grant_types: Collection[str] | None = None,
) -> Counter[str]:
    """End what `user` was given until now on every application, or on those of `client_types` and `grant_types`.

    Clients that the user has registered stay manageable (RFC 7592): their registration tokens are no login of the user.
    Returns the rows ended by table.
    """
    if client_types is None and grant_types is None:
        return revoke_credentials(Holder(users=(user.pk,), spares_registrations=True))
    counts: Counter[str] = Counter()
    for application in _applications_of(user, client_types, grant_types):
        counts += end_access_of_client(user, application)
    return counts


def end_access_of_client(user: Any, application: Any) -> Counter[str]:
    """End what `user` was given on `application` (a row or its primary key) until now."""
    key = getattr(application, "pk", application)
    return revoke_credentials(Holder(users=(user.pk,), application=key, spares_registrations=True))


def _applications_of(
    user: Any, client_types: Collection[str] | None, grant_types: Collection[str] | None
) -> list[Any]:
    """Return the primary keys of the applications of these types on which `user` has something."""
    models = (get_access_token_model(), get_refresh_token_model(), get_id_token_model(), get_grant_model())
    keys: set[Any] = set()
    for model in models:
        rows = model._base_manager.filter(user=user, application__isnull=False).order_by()
        keys.update(rows.values_list("application", flat=True).distinct())
    devices = get_device_grant_model()._base_manager.filter(user=user).order_by()
    client_ids = list(devices.values_list("client_id", flat=True).distinct())
    applications = get_application_model()._base_manager.filter(Q(pk__in=keys) | Q(client_id__in=client_ids))
    if client_types is not None:
        applications = applications.filter(client_type__in=client_types)
    if grant_types is not None:
        applications = applications.filter(authorization_grant_type__in=grant_types)
    return list(applications.order_by("pk").values_list("pk", flat=True))
