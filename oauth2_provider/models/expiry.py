"""What is expired, and in which order it goes: the one definition for clean-up, previews and statistics.

A stage names the rows of one table that are over at a given time. They go stage by stage, because a row may be
held by another: an expired access token stays while a refresh token holds it, an ID token while an access token
does. Rows are deleted window by window (see `batching`), each window in a short transaction of its own, by
statements that carry the condition itself: a token refreshed meanwhile is not expired and stays.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial, reduce
from operator import or_
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property

from ..batching import IsAnyOf, Walk, Window, estimated_count, estimated_total, with_retries
from ..settings import oauth2_settings
from .deletion import delete_rows, unheld
from .refresh_token import refresh_token_expire_timedelta
from .registry import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_par_request_model,
    get_refresh_token_model,
)

SPARSE_SHARE = 0.25
"""Below this share of a table, its expired rows are found by the index on what expires, else by primary key."""


class Kinds:
    """Kinds of expired rows of one table, by the `candidates` of each."""

    def __init__(self, model: type[models.Model], candidates: Sequence[QuerySet[Any]]) -> None:
        self.model = model
        self.candidates = candidates

    @cached_property
    def are_few(self) -> bool:
        """Whether each is better found by its index; asked once, for all stages that must agree on it."""
        total = estimated_total(self.model, self.candidates[0].db)
        if total is None:
            return True
        share = int(SPARSE_SHARE * total)
        return sum(estimated_count(rows, at_most=share + 1) for rows in self.candidates) <= share


@dataclass(frozen=True, kw_only=True)
class ExpiryStage:
    """The expired rows of one kind.

    `expired` are the rows that go. `candidates` is what an index finds, ordered by `order`: rows of the same table,
    or of the one that `path`, a foreign key, leads to; each of the expired is or has one of them.
    """

    name: str
    expired: QuerySet[Any]
    candidates: QuerySet[Any]
    order: tuple[str, ...]
    path: str = ""
    is_held: bool = False
    """Whether other rows may refer to the expired ones and have to let go of them."""
    followers: QuerySet[Any] | None = None
    """Of the rows that refer to the expired ones, those that a later stage would remove."""
    lead: tuple[str, QuerySet[Any]] | None = None
    """A field that has an index, and the rows that it finds, where none is as narrow as the candidates."""
    kinds: Kinds | None = None
    """All kinds that go in one walk where they are most of the table, this stage's among them."""
    is_for_many: bool = True
    """Whether that walk is this stage's; else it has nothing to do then."""

    @property
    def index(self) -> str:
        """The field by which `found_by` is found."""
        return self.lead[0] if self.lead else self.order[0]

    @property
    def found_by(self) -> QuerySet[Any]:
        """The candidates, or more, by one index alone: in its order the first few are read and no others."""
        return self.lead[1] if self.lead else self.candidates

    @property
    def model(self) -> type[models.Model]:
        return self.expired.model

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    def walk(self, *, by_index: bool | None = None) -> Walk:
        """Return the order in which to look for the rows; by default the one that reads less."""
        if self.is_sparse() if by_index is None else by_index:
            return Walk(rows=self.candidates, fields=self.order, is_scattered=self.lead is not None)
        rows = _rows(self.model) if self.is_for_many else self.expired.none()
        return Walk(rows=rows, is_descending=self.kinds is not None)

    def is_sparse(self) -> bool:
        """Tell whether few enough rows may be expired that the index on what expires is the shorter way."""
        return (self.kinds or Kinds(self.model, [self.candidates])).are_few

    def delete_window(self, walk: Walk, window: Window) -> Counter[str]:
        """Delete the expired rows of `window` in one transaction; returns the rows that went, by table."""
        with transaction.atomic(using=self.expired.db, savepoint=False):
            return delete_rows(
                self._expired_in(walk, window),
                is_held=self.is_held,
                followers=self.followers,
                witnesses=walk.rows.filter(walk.inside(window)) if walk.model is self.model else None,
            )

    def _expired_in(self, walk: Walk, window: Window) -> QuerySet[Any]:
        if walk.model is self.model:
            return self.expired.filter(walk.inside(window))
        if connections[self.expired.db].vendor == "mysql":
            return self.expired.filter(walk.inside(window, prefix=f"{self.path}__"))
        found = walk.rows.filter(walk.inside(window)).values("pk")
        return self.expired.filter(IsAnyOf(F(self.path), found))


