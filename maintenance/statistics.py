"""Figures about applications and tokens, cheap enough for a big table: bounded counts, estimates beyond."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from oauth2_provider.batching import counted_up_to, estimated_total
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_par_request_model,
    get_refresh_token_model,
)

COUNTED_AT_MOST = 200_000
TOP_APPLICATIONS = 10
OLD_AFTER = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class TableFigures:
    """Rows of one table in all and live; `is_estimate` where `total` is what the engine believes."""

    table: str
    total: int
    active: int
    is_estimate: bool


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Applications in all and with a live token; rows by table."""

    applications_total: int
    applications_active: int
    tables: list[TableFigures]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What deserves a look: live access tokens older than a week, and who holds the most tokens."""

    old_active_tokens: int
    top_applications: list[dict[str, Any]]
    """name, client_id and tokens, the ten with the most."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def collect_statistics() -> Statistics:
    """Return the figures as of now."""
    now = timezone.now()
    applications = get_application_model()._base_manager
    live = get_access_token_model()._base_manager.filter(expires__gt=now, application__isnull=False)
    tables = [
        _figures(model, model._base_manager.filter(**active))
        for model, active in (
            (get_access_token_model(), {"expires__gt": now}),
            (get_refresh_token_model(), {"revoked__isnull": True}),
            (get_id_token_model(), {"expires__gt": now}),
            (get_grant_model(), {"expires__gt": now}),
            (get_device_grant_model(), {"expires__gt": now}),
            (get_par_request_model(), {"expires__gt": now}),
        )
    ]
    return Statistics(
        applications_total=applications.count(),
        applications_active=live.values("application").distinct().count(),
        tables=tables,
    )


def collect_audit() -> Audit:
    """Return what an operator should look at."""
    now = timezone.now()
    tokens = get_access_token_model()._base_manager
    old = tokens.filter(expires__gt=now, created__lt=now - OLD_AFTER)
    top = (
        tokens.filter(application__isnull=False)
        .values("application__name", "application__client_id")
        .annotate(tokens=Count("pk"))
        .order_by("-tokens")[:TOP_APPLICATIONS]
    )
    return Audit(
        old_active_tokens=counted_up_to(old, COUNTED_AT_MOST),
        top_applications=[
            {
                "name": row["application__name"],
                "client_id": row["application__client_id"],
                "tokens": row["tokens"],
            }
            for row in top
        ],
    )


def _figures(model: Any, active: QuerySet[Any]) -> TableFigures:
    rows = model._base_manager.order_by()
    total = counted_up_to(rows, COUNTED_AT_MOST)
    is_estimate = total >= COUNTED_AT_MOST
    if is_estimate:
        total = max(total, estimated_total(model, rows.db) or 0)
    return TableFigures(
        table=model._meta.db_table,
        total=total,
        active=counted_up_to(active.order_by(), COUNTED_AT_MOST),
        is_estimate=is_estimate,
    )
