"""Applications that nobody uses: which they are, why one stays, and how one goes with all it has.

Three kinds are told apart: never authorized (no user ever consented, no token was ever issued: what a flood of
dynamic registrations leaves behind), dormant (used once, not for long), and active. What counts is
`Application.last_used`, which outlives the tokens; rows that are there bear witness too. A registration token
(RFC 7591) is not use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import models, router, transaction
from django.db.models import (
    Case,
    ExpressionWrapper,
    OuterRef,
    ProtectedError,
    Q,
    QuerySet,
    RestrictedError,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from ..batching import atomically, is_among
from ..models import (
    ClientSecret,
    get_access_token_model,
    get_application_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from ..models.deletion import DeleteSome, compile_delete_some, delete_rows, slow_path_reasons
from ..models.expiry import is_usable, refresh_tokens_with_end, unheld_access_tokens
from ..settings import oauth2_settings

OF_APPLICATION = Q(application=OuterRef("pk"))
IN_BRIEF = ("pk", "client_id", "name", "skip_authorization", "is_young", "was_used", "is_in_use")
"""What a verdict goes by and says of an application, and of what it has (see `_with_evidence`)."""


class InactiveKind(models.TextChoices):
    """What kind of inactive application it is: the reason why it goes."""

    NEVER_AUTHORIZED = "never_authorized"
    DORMANT = "dormant"


class Kept(models.TextChoices):
    """Why an application that looked inactive stays."""

    HAS_ACTIVE_TOKENS = "has_active_tokens"
    HAS_ACTIVE_GRANTS = "has_active_grants"
    SKIP_AUTHORIZATION = "skip_authorization"
    PROTECTED = "protected"
    RECENTLY_USED = "recently_used"
    TOO_YOUNG = "too_young"
    REFERENCED = "referenced"


@dataclass(frozen=True, kw_only=True)
class InactivityRule:
    """From when on an application counts as inactive, and which ones stay anyway."""

    now: datetime
    days: int
    never_authorized_days: int
    protected_among: Callable[[Sequence[str]], Collection[str]] = lambda client_ids: ()
    """Of some client_ids, those that stay: asked anew for each look, which may be the last before a delete."""
    is_protected: Callable[[Any], bool] | None = None
    """The site's own word on an application besides, where it has one."""

    @property
    def used_before(self) -> datetime:
        return self.now - timedelta(days=self.days)

    @property
    def registered_before(self) -> datetime:
        return self.now - timedelta(days=self.never_authorized_days)

    @cached_property
    def looks(self) -> QuerySet[Any]:
        """Candidates, as they are looked at. To make this takes longer than to narrow it to some."""
        return _with_evidence(self, candidates(self))

    @cached_property
    def uses(self) -> QuerySet[Any]:
        """Applications with how they are used, for those that are."""
        return _with_uses(self, _rows(get_application_model()))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to happen to an application; `kept` is None for one that goes."""

    application: Any
    kind: InactiveKind
    kept: Kept | None

    def as_dict(self) -> dict[str, Any]:
        """Return name, client_id, deleted, and the reason for either."""
        return {
            "name": self.application.name,
            "client_id": self.application.client_id,
            "deleted": self.kept is None,
            "reason": str(self.kept or self.kind),
        }


def candidates(rule: InactivityRule) -> QuerySet[Any]:
    """Return the applications whose own row looks inactive. What they hold is `judge`'s to look at."""
    return _rows(get_application_model()).filter(looks_dormant(rule) | looks_never_authorized(rule))


def looks_dormant(rule: InactivityRule) -> Q:
    """Return the condition that an application's own row says it was used, and not for long."""
    return Q(last_used__lt=rule.used_before, created__lt=rule.used_before)


def looks_never_authorized(rule: InactivityRule) -> Q:
    """Return the condition that an application's own row says nobody ever used it."""
    return Q(last_used__isnull=True, created__lt=rule.registered_before)


