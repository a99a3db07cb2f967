"""Ending, by set, every credential that a user was given (RFC 7009 section 2.1, RFC 9700 section 4.14).

What counts is when a credential was given: before a cutoff, or after it out of one that was: by a rotation or a
code exchange that was under way. Locks go to refresh tokens first and in the order of their keys, as everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from ..batching import IsAnyOf, Walk, Window, atomically, counted_up_to, in_chunks, with_retries
from ..models import (
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from ..models.access_token import AbstractAccessToken
from ..models.deletion import delete_rows, postgresql, slow_path_reasons
from ..models.refresh_token import AbstractRefreshToken
from ..settings import oauth2_settings

COUNTED_AT_MOST = 1_000_000
STRAGGLERS_AT_ONCE = 1000
LOOKS = 50
"""For stragglers, in one transaction."""
SELECTED_AT_ONCE = 500
"""Rows of a selection that one transaction ends."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whose credentials: those of `users` (primary keys; None: of every user), on `application` (None: on all).

    `spares_registrations`: not the tokens by which clients that the users have registered are managed (RFC 7592).
    """

    users: tuple[Any, ...] | None
    application: Any | None = None
    spares_registrations: bool = False

    def rows(self, model: Any) -> QuerySet[Any]:
        """Return the holder's rows of `model`."""
        rows = model._base_manager.using(router.db_for_write(model)).order_by()
        rows = rows.filter(user__isnull=False) if self.users is None else rows.filter(user__in=self.users)
        if self.application is None:
            return rows
        if model is get_device_grant_model():
            clients = get_application_model()._base_manager.filter(pk=self.application)
            return rows.filter(client_id__in=list(clients.values_list("client_id", flat=True)))
        return rows.filter(application=self.application)


@dataclass(frozen=True, kw_only=True)
class RevocationStage:
    """Credentials of one kind, and what ends those of a window (the caller holds the transaction)."""

    name: str
    rows: QuerySet[Any]
    end: Callable[[QuerySet[Any]], Counter[str]]

    def walk(self) -> Walk:
        return Walk(rows=self.rows)

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        return self.end(self.rows.filter(walk.inside(window)))


def revocation_stages(holder: Holder, cutoff: datetime) -> list[RevocationStage]:
    """Return what has to end, in the order that lets nothing be minted from what is left.

    Codes first, then refresh tokens with their access tokens, then the access tokens that no refresh token holds, then
    the ID tokens left over. A refresh token keeps its row, stamped; the rest is deleted.
    """
    return [
        RevocationStage(name="grants", rows=_grants(holder, cutoff), end=_delete),
        RevocationStage(name="device_grants", rows=holder.rows(get_device_grant_model()), end=_delete),
        RevocationStage(
            name="refresh_tokens", rows=_refresh_tokens(holder, cutoff), end=revoke_refresh_tokens
        ),
        RevocationStage(name="access_tokens", rows=_access_tokens(holder, cutoff), end=_end_access_tokens),
        RevocationStage(name="id_tokens", rows=_id_tokens(holder, cutoff), end=_delete),
    ]


def end_stragglers(holder: Holder, cutoff: datetime) -> Counter[str]:
    """End what clients made meanwhile out of what they had; returns the rows ended by table.

    A rotation that was under way when its refresh token was to be revoked leaves another one, which that statement did
    not see. It is looked for at once, and again: long before the client can come back with it. The caller holds the
    transaction, which reads what others have committed.
    """
    counts: Counter[str] = Counter()
    for _ in range(LOOKS):
        is_clean = True
        for stage in revocation_stages(holder, cutoff):
            keys = list(stage.rows.values_list("pk", flat=True)[:STRAGGLERS_AT_ONCE])
            if keys:
                is_clean = False
                counts.update(stage.end(stage.rows.filter(pk__in=keys)))
        if is_clean:
            break
    return +counts


def remaining_credentials(holder: Holder, cutoff: datetime) -> int:
    """Return how many credentials still work that should not."""
    return sum(counted_up_to(stage.rows, COUNTED_AT_MOST) for stage in revocation_stages(holder, cutoff))


def revoke_credentials(holder: Holder, *, window_rows: int = 5000) -> Counter[str]:
    """End what `holder` was given until now, here and now; returns the rows ended by table.

    Returns only once a look at the tables finds none left, whatever the clients do meanwhile.
    """
    cutoff = timezone.now()
    counts: Counter[str] = Counter()
    while True:
        for stage in revocation_stages(holder, cutoff):
            for work in _windows(stage, window_rows):
                counts.update(with_retries(work, using=stage.rows.db))
        using = router.db_for_write(get_refresh_token_model())
        counts.update(with_retries(partial(_end_stragglers, holder, cutoff, using), using=using))
        if not remaining_credentials(holder, cutoff):
            return counts