def expiry_stages(now: datetime) -> list[ExpiryStage]:
    """Return what is expired at `now`, in the order in which it goes.

    The three kinds of refresh token have no row in common. Idle ones go first: then an expired access token that
    came out of a revoked one is held by nobody, and goes along instead of being rewritten.
    """
    stages = [
        _idle_refresh_tokens(now),
        _revoked_refresh_tokens(now),
        _orphaned_refresh_tokens(now),
        _access_tokens(now),
        _id_tokens(now),
        *_by_expires_alone(now),
    ]
    return [stage for stage in stages if stage is not None]


def clear_out_stages(now: datetime) -> list[ExpiryStage]:
    """Return the stages of `expiry_stages` as a clear-out goes through them: many refresh tokens go at once.

    Where they are most of their table, one walk takes all kinds, the newest rows first: so again what came out of a
    refresh token is held by nobody when its turn comes. Where they are few, each kind is found by its index.
    """
    stages = expiry_stages(now)
    model = get_refresh_token_model()
    kinds = Kinds(model, [stage.candidates for stage in stages if stage.model is model])
    apart = [
        replace(stage, kinds=kinds, is_for_many=False) if stage.model is model else stage for stage in stages
    ]
    return [_refresh_tokens(now, kinds), *apart]


def clear_expired() -> dict[str, int]:
    """Delete what is expired, here and now, and return the rows that went by table.

    Windows of CLEAR_EXPIRED_TOKENS_BATCH_SIZE rows, CLEAR_EXPIRED_TOKENS_BATCH_INTERVAL seconds between them and
    not after the last, each in a transaction of its own that is tried again after a deadlock. What is issued while
    it works is out of its scope.
    """
    counts: Counter[str] = Counter()
    interval = oauth2_settings.CLEAR_EXPIRED_TOKENS_BATCH_INTERVAL
    is_first = True
    for stage, walk, window in _windows(timezone.now(), oauth2_settings.CLEAR_EXPIRED_TOKENS_BATCH_SIZE):
        if interval and not is_first:
            time.sleep(interval)
        is_first = False
        delete = partial(stage.delete_window, walk, window)
        counts.update(with_retries(delete, using=stage.expired.db))
    return dict(counts)


def refresh_tokens_kept_forever() -> str | None:
    """Return a sentence on what the settings keep for good, or None."""
    if refresh_token_expire_timedelta() is not None:
        return None
    if oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION:
        return (
            "REFRESH_TOKEN_EXPIRE_SECONDS is not set: refresh tokens never expire, and with "
            "REFRESH_TOKEN_REUSE_PROTECTION neither do revoked ones; only orphaned ones are removed."
        )
    return (
        "REFRESH_TOKEN_EXPIRE_SECONDS is not set: refresh tokens that are not revoked never expire, and the "
        "expired access tokens they hold stay with them."
    )


def _windows(now: datetime, size: int) -> Iterator[tuple[ExpiryStage, Walk, Window]]:
    walks = [(stage, walk, walk.last()) for stage in clear_out_stages(now) for walk in (stage.walk(),)]
    for stage, walk, last in walks:
        after = None
        while last is not None:
            window = walk.next_window(after=after, last=last, size=size)
            if window is None:
                break
            after = window.upto
            yield stage, walk, window


def _rows(model: Any) -> QuerySet[Any]:
    return model._base_manager.using(router.db_for_write(model)).order_by()


def idle_refresh_tokens(now: datetime) -> QuerySet[Any]:
    """Return live refresh tokens that nobody used for REFRESH_TOKEN_EXPIRE_SECONDS after their access token ended."""
    is_idle, rows = _is_idle(now), refresh_tokens_with_end(now)
    return rows.none() if is_idle is None else rows.filter(is_idle)


def refresh_tokens_with_end(now: datetime) -> QuerySet[Any]:
    """Return refresh tokens with `ended`, when the access token that they hold expires; `now` where they hold none."""
    ends = _rows(get_access_token_model()).filter(pk=OuterRef("access_token")).values("expires")[:1]
    return _rows(get_refresh_token_model()).alias(ended=Coalesce(Subquery(ends), Value(now)))


def is_usable(now: datetime) -> Q:
    """Return the condition that one of `refresh_tokens_with_end` is neither revoked nor idle for too long."""
    expires_after = refresh_token_expire_timedelta()
    is_unrevoked = Q(revoked__isnull=True)
    return is_unrevoked if expires_after is None else is_unrevoked & Q(ended__gte=now - expires_after)


def _is_idle(now: datetime) -> Q | None:
    expires_after = refresh_token_expire_timedelta()
    return None if expires_after is None else Q(revoked__isnull=True, ended__lt=now - expires_after)


