"""Do the token tables keep their size? Figures by bounded counts and estimates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models, router

from oauth2_provider.batching import counted_up_to
from oauth2_provider.models import get_access_token_model, get_application_model
from oauth2_provider.models.expiry import expiry_stages, refresh_tokens_kept_forever

from ..models import TableSnapshot
from ..settings import maintenance_settings
from ..statistics import EXACT_AT_MOST, RATE_DAYS, TableBacklog, backlog, days_to_clear, rows_about
from .findings import Finding, Level

SAMPLED_ROWS = 500
RECENT = timedelta(days=1)
JUDGED_AFTER = timedelta(days=2)
"""A history shorter than this says nothing about growth."""


def find_tables(now: datetime) -> tuple[dict[str, Any], list[Finding]]:
    """Return figures of tokens and applications, and whether what is expired goes away."""
    model = get_access_token_model()
    rows = model._base_manager.using(router.db_for_write(model)).order_by()
    figures = backlog(now=now)
    tokens = next(each for each in figures if each.table == model._meta.db_table)
    ratio = min(1.0, tokens.expired / tokens.rows) if tokens.rows else 0.0
    applications = get_application_model()._base_manager.order_by()
    checks = {
        "active_tokens": rows_about(rows.filter(expires__gt=now), by="expires")[0],
        "expired_ratio": round(ratio, 4),
        "total_applications": rows_about(applications)[0],
        "recent_token_activity": recent_activity(now),
        "backlog": {each.table: each.expired for each in figures},
    }
    return checks, [*_expired(tokens, ratio, now), *_growth(now)]


def recent_activity(now: datetime) -> int:
    """Return how many access tokens that are there still were issued in the last 24 hours, as far as 10,000."""
    model = get_access_token_model()
    rows = model._base_manager.using(router.db_for_write(model)).order_by()
    recent = rows.filter(created__gte=now - RECENT)
    newest = rows.order_by("-pk").values_list("pk", flat=True).first()
    if newest is not None and isinstance(model._meta.pk, models.IntegerField):
        return recent.filter(pk__gt=newest - EXACT_AT_MOST).count()
    return counted_up_to(recent.filter(expires__gte=now - RECENT), EXACT_AT_MOST)


def _expired(tokens: TableBacklog, ratio: float, now: datetime) -> list[Finding]:
    """Judge the share of expired access tokens that clear_expired would take: those that nothing holds."""
    limit = maintenance_settings.EXPIRED_RATIO_WARNING
    if ratio <= limit:
        return []
    removable = ratio * _removable_share(now)
    if removable <= limit:
        return []
    return [
        Finding(
            key="expired_ratio",
            level=Level.WARNING,
            message=f"{removable:.0%} of the access tokens are expired and could go. Run clear_expired, and see that "
            "its schedule is enabled.",
            since=tokens.oldest_expired,
        )
    ]


def _removable_share(now: datetime) -> float:
    """Return which share of the expired access tokens would go, by the first and the last few hundred of them."""
    stage = next(stage for stage in expiry_stages(now) if stage.name == "access_tokens")
    keys: set[Any] = set()
    for order in ("expires", "-expires"):
        keys.update(stage.candidates.order_by(order).values_list("pk", flat=True)[:SAMPLED_ROWS])
    return stage.expired.filter(pk__in=keys).count() / len(keys) if keys else 0.0


def _growth(now: datetime) -> list[Finding]:
    limit = maintenance_settings.BACKLOG_ROWS_WARNING
    findings = []
    for clearance in days_to_clear():
        if clearance.expired < limit or not clearance.is_known or clearance.is_keeping_up:
            continue
        rows = TableSnapshot.objects.filter(table=clearance.table, hour__gte=now - timedelta(days=RATE_DAYS))
        first = rows.order_by("hour").first()
        if first is None or now - first.taken < JUDGED_AFTER or clearance.expired <= first.expired:
            continue
        why = refresh_tokens_kept_forever() or (
            "Run clear_expired more often, or give it more time (TIME_WINDOW, NICE_RATIO, shards)."
        )
        findings.append(
            Finding(
                key="backlog_grows",
                level=Level.WARNING,
                message=f"{clearance.table}: {clearance.created_per_day:.0f} rows a day come and "
                f"{clearance.removed_per_day:.0f} go; {clearance.expired} are expired, {first.expired} were. {why}",
                since=first.taken,
            )
        )
    return findings