def revoke_refresh_tokens(rows: QuerySet[Any]) -> Counter[str]:
    """Revoke `rows`, refresh tokens, as `RefreshToken.revoke` does for one. The caller holds the transaction."""
    if revocation_slow_path_reasons():
        return _revoke_one_by_one(rows)
    if connections[rows.db].vendor == "postgresql":
        return postgresql.revoke_refresh_tokens(rows, timezone.now())
    return _revoke_in_steps(rows)


def revoke_selected_refresh_tokens(rows: QuerySet[Any]) -> Counter[str]:
    """Revoke `rows`, refresh tokens of any queryset, in short transactions; returns the rows ended by table."""
    return _end_selected(rows, revoke_refresh_tokens)


def revoke_selected_access_tokens(rows: QuerySet[Any]) -> Counter[str]:
    """Revoke `rows`, access tokens of any queryset, each with the refresh token that came with it, likewise."""
    return _end_selected(rows, _end_with_refresh_tokens)


def revocation_slow_path_reasons() -> list[str]:
    """Return why tokens must be revoked one by one; empty where a statement may do it."""
    refresh_token, access_token = get_refresh_token_model(), get_access_token_model()
    reasons = [*slow_path_reasons(access_token), *slow_path_reasons(get_id_token_model())]
    if pre_save.has_listeners(refresh_token) or post_save.has_listeners(refresh_token):
        reasons.append(f"{refresh_token._meta.label} has save signals connected")
    for model, stock in ((refresh_token, AbstractRefreshToken), (access_token, AbstractAccessToken)):
        if model.revoke is not stock.revoke or model.save is not models.Model.save:
            reasons.append(f"{model._meta.label} overrides revoke() or save()")
    return reasons


def _end_selected(rows: QuerySet[Any], end: Callable[[QuerySet[Any]], Counter[str]]) -> Counter[str]:
    """End `rows` in the order of their keys. A transaction that loses a race for locks is run again."""
    model, counts = rows.model, Counter[str]()
    using = router.db_for_write(model)
    selected = rows.using(using).order_by("pk").values_list("pk", flat=True)
    keys = list(selected[:SELECTED_AT_ONCE])
    while keys:
        chosen = model._base_manager.using(using).filter(pk__in=keys).order_by()
        counts.update(atomically(partial(end, chosen), using=using))
        keys = list(selected.filter(pk__gt=keys[-1])[:SELECTED_AT_ONCE])
    return counts


def _end_with_refresh_tokens(rows: QuerySet[Any]) -> Counter[str]:
    holders = get_refresh_token_model()._base_manager.using(rows.db).order_by()
    return revoke_refresh_tokens(holders.filter(access_token__in=rows.values("pk"))) + _end_access_tokens(
        rows
    )


def _windows(stage: RevocationStage, size: int) -> Iterator[Callable[[], Counter[str]]]:
    walk = stage.walk()
    last, after = walk.last(), None
    while last is not None and (window := walk.next_window(after=after, last=last, size=size)):
        after = window.upto
        yield partial(_in_transaction, stage, walk, window)


def _in_transaction(stage: RevocationStage, walk: Walk, window: Window) -> Counter[str]:
    with transaction.atomic(using=stage.rows.db):
        return stage.work_window(walk, window)


def _end_stragglers(holder: Holder, cutoff: datetime, using: str) -> Counter[str]:
    with transaction.atomic(using=using):
        return end_stragglers(holder, cutoff)


# -- what was given before the cutoff, or out of it


def _grants(holder: Holder, cutoff: datetime) -> QuerySet[Any]:
    """Codes that can still be exchanged. A redeemed one stays: it leads to what was issued from it."""
    return holder.rows(get_grant_model()).filter(created__lte=cutoff, redeemed__isnull=True)