def judge(rule: InactivityRule, keys: Iterable[Any], *, in_brief: bool = False) -> list[Verdict]:
    """Return a verdict on each of the applications `keys` that is a candidate, in the order of their keys.

    `in_brief` has only IN_BRIEF read of each, if the site does not ask for more.
    """
    applications = rule.looks.filter(is_among("pk", list(keys))).order_by("pk")
    if in_brief and rule.is_protected is None:
        applications = applications.values_list(*IN_BRIEF, named=True)
    looked_at = list(applications)
    protected = rule.protected_among([application.client_id for application in looked_at])
    uses = _uses(rule, [application.pk for application in looked_at if application.is_in_use])
    return [
        _verdict(rule, application, uses.get(application.pk), is_protected=application.client_id in protected)
        for application in looked_at
    ]


class DeadRows:
    """What is over of the applications `keys`, to be deleted some rows at a time by statements that are kept."""

    def __init__(self, rule: InactivityRule, keys: Sequence[Any]) -> None:
        self.keys = keys
        self._rule = rule
        self._unused = candidates(rule).filter(is_among("pk", keys)).values_list("pk", flat=True)
        self._owners: list[Any] = []
        self._deletes: dict[int, DeleteSome] = {}

    def delete(self, *, size: int, kind: int = 0) -> tuple[Counter[str], int | None]:
        """Delete about `size` rows, from the kind of that number on.

        Returns the rows that went, by table, and the number of the kind to go on with; None after the last. A kind is
        done when all that was looked at went, and there was room for more, or nothing did: some may be held by rows
        that another clean-up is about to take. The caller holds the transaction. What is live stays: an application
        that is used meanwhile loses nothing.
        """
        counts: Counter[str] = Counter()
        owners = list(self._unused.all())
        while owners and kind < len(KINDS) and (left := size - counts.total()) > 0:
            outcome = self._compiled(kind, owners)(left)
            counts += outcome.counts
            is_stuck = outcome.stayed == outcome.chosen
            if is_stuck and outcome.chosen == left < size:
                break  # live rows fill the room that is left: the next call sees further
            if is_stuck or (not outcome.stayed and outcome.chosen < left):
                kind += 1
        return counts, kind if owners and kind < len(KINDS) else None

    def _compiled(self, kind: int, owners: list[Any]) -> DeleteSome:
        if owners != self._owners:
            self._owners, self._deletes = owners, {}
        if kind not in self._deletes:
            self._deletes[kind] = KINDS[kind](self._rule, is_among("application", owners))
        return self._deletes[kind]


def remove_applications(
    rule: InactivityRule, keys: Sequence[Any], *, archive: Callable[[Sequence[Any]], None]
) -> tuple[list[Verdict], Counter[str]]:
    """Remove those of the applications `keys` that are still inactive, after `archive` was called with them.

    The caller holds the transaction. The applications are locked first and looked at then: whoever issues a token
    marks its application used before, so it either comes first and saves it, or finds it gone. Returns the verdicts,
    and the rows that went by table.
    """
    applications = _rows(get_application_model())
    list(applications.filter(is_among("pk", keys)).order_by("pk").select_for_update().values_list("pk"))
    verdicts = judge(rule, keys)
    going = [verdict.application for verdict in verdicts if verdict.kept is None]
    if not going:
        return verdicts, Counter()
    if slow_path_reasons(applications.model):
        return _remove_one_by_one(verdicts, archive)
    archive(going)
    counts = _delete_all_rows(going)
    gone = applications.filter(is_among("pk", [application.pk for application in going]))
    return verdicts, counts + delete_rows(gone, is_held=False)


def delete_applications(applications: Sequence[Any]) -> Counter[str]:
    """Delete `applications` with everything that was issued to them; returns the rows that went, by table.

    By set, in one transaction, unless the site hooked into the deletion of applications: then by the ORM. The
    applications are locked first: whoever issues a token meanwhile finds them gone. Raises ProtectedError or
    RestrictedError for what a row of the site's holds.
    """
    model = get_application_model()
    rows = _rows(model).filter(is_among("pk", [application.pk for application in applications]))

    def remove() -> Counter[str]:
        list(rows.order_by("pk").select_for_update().values_list("pk"))
        return _delete_all_rows(applications) + delete_rows(rows, is_held=False)

    return atomically(remove, using=router.db_for_write(model))


