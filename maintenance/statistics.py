"""Figures about applications and tokens, cheap enough for a big table: bounded counts, estimates beyond."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connections, router
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from oauth2_provider.batching import counted_up_to, estimated_count, estimated_total
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_par_request_model,
    get_refresh_token_model,
)
from oauth2_provider.models.expiry import ExpiryStage, expiry_stages

from .models import TableSnapshot

COUNTED_AT_MOST = 200_000
TOP_APPLICATIONS = 10
OLD_AFTER = timedelta(days=7)
EXACT_AT_MOST = 10_000
"""Up to so many rows are counted, which takes milliseconds; beyond, the engine's own figures do."""
RATE_DAYS = 7
CARRIED_DAYS = 2.0
"""A backlog of what so many days bring is that of a nightly run, not of one that falls behind."""


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


@dataclass(frozen=True, kw_only=True)
class TableBacklog:
    """Rows of one token table, how many of them are past their time, and since when the oldest is.

    `is_estimate` where either number is what the engine believes. An expired access token that a live refresh token
    holds counts as expired, although it stays for the time being.
    """

    table: str
    rows: int
    expired: int
    oldest_expired: datetime | None
    is_estimate: bool


@dataclass(frozen=True, kw_only=True)
class DayFigures:
    """Rows that came and that runs removed on one day (UTC), over all token tables or in one."""

    day: date
    created: int
    removed: int
    is_known: bool
    """False where no snapshot was taken on that day."""


@dataclass(frozen=True, kw_only=True)
class Clearance:
    """Whether removal keeps up with what expires in one table, by the last seven days.

    `days` until the backlog is gone at this rate; None: never, or there is no history yet (`is_known`).
    """

    table: str
    expired: int
    created_per_day: float
    removed_per_day: float
    days: float | None
    is_known: bool

    @property
    def is_keeping_up(self) -> bool:
        """True where the backlog is gone within what a day or two bring, or shrinks."""
        return self.days is not None


@dataclass(frozen=True, kw_only=True)
class TableSize:
    """Bytes of one table and of its indexes."""

    table: str
    table_bytes: int
    index_bytes: int


SIZES = {
    "postgresql": "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
    "WHERE relkind = 'r' AND relname IN ({}) AND pg_table_is_visible(oid) ORDER BY relname",
    "mysql": "SELECT table_name, data_length, index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name IN ({}) ORDER BY table_name",
}


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


def token_models() -> list[Any]:
    """Return the models whose rows expire."""
    return [
        get_access_token_model(),
        get_refresh_token_model(),
        get_id_token_model(),
        get_grant_model(),
        get_device_grant_model(),
        get_par_request_model(),
    ]


def backlog(*, now: datetime | None = None) -> list[TableBacklog]:
    """Return rows, expired rows and the oldest expired one by token table; reads no table as a whole."""
    stages = expiry_stages(now or timezone.now())
    return [
        _backlog(model, [stage for stage in stages if stage.model is model])
        for model in dict.fromkeys(token_models())
    ]