def _refresh_tokens(holder: Holder, cutoff: datetime) -> QuerySet[Any]:
    """Refresh tokens that are live, or hold an access token all the same."""
    model = get_refresh_token_model()
    family = model._base_manager.filter(token_family=OuterRef("token_family"), created__lte=cutoff)
    source = get_access_token_model()._base_manager.filter(
        Q(created__lte=cutoff) | Q(source_refresh_token__created__lte=cutoff), pk=OuterRef("access_token")
    )
    codes = _redeemed(cutoff).filter(token_family=OuterRef("token_family"))
    rows = holder.rows(model).filter(Q(revoked__isnull=True) | Q(access_token__isnull=False))
    rows = rows.alias(family=_any(family), source=_any(source), code=_any(codes))
    return rows.filter(
        Q(created__lte=cutoff) | Q(family__isnull=False) | Q(source__isnull=False) | Q(code__isnull=False)
    )


def _access_tokens(holder: Holder, cutoff: datetime) -> QuerySet[Any]:
    """Access tokens that no refresh token holds: the others go with theirs, which is locked first."""
    held = get_refresh_token_model()._base_manager.filter(access_token=OuterRef("pk"))
    source = get_refresh_token_model()._base_manager.filter(
        pk=OuterRef("source_refresh_token"), created__lte=cutoff
    )
    codes = _redeemed(cutoff).filter(token_checksum=OuterRef("token_checksum"))
    rows = holder.rows(get_access_token_model())
    if holder.spares_registrations:
        rows = rows.exclude(scope=oauth2_settings.DCR_REGISTRATION_SCOPE)
    rows = rows.alias(source=_any(source), code=_any(codes), held=_any(held)).filter(held__isnull=True)
    return rows.filter(Q(created__lte=cutoff) | Q(source__isnull=False) | Q(code__isnull=False))


def _id_tokens(holder: Holder, cutoff: datetime) -> QuerySet[Any]:
    held = get_access_token_model()._base_manager.filter(id_token=OuterRef("pk"))
    rows = holder.rows(get_id_token_model()).filter(created__lte=cutoff)
    return rows.alias(held=_any(held)).filter(held__isnull=True)


def _redeemed(cutoff: datetime) -> QuerySet[Any]:
    """Codes of the same user given before the cutoff: what was issued from them is older than it looks."""
    rows = get_grant_model()._base_manager.filter(created__lte=cutoff, redeemed__isnull=False)
    return rows.filter(user=OuterRef("user"))


def _any(rows: QuerySet[Any]) -> Subquery:
    """A probe of an index for each row that gets as far; not EXISTS, which a planner may turn into a scan."""
    return Subquery(rows.order_by().values("pk")[:1])


# -- what ends them


def _delete(rows: QuerySet[Any]) -> Counter[str]:
    return delete_rows(rows, is_held=False)


def _end_access_tokens(rows: QuerySet[Any]) -> Counter[str]:
    """Delete access tokens that no refresh token holds, with their ID tokens."""
    named = rows.filter(id_token__isnull=False)
    id_tokens = get_id_token_model()._base_manager.using(rows.db).order_by()
    if connections[rows.db].vendor == "postgresql" and not revocation_slow_path_reasons():
        # the foreign key is checked when the transaction ends
        return _delete(id_tokens.filter(IsAnyOf(F("pk"), named.values("id_token")))) + _delete(rows)
    keys = list(named.values_list("id_token", flat=True))
    counts = _delete(rows)
    for some in in_chunks(keys, rows.db):
        counts += _delete(id_tokens.filter(pk__in=some))
    return counts


def _revoke_in_steps(rows: QuerySet[Any]) -> Counter[str]:
    """Lock and list, stamp, delete: for engines without data-modifying CTEs, in the order of PostgreSQL's."""
    model, access_token = rows.model, get_access_token_model()
    using, now = rows.db, timezone.now()
    picked = list(rows.order_by("pk").select_for_update().values_list("pk", "access_token", "revoked"))
    for keys in in_chunks([pk for pk, *_ in picked], using):
        tokens = model._base_manager.using(using).filter(pk__in=keys)
        tokens.update(revoked=Coalesce("revoked", now), updated=now, access_token=None)
    counts = Counter({model._meta.db_table: sum(revoked is None for *_, revoked in picked)})
    for keys in in_chunks([held for _, held, _ in picked if held is not None], using):
        counts += _end_access_tokens(access_token._base_manager.using(using).filter(pk__in=keys).order_by())
    return counts


def _revoke_one_by_one(rows: QuerySet[Any]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for token in rows.order_by("pk"):
        held, was_live = token.access_token, token.revoked is None
        token.revoke()
        if not was_live and held is not None:
            held.revoke()
        counts[rows.model._meta.db_table] += int(was_live)
        counts[get_access_token_model()._meta.db_table] += int(held is not None)
    return counts
