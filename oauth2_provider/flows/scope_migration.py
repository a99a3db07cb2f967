"""Replacing a scope in what was issued (RFC 6749 section 3.3).

Whole words only, in order, none twice, other words untouched. A JWT that is out already keeps what it says. The rule is
`replaced`; in the database it is applied by set, once for each different text there is in a window.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import Case, F, Func, QuerySet, Value, When
from django.db.models.functions import Concat, StrIndex
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from ..batching import Walk, Window, with_retries
from ..models import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from ..scopes import get_scopes_backend

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
TEXTS_IN_A_STATEMENT = 200


class InvalidScopeMigration(ValueError):  # noqa: N818 - the fact
    """The scopes cannot be replaced that way; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ScopeMigration:
    """`old` becomes `new`, which may be several scopes, or none. See `scope_migration`."""

    old: str
    new: tuple[str, ...]

    def replaced(self, scope: str) -> str:
        """Return `scope` rewritten."""
        words: list[str] = []
        for word in scope.split():
            words += self.new if word == self.old else [word]
        return " ".join(dict.fromkeys(words))


def scope_migration(old: str, new: str | Sequence[str], *, force: bool = False) -> ScopeMigration:
    """Return the migration from `old` to `new` (words in a text, or a sequence of them; empty: drop `old`).

    Raises InvalidScopeMigration for a word that is no scope-token, for one that stays itself, and for a new scope
    that the scopes backend does not know, unless `force`.
    """
    words = new.split() if isinstance(new, str) else list(new)
    for word in (old, *words):
        if not SCOPE_TOKEN.fullmatch(word):
            raise InvalidScopeMigration(f"{word!r} is no scope (RFC 6749 section 3.3).")
    if words == [old]:
        raise InvalidScopeMigration(f"{old!r} would become itself.")
    unknown = sorted(set(words) - get_scopes_backend().get_all_scopes().keys())
    if unknown and not force:
        raise InvalidScopeMigration(
            f"The scopes backend does not know {', '.join(unknown)}. Add it to SCOPES first, or force it."
        )
    return ScopeMigration(old=old, new=tuple(dict.fromkeys(words)))


@dataclass(frozen=True, kw_only=True)
class ScopeStage:
    """The rows of one table."""

    migration: ScopeMigration
    model: Any

    @property
    def name(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @property
    def rows(self) -> QuerySet[Any]:
        """All rows: the scope has no index, and by primary key each statement's cost is bounded."""
        return self.model._base_manager.using(router.db_for_write(self.model)).order_by()

    def affected(self) -> QuerySet[Any]:
        """Return the rows that have the old scope."""
        word = f" {self.migration.old} "
        rows = self.rows.alias(
            padded=Concat(Value(" "), "scope", Value(" "), output_field=models.TextField())
        )
        if connections[rows.db].vendor == "mysql":
            return rows.filter(padded__contains=word)  # compares bytes there
        return rows.alias(found=StrIndex("padded", Value(word))).filter(found__gt=0)

    def walk(self) -> Walk:
        return Walk(rows=self.rows)

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        """Rewrite the affected rows of `window` (the caller holds the transaction); returns how many, by table."""
        rows = self.affected().filter(walk.inside(window))
        rewrite = _rewrite_one_by_one if slow_path_reasons(self.model) else _rewrite_by_set
        return Counter({self.model._meta.db_table: rewrite(rows, self.migration)})


def scope_stages(migration: ScopeMigration) -> list[ScopeStage]:
    """Return the tables to go through. Refresh tokens first, from which the scopes of new access tokens come."""
    kinds = (
        get_refresh_token_model(),
        get_grant_model(),
        get_device_grant_model(),
        get_access_token_model(),
        get_id_token_model(),
    )
    return [ScopeStage(migration=migration, model=model) for model in kinds if _has_scope(model)]


def migrate_scopes(migration: ScopeMigration, *, window_rows: int = 5000) -> Counter[str]:
    """Apply `migration` to what was issued until now, here and now; returns the rows changed by table."""
    counts: Counter[str] = Counter()
    walks = [(stage, walk, walk.last()) for stage in scope_stages(migration) for walk in (stage.walk(),)]
    for stage, walk, last in walks:
        after = None
        while last is not None and (window := walk.next_window(after=after, last=last, size=window_rows)):
            after = window.upto
            counts.update(with_retries(partial(_in_transaction, stage, walk, window), using=stage.rows.db))
    return counts


def slow_path_reasons(model: Any) -> list[str]:
    """Return why rows must be saved one by one; empty where a statement may change them."""
    name = model._meta.label
    reasons = []
    if pre_save.has_listeners(model) or post_save.has_listeners(model):
        reasons.append(f"{name} has save signals connected")
    if model.save is not models.Model.save:
        reasons.append(f"{name} overrides save()")
    return reasons


def _in_transaction(stage: ScopeStage, walk: Walk, window: Window) -> Counter[str]:
    with transaction.atomic(using=stage.rows.db):
        return stage.work_window(walk, window)


def _has_scope(model: Any) -> bool:
    return any(field.name == "scope" for field in model._meta.concrete_fields)


def _rewrite_by_set(rows: QuerySet[Any], migration: ScopeMigration) -> int:
    changed = 0
    stamps = {"updated": timezone.now()} if hasattr(rows.model, "updated") else {}
    for texts in _texts(rows):
        cases = [
            When(exact=_comparable(text, rows.db), then=Value(migration.replaced(text))) for text in texts
        ]
        scope = Case(*cases, default=F("scope"), output_field=models.TextField())
        among = rows.alias(exact=_exact(rows.db)).filter(
            exact__in=[_comparable(text, rows.db) for text in texts]
        )
        changed += among.update(scope=scope, **stamps)
    return changed


def _texts(rows: QuerySet[Any]) -> Iterator[list[str]]:
    """Yield the different texts, some at a time: few, for a site has few combinations of scopes."""
    found = rows.order_by().values_list(_exact(rows.db), flat=True).distinct()
    texts = [text if isinstance(text, str) else bytes(text).decode() for text in found]
    for start in range(0, len(texts), TEXTS_IN_A_STATEMENT):
        yield texts[start : start + TEXTS_IN_A_STATEMENT]


def _exact(using: str) -> Any:
    """Return the scope as what compares exactly: MySQL's collations take "Read" for "read"."""
    if connections[using].vendor != "mysql":
        return F("scope")
    return Func("scope", template="CAST(%(expressions)s AS BINARY)", output_field=models.BinaryField())


def _comparable(text: str, using: str) -> Any:
    return text.encode() if connections[using].vendor == "mysql" else text


def _rewrite_one_by_one(rows: QuerySet[Any], migration: ScopeMigration) -> int:
    changed = 0
    for row in rows.order_by("pk").select_for_update():
        row.scope = migration.replaced(row.scope)
        names = [field.name for field in row._meta.concrete_fields if field.name in ("scope", "updated")]
        row.save(update_fields=names)
        changed += 1
    return changed
