"""The audit trail: recorded where things are done, asked with filters, exported row by row.

Whoever acts for somebody opens an `origin` around it: what is recorded inside knows who, by which way and from
which address.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.db import router
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from .models import AuditAction, AuditEvent, Run, Trigger
from .settings import maintenance_settings

FIELDS = (
    "id",
    "created",
    "action",
    "actor",
    "source",
    "address",
    "operation",
    "run",
    "target",
    "reason",
    "effect",
)
"""The columns of an export, in order."""

ROWS_AT_ONCE = 1000
LOOKED_AT = 10_000
"""Events that one statement looks at for what no index narrows."""
LOOKS = 5
"""Such statements for one page."""
OUT_OF_STEP = 1000
"""Keys by which the order of dates may differ from that of keys: of two at once the later may commit first."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the start of a formula."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who acts, by which way, from which address."""

    actor: str = ""
    source: str = ""
    address: str | None = None


_NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("maintenance_origin", default=_NOWHERE)


@contextmanager
def origin(*, actor: str = "", source: str = "", address: str | None = None) -> Iterator[None]:
    """Have what is recorded inside come from there."""
    token = _origin.set(Origin(actor=actor, source=source, address=address))
    try:
        yield
    finally:
        _origin.reset(token)


@contextmanager
def origin_of(request: HttpRequest) -> Iterator[None]:
    """Have what is recorded inside come from the user of `request`, by the admin."""
    user = getattr(request, "user", None)
    actor = user.get_username() if user is not None and user.is_authenticated else ""
    with origin(actor=actor, source=Trigger.ADMIN, address=client_address(request)):
        yield


def client_address(request: HttpRequest) -> str | None:
    """Return the address in CLIENT_ADDRESS_META of the request; None where it holds none."""
    address = str(request.META.get(maintenance_settings.CLIENT_ADDRESS_META, "")).split(",")[0].strip()
    try:
        validate_ipv46_address(address)
    except ValidationError:
        return None
    return address


def record(
    action: AuditAction,
    *,
    actor: str = "",
    source: str = "",
    run: Run | None = None,
    operation: str = "",
    target: str = "",
    reason: str = "",
    effect: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Add to the trail. Never hand it a token, a code or a secret: keys, names and counts only."""
    here = _origin.get()
    return AuditEvent.objects.using(router.db_for_write(AuditEvent)).create(
        action=action,
        actor=actor or here.actor,
        source=source or here.source,
        address=here.address,
        operation=run.operation if run is not None else operation,
        run=run.pk if run is not None else None,
        target=target[:255],
        reason=reason,
        effect=dict(effect or {}),
    )


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What of the trail is asked for; what is empty does not narrow it. `until` is exclusive."""

    action: str = ""
    actor: str = ""
    source: str = ""
    operation: str = ""
    run: UUID | None = None
    search: str = ""
    """In actor, target and reason, whatever the case."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_looked_for(self) -> bool:
        """Tell whether only reading event after event finds what is asked for: no index narrows it."""
        return bool(self.source or self.operation or self.search)

    def events(self) -> QuerySet[AuditEvent]:
        """Return the events, the newest first."""
        exact = {
            "action": self.action,
            "actor": self.actor,
            "source": self.source,
            "operation": self.operation,
            "run": self.run,
            "created__gte": self.since,
            "created__lt": self.until,
        }
        rows = AuditEvent.objects.filter(**{name: value for name, value in exact.items() if value})
        if self.search:
            words = [Q(**{f"{name}__icontains": self.search}) for name in ("actor", "target", "reason")]
            rows = rows.filter(words[0] | words[1] | words[2])
        return rows.order_by("-id")


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Some events, the newest first; older ones, if any, are before the key `older`."""

    events: list[AuditEvent]
    older: int | None
    is_cut: bool = False
    """The look ended before the trail did: there may be older ones."""


def page_of(asked: AuditFilter, *, before: int | None, size: int) -> AuditPage:
    """Return at most `size` events that are asked for, of those before the key `before`.

    What no index narrows is looked for among a bounded number of events, LOOKS times LOOKED_AT.
    """
    events = asked.events()
    if asked.is_looked_for:
        return _looked_for(asked, before=before, size=size)
    found = list((events if before is None else events.filter(id__lt=before))[: size + 1])
    return AuditPage(events=found[:size], older=found[size - 1].pk if len(found) > size else None)


def _looked_for(asked: AuditFilter, *, before: int | None, size: int) -> AuditPage:
    ends = _ends(asked)
    if ends is None:
        return AuditPage(events=[], older=None)
    first, upto = ends[0], min(before or ends[1] + 1, ends[1] + 1)
    found: list[AuditEvent] = []
    for _look in range(LOOKS):
        window = asked.events().filter(id__lt=upto, id__gte=upto - LOOKED_AT)
        found += window[: size + 1 - len(found)]
        if len(found) > size:
            return AuditPage(events=found[:size], older=found[size - 1].pk)
        upto -= LOOKED_AT
        if upto <= first:
            return AuditPage(events=found, older=None)
    return AuditPage(events=found, older=upto, is_cut=True)


def _ends(asked: AuditFilter) -> tuple[int, int] | None:
    """Return the keys between which the events of the time that is asked for are; None where there are none."""
    stored = AuditEvent.objects.order_by("created")
    if asked.since:
        stored = stored.filter(created__gte=asked.since)
    if asked.until:
        stored = stored.filter(created__lt=asked.until)
    oldest, newest = stored.first(), stored.last()
    if oldest is None or newest is None:
        return None
    return oldest.pk - OUT_OF_STEP, newest.pk + OUT_OF_STEP


def export_json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Yield one JSON object to a line, reading a bounded number of rows at a time."""
    for event in _in_pages(events):
        yield json.dumps(_values(event)) + "\n"


def export_csv(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Yield a header and one line to an event (RFC 4180); no cell can be taken for a formula."""
    writer = csv.writer(_Echo())
    yield writer.writerow(FIELDS)
    for event in _in_pages(events):
        yield writer.writerow([_cell(value) for value in _values(event).values()])


def _in_pages(events: QuerySet[AuditEvent]) -> Iterator[AuditEvent]:
    """Yield the events, newest first, by windows of keys: no cursor of the engine stays open meanwhile."""
    below: int | None = None
    while True:
        page = list((events if below is None else events.filter(id__lt=below))[:ROWS_AT_ONCE])
        yield from page
        if len(page) < ROWS_AT_ONCE:
            return
        below = page[-1].pk


def _values(event: AuditEvent) -> dict[str, Any]:
    values = {name: getattr(event, name) for name in FIELDS}
    values["created"] = event.created.isoformat()
    values["run"] = str(event.run) if event.run else None
    return values


def _cell(value: Any) -> Any:
    """Return `value` for a spreadsheet; text that it would compute is led by an apostrophe (CWE-1236)."""
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, value: str) -> str:
        return value