def rows_of_applications(keys: Sequence[Any]) -> list[QuerySet[Any]]:
    """Return what the applications `keys` have, table by table: tokens, codes, ID tokens."""
    models = (get_access_token_model(), get_refresh_token_model(), get_id_token_model(), get_grant_model())
    return [_rows(model).filter(is_among("application", keys)) for model in models]


def _verdict(rule: InactivityRule, application: Any, use: Kept | None, *, is_protected: bool) -> Verdict:
    kind = InactiveKind.DORMANT if application.was_used else InactiveKind.NEVER_AUTHORIZED
    kept = Kept.PROTECTED if is_protected else _kept(rule, application, kind, use)
    return Verdict(application=application, kind=kind, kept=kept)


def _kept(rule: InactivityRule, application: Any, kind: InactiveKind, use: Kept | None) -> Kept | None:
    if application.skip_authorization:
        return Kept.SKIP_AUTHORIZATION
    if rule.is_protected is not None and rule.is_protected(application):
        return Kept.PROTECTED
    if use is not None:
        return use
    if kind is InactiveKind.DORMANT and application.is_young:
        return Kept.TOO_YOUNG
    return None


def _with_evidence(rule: InactivityRule, applications: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate what an application and its rows say. Each kind of row is looked through once."""
    *_, id_tokens = witnesses = _witnesses()
    is_late = Q(created__gte=rule.used_before)
    in_use = [rows.filter(OF_APPLICATION, is_late | is_live) for rows, is_live in _live(rule)]
    in_use += [id_tokens.filter(OF_APPLICATION, is_late), _live_device_grants(rule)]
    is_marked = Case(When(last_used__isnull=False, then=Value(True)))
    return applications.annotate(
        is_young=ExpressionWrapper(Q(created__gte=rule.used_before), models.BooleanField()),
        was_used=_any((rows.filter(OF_APPLICATION) for rows in witnesses), is_marked),
        is_in_use=_any(in_use),
    )


def _with_uses(rule: InactivityRule, applications: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate what an application has that is alive."""
    tokens, refresh_tokens, grants = (rows.filter(OF_APPLICATION, is_live) for rows, is_live in _live(rule))
    return applications.annotate(
        has_tokens=_any([tokens, refresh_tokens]), has_grants=_any([grants, _live_device_grants(rule)])
    )


def _uses(rule: InactivityRule, keys: Sequence[Any]) -> dict[Any, Kept]:
    """Return how the applications `keys`, which are in use, are used."""
    if not keys:
        return {}
    found = rule.uses.filter(is_among("pk", keys))
    uses = {}
    for pk, has_tokens, has_grants in found.values_list("pk", "has_tokens", "has_grants"):
        live = Kept.HAS_ACTIVE_TOKENS if has_tokens else Kept.HAS_ACTIVE_GRANTS if has_grants else None
        uses[pk] = live or Kept.RECENTLY_USED
    return uses


def _witnesses() -> list[QuerySet[Any]]:
    """Return the rows that say that an application was used; ID tokens, which are no use while they live, last."""
    models = (get_refresh_token_model(), get_grant_model(), get_id_token_model())
    return [_used_tokens(), *map(_rows, models)]


def _live(rule: InactivityRule) -> list[tuple[QuerySet[Any], Q]]:
    """Return tokens, refresh tokens and codes, each with the condition that a row is alive."""
    is_unexpired = Q(end__gte=rule.now)
    return [
        (_with_end(_used_tokens()), is_unexpired),
        (refresh_tokens_with_end(rule.now), is_usable(rule.now)),
        (_with_end(_rows(get_grant_model())), is_unexpired),
    ]


def _live_device_grants(rule: InactivityRule) -> QuerySet[Any]:
    rows = _with_end(_rows(get_device_grant_model()))
    return rows.filter(client_id=OuterRef("client_id"), end__gte=rule.now)


def _with_end(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return `rows` with `end`, when they expire: as an expression, for which no planner reads all that live."""
    return rows.alias(end=Coalesce("expires", "expires"))


def _any(querysets: Iterable[QuerySet[Any]], *known: Any) -> Any:
    """Return whether one of `querysets` has a row, asked in their order, where none of `known` says so.

    Scalar subqueries, each of which looks into an index; of EXISTS a planner may make a hash of the whole table.
    """
    found = (Subquery(rows.values(found=Value(True))[:1]) for rows in querysets)
    return Coalesce(*known, *found, Value(False), output_field=models.BooleanField())


def _used_tokens() -> QuerySet[Any]:
    return _rows(get_access_token_model()).exclude(scope=oauth2_settings.DCR_REGISTRATION_SCOPE)


def _dead_refresh_tokens(rule: InactivityRule, owned: Any) -> DeleteSome:
    return compile_delete_some(
        refresh_tokens_with_end(rule.now).exclude(is_usable(rule.now)),
        among=_rows(get_refresh_token_model()).filter(owned),
        by="application",
        followers=unheld_access_tokens(rule.now),
    )


def _dead_access_tokens(rule: InactivityRule, owned: Any) -> DeleteSome:
    rows, holder = _rows(get_access_token_model()), get_refresh_token_model()._meta.get_field("access_token")
    over, among = rows.filter(expires__lt=rule.now), rows.filter(owned)
    return compile_delete_some(over, among=among, by="application", holder=holder, is_held=False)


def _dead_id_tokens(rule: InactivityRule, owned: Any) -> DeleteSome:
    rows, holder = _rows(get_id_token_model()), get_access_token_model()._meta.get_field("id_token")
    over, among = rows.filter(expires__lt=rule.now), rows.filter(owned)
    return compile_delete_some(over, among=among, by="application", holder=holder, is_held=False)


def _expired_grants(rule: InactivityRule, owned: Any) -> DeleteSome:
    rows = _rows(get_grant_model())
    over, among = rows.filter(expires__lt=rule.now), rows.filter(owned)
    return compile_delete_some(over, among=among, by="application", is_held=False)


KINDS = (_dead_refresh_tokens, _dead_access_tokens, _dead_id_tokens, _expired_grants)
"""What is over of the applications whose rows are `owned`, in the order in which it can go."""


def _delete_all_rows(applications: Sequence[Any]) -> Counter[str]:
    """Delete what is left of `applications`: registration tokens, ID tokens, little else."""
    owned = is_among("application", [application.pk for application in applications])
    clients = [application.client_id for application in applications]
    counts = delete_rows(_rows(ClientSecret).filter(owned), is_held=False)
    counts += delete_rows(_rows(get_refresh_token_model()).filter(owned))
    counts += delete_rows(_rows(get_access_token_model()).filter(owned), is_held=False)
    counts += delete_rows(_rows(get_id_token_model()).filter(owned), is_held=False)
    counts += delete_rows(_rows(get_grant_model()).filter(owned), is_held=False)
    counts += delete_rows(
        _rows(get_device_grant_model()).filter(is_among("client_id", clients)), is_held=False
    )
    return counts


def _remove_one_by_one(
    verdicts: list[Verdict], archive: Callable[[Sequence[Any]], None]
) -> tuple[list[Verdict], Counter[str]]:
    """Delete through the ORM, for sites that hook in. An application that something protects is kept whole."""
    counts: Counter[str] = Counter()
    judged: list[Verdict] = []
    for verdict in verdicts:
        application, kept = verdict.application, verdict.kept
        if kept is None:
            try:
                with transaction.atomic(using=application._state.db):
                    archive([application])
                    removed = _delete_all_rows([application])
                    removed += delete_rows(_rows(type(application)).filter(pk=application.pk))
                counts += removed
            except (ProtectedError, RestrictedError):
                kept = Kept.REFERENCED
        judged.append(Verdict(application=application, kind=verdict.kind, kept=kept))
    return judged, counts


def _rows(model: Any) -> QuerySet[Any]:
    return model._base_manager.using(router.db_for_write(model)).order_by()
