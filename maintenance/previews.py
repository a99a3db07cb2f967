"""A preview that a run is bound to: signed, good for some minutes, and held against the numbers of the moment.

What a person has confirmed is what runs: the arguments travel in the signed preview and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils import timezone

from .exceptions import MaintenanceError
from .models import Run, RunStatus
from .operations import Job, Operation, Preview
from .settings import maintenance_settings

SALT = "maintenance.preview"
RUNS_TO_GO_BY = 20
MOST_TIMES_LARGER = 100


class PreviewExpired(MaintenanceError):  # noqa: N818 - the fact
    """The preview was too old to go by. Look at this new one."""

    def __init__(self, works: list[dict[str, Any]]) -> None:
        super().__init__()
        self.works = works


class PreviewForged(MaintenanceError):  # noqa: N818 - the fact
    """The preview is not one of this page. Begin anew."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What somebody saw and confirms: the arguments of each run, and the rows by table."""

    works: list[dict[str, Any]]
    counts: dict[str, int]


def preview_of(operation: Operation, works: Sequence[Mapping[str, Any]]) -> Preview:
    """Return what runs of `operation` with each of the canonical arguments `works` would do now, together."""
    now = timezone.now()
    previews = [operation.preview(Job(arguments=arguments, cutoff=now)) for arguments in works]
    return previews[0] if len(previews) == 1 else _together(previews)


def expected_seconds(operation: Operation, preview: Preview) -> float | None:
    """Return how long the work of `preview` takes at the pace of the last runs of `operation`, rests left out.

    None where there is no history to go by, or where it is of far smaller runs: their pace says nothing of this one.
    """
    ended = Run.objects.filter(
        operation=operation.name, status=RunStatus.SUCCEEDED, parent=None, shards=1, dry_run=False
    )
    last = ended.order_by("-created").values_list("counts", "seconds_worked")[:RUNS_TO_GO_BY]
    worked = [(sum(counts.values()), seconds) for counts, seconds in last if seconds > 0]
    rows, seconds = sum(each[0] for each in worked), sum(each[1] for each in worked)
    if not rows or not preview.rows or preview.rows > MOST_TIMES_LARGER * rows:
        return None
    return preview.rows * seconds / rows


def signed(operation: Operation, works: Sequence[Mapping[str, Any]], preview: Preview, *, user: Any) -> str:
    """Return the preview as a text that only `user` can confirm, and for PREVIEW_VALID_SECONDS."""
    value = {
        "operation": operation.name,
        "user": str(user.pk),
        "works": list(works),
        "counts": preview.counts,
    }
    return signing.dumps(value, salt=SALT, compress=True)


def read_signed(text: str, operation: Operation, *, user: Any) -> Confirmation:
    """Return what `text` confirms. Raises PreviewForged, and PreviewExpired with the arguments it was for."""
    try:
        value = signing.loads(text, salt=SALT, max_age=maintenance_settings.PREVIEW_VALID_SECONDS)
    except signing.SignatureExpired as expired:
        value = signing.loads(text, salt=SALT)
        _refuse_others(value, operation, user)
        raise PreviewExpired(value["works"]) from expired
    except signing.BadSignature as bad:
        raise PreviewForged from bad
    _refuse_others(value, operation, user)
    return Confirmation(works=value["works"], counts=value["counts"])


def differs(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Tell whether any table's count is off by a larger share than PREVIEW_TOLERANCE."""
    tolerance = maintenance_settings.PREVIEW_TOLERANCE
    return any(
        abs(before.get(table, 0) - now.get(table, 0))
        > tolerance * max(before.get(table, 0), now.get(table, 0))
        for table in before.keys() | now.keys()
    )


def _refuse_others(value: Mapping[str, Any], operation: Operation, user: Any) -> None:
    if (value["operation"], value["user"]) != (operation.name, str(user.pk)):
        raise PreviewForged


def _together(previews: Sequence[Preview]) -> Preview:
    """Return the sum of `previews`."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    for preview in previews:
        counts.update(preview.counts)
        reasons.update(preview.reasons)
        kept.update(preview.kept)
        samples.update({name: keys for name, keys in preview.samples.items() if name not in samples})
    return Preview(
        counts=dict(counts),
        reasons=dict(reasons),
        kept=dict(kept),
        samples=samples,
        inexact={name: doubt for preview in previews for name, doubt in preview.inexact.items()},
        oldest=min((preview.oldest for preview in previews if preview.oldest), default=None),
        newest=max((preview.newest for preview in previews if preview.newest), default=None),
        path=previews[0].path,
        warnings=sorted({warning for preview in previews for warning in preview.warnings}),
    )