def created_and_removed_per_day(days: int = 30, *, table: str | None = None) -> list[DayFigures]:
    """Return one entry a day (UTC), the oldest first, today last; of one `table` or of all token tables."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    rows = TableSnapshot.objects.filter(hour__gte=datetime.combine(first, time(), tzinfo=UTC))
    if table is not None:
        rows = rows.filter(table=table)
    sums = rows.annotate(day=TruncDate("hour", tzinfo=UTC)).values("day")
    sums = sums.annotate(came=Sum("created"), went=Sum("removed")).order_by("day")
    found: dict[Any, tuple[int, int]] = {row["day"]: (row["came"], row["went"]) for row in sums}
    return [
        DayFigures(
            day=day,
            created=found.get(day, (0, 0))[0],
            removed=found.get(day, (0, 0))[1],
            is_known=day in found,
        )
        for day in (first + timedelta(days=number) for number in range(days))
    ]


def days_to_clear() -> list[Clearance]:
    """Return for each token table whether removal keeps up, from the snapshots of the last seven days."""
    since = timezone.now() - timedelta(days=RATE_DAYS)
    by_table: dict[str, list[TableSnapshot]] = {}
    for snapshot in TableSnapshot.objects.filter(hour__gte=since).order_by("hour"):
        by_table.setdefault(snapshot.table, []).append(snapshot)
    return [
        _clearance(model._meta.db_table, by_table.get(model._meta.db_table, [])) for model in token_models()
    ]


def table_sizes() -> list[TableSize]:
    """Return the sizes of the token tables, by name; empty where the engine does not tell (SQLite)."""
    tables = sorted({model._meta.db_table for model in token_models()})
    using = router.db_for_read(get_access_token_model())
    sql = SIZES.get(connections[using].vendor)
    if sql is None:
        return []
    places = ", ".join(["%s"] * len(tables))
    with connections[using].cursor() as cursor:
        cursor.execute(sql.format(places), tables)
        return [
            TableSize(table=table, table_bytes=int(own or 0), index_bytes=int(indexes or 0))
            for table, own, indexes in cursor.fetchall()
        ]


def _backlog(model: Any, stages: list[ExpiryStage]) -> TableBacklog:
    rows = model._base_manager.using(router.db_for_write(model)).order_by()
    total, is_total_estimate = rows_about(rows)
    expired, is_expired_estimate = 0, False
    oldest: list[datetime] = []
    for stage in stages:
        found, is_estimate = rows_about(stage.candidates, by=_index_of(stage))
        expired += found
        is_expired_estimate |= is_estimate
        oldest += _oldest(stage) if found else []
    return TableBacklog(
        table=model._meta.db_table,
        rows=max(total, expired) if is_total_estimate else total,
        expired=expired,
        oldest_expired=min(oldest, default=None),
        is_estimate=is_total_estimate or is_expired_estimate,
    )


def _index_of(stage: ExpiryStage) -> str | None:
    return None if stage.order[0] == "pk" else stage.order[0]


def _oldest(stage: ExpiryStage) -> list[datetime]:
    """Return since when the first row of `stage` is over, where its order tells."""
    if stage.order[0] == "pk":
        return []
    column = stage.order[0]
    return list(stage.candidates.order_by(column).values_list(column, flat=True)[:1])


def rows_about(rows: QuerySet[Any], *, by: str | None = None) -> tuple[int, bool]:
    """Return how many `rows` there are, and whether that is an estimate; `by` as for counted_up_to."""
    found = counted_up_to(rows, EXACT_AT_MOST, by=by)
    if found < EXACT_AT_MOST:
        return found, False
    at_most = COUNTED_AT_MOST if connections[rows.db].vendor == "sqlite" else sys.maxsize
    return max(found, estimated_count(rows, at_most=at_most)), True


def _clearance(table: str, snapshots: list[TableSnapshot]) -> Clearance:
    last = snapshots[-1] if snapshots else None
    expired = last.expired if last else 0
    hours = (snapshots[-1].taken - snapshots[0].taken).total_seconds() / 3600 if snapshots else 0.0
    per_day = 24 / hours if hours else 0.0
    created = sum(snapshot.created for snapshot in snapshots[1:]) * per_day
    removed = sum(snapshot.removed for snapshot in snapshots[1:]) * per_day
    return Clearance(
        table=table,
        expired=expired,
        created_per_day=created,
        removed_per_day=removed,
        days=_days(expired, created, removed) if hours else None,
        is_known=bool(hours),
    )


def _days(expired: int, created: float, removed: float) -> float | None:
    if not expired:
        return 0.0
    if removed and expired <= CARRIED_DAYS * max(created, removed):
        return expired / removed
    return expired / (removed - created) if removed > created else None


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
