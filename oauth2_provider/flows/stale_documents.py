"""Applications that came of a client ID metadata document and are no longer needed: they come back when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import router, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from ..models import (
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)


def stale_cimd_applications() -> QuerySet[Any]:
    """Return CIMD applications whose document is stale and which hold no token, code or login of anybody."""
    model = get_application_model()
    applications = model._base_manager.using(router.db_for_write(model)).filter(
        registration_source=model.RegistrationSource.CIMD, cimd_expires_at__lt=timezone.now()
    )
    holders = (get_access_token_model, get_refresh_token_model, get_grant_model, get_id_token_model)
    for get_model in holders:
        held = get_model()._base_manager.filter(application=OuterRef("pk"))
        applications = applications.filter(~Exists(held))
    devices = get_device_grant_model()._base_manager.filter(client_id=OuterRef("client_id"))
    return applications.filter(~Exists(devices))


def clear_cimd_applications(*, batch_size: int) -> int:
    """Delete what `stale_cimd_applications` finds, `batch_size` rows in a transaction; returns how many went.

    Rows are locked first and looked at again then: a client that gets a token meanwhile keeps its row.
    """
    deleted, last = 0, 0
    while True:
        keys = list(
            stale_cimd_applications()
            .filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", flat=True)[:batch_size]
        )
        if not keys:
            return deleted
        deleted, last = deleted + _delete(keys), keys[-1]


def _delete(keys: Sequence[Any]) -> int:
    model = get_application_model()
    using = router.db_for_write(model)
    with transaction.atomic(using=using):
        rows = model._base_manager.using(using).filter(pk__in=keys).order_by("pk")
        list(rows.select_for_update().values_list("pk"))
        _total, by_model = stale_cimd_applications().filter(pk__in=keys).delete()
    return by_model.get(model._meta.label, 0)