def _is_revoked(now: datetime) -> Q | None:
    """Return the condition of tokens revoked long enough ago that no grace period and no replay check needs them.

    Under REFRESH_TOKEN_REUSE_PROTECTION a revoked row is what reveals a replay (RFC 9700 section 4.14.2): it stays
    for REFRESH_TOKEN_EXPIRE_SECONDS, or for good where that is not set.
    """
    kept_for: timedelta | None = timedelta(seconds=oauth2_settings.REFRESH_TOKEN_GRACE_PERIOD_SECONDS or 0)
    if oauth2_settings.REFRESH_TOKEN_REUSE_PROTECTION:
        kept_for = refresh_token_expire_timedelta()
    return None if kept_for is None else Q(revoked__lt=now - kept_for)


_IS_ORPHANED = Q(access_token__isnull=True, revoked__isnull=True)


def _refresh_tokens(now: datetime, kinds: Kinds) -> ExpiryStage:
    """Return the stage of all kinds at once; by its name, as it is another one where a setting adds a kind."""
    rows = refresh_tokens_with_end(now)
    conditions = {"revoked": _is_revoked(now), "orphaned": _IS_ORPHANED, "idle": _is_idle(now)}
    known = {kind: condition for kind, condition in conditions.items() if condition is not None}
    return ExpiryStage(
        name=f"{'_and_'.join(known)}_refresh_tokens",
        expired=rows.filter(reduce(or_, known.values())),
        candidates=rows.none(),
        order=("pk",),
        is_held=True,
        followers=unheld_access_tokens(now),
        kinds=kinds,
    )


def _idle_refresh_tokens(now: datetime) -> ExpiryStage | None:
    expires_after = refresh_token_expire_timedelta()
    if expires_after is None:
        return None
    return ExpiryStage(
        name="idle_refresh_tokens",
        expired=idle_refresh_tokens(now),
        candidates=_rows(get_access_token_model()).filter(expires__lt=now - expires_after),
        order=("expires", "pk"),
        path="access_token",
        is_held=True,
        followers=unheld_access_tokens(now),
    )


def _revoked_refresh_tokens(now: datetime) -> ExpiryStage | None:
    is_revoked = _is_revoked(now)
    if is_revoked is None:
        return None
    rows = _rows(get_refresh_token_model()).filter(is_revoked)
    return ExpiryStage(
        name="revoked_refresh_tokens",
        expired=rows,
        candidates=rows,
        order=("revoked", "pk"),
        is_held=True,
        followers=unheld_access_tokens(now),
    )


def _orphaned_refresh_tokens(now: datetime) -> ExpiryStage:
    rows = _rows(get_refresh_token_model()).filter(_IS_ORPHANED)
    return ExpiryStage(
        name="orphaned_refresh_tokens",
        expired=rows,
        candidates=rows,
        order=("pk",),
        is_held=True,
        followers=unheld_access_tokens(now),
        lead=("access_token", _rows(get_refresh_token_model()).filter(access_token__isnull=True)),
    )


def _access_tokens(now: datetime) -> ExpiryStage:
    return ExpiryStage(
        name="access_tokens",
        expired=unheld_access_tokens(now),
        candidates=_rows(get_access_token_model()).filter(expires__lt=now),
        order=("expires", "pk"),
    )


def _id_tokens(now: datetime) -> ExpiryStage:
    over = _rows(get_id_token_model()).filter(expires__lt=now)
    return ExpiryStage(
        name="id_tokens",
        expired=unheld(over, get_access_token_model()._meta.get_field("id_token")),
        candidates=over,
        order=("expires", "pk"),
    )


def _by_expires_alone(now: datetime) -> Iterator[ExpiryStage]:
    """Yield the kinds that nothing holds: authorization codes, device codes, pushed requests."""
    kinds = (
        ("grants", get_grant_model()),
        ("device_grants", get_device_grant_model()),
        ("pushed_authorization_requests", get_par_request_model()),
    )
    for name, model in kinds:
        rows = _rows(model).filter(expires__lt=now)
        yield ExpiryStage(name=name, expired=rows, candidates=rows, order=("expires", "pk"))


def unheld_access_tokens(now: datetime) -> QuerySet[Any]:
    """Return the access tokens that are expired and that no refresh token holds."""
    over = _rows(get_access_token_model()).filter(expires__lt=now)
    return unheld(over, get_refresh_token_model()._meta.get_field("access_token"))
