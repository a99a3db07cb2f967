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
from .operations.base import Inexact, Number
from .operations.budget import Budget, budget_of_a_page
from .settings import maintenance_settings

SALT = "maintenance.preview"
RUNS_TO_GO_BY = 20
MOST_TIMES_LARGER = 100
MOST_GROWTH = 2
"""From a number that was confirmed to the one at the confirmation, where either is no full count."""


class PreviewExpired(MaintenanceError):  # noqa: N818 - the fact
    """The preview was too old to go by. Look at this new one."""

    def __init__(self, works: list[dict[str, Any]]) -> None:
        super().__init__()
        self.works = works


class PreviewForged(MaintenanceError):  # noqa: N818 - the fact
    """The preview is not one of this page. Begin anew."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What somebody saw and confirms: the arguments of each run, and the numbers by table."""

    works: list[dict[str, Any]]
    preview: Preview


def preview_of(
    operation: Operation, works: Sequence[Mapping[str, Any]], budget: Budget | None = None
) -> Preview:
    """Return what runs of `operation` with each of the canonical arguments `works` would do now, together.

    All within one `budget`, by default that of a page.
    """
    budget, now = budget or budget_of_a_page(), timezone.now()
    previews = []
    for number, arguments in enumerate(works):
        job = Job(arguments=arguments, cutoff=now, budget=budget.part(len(works) - number))
        previews.append(operation.preview(job))
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
        "inexact": {table: doubt for table, doubt in preview.inexact.items() if table in preview.counts},
        "counted": {table: rows for table, rows in preview.counted.items() if table in preview.counts},
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
    inexact = {table: Inexact(doubt) for table, doubt in value["inexact"].items()}
    preview = Preview(counts=value["counts"], inexact=inexact, counted=value["counted"])
    return Confirmation(works=value["works"], preview=preview)


def differs(before: Preview, now: Preview) -> bool:
    """Tell whether a run would do something else `now` than was confirmed `before`, by any table's number.

    Of two counts, a larger share than PREVIEW_TOLERANCE. Where one or both are estimates, or counts that stopped, the
    same number comes out otherwise as the time allows, and that alone must never keep a run from being confirmed. So:

    - what was counted holds. Rows that were counted, on either side, beyond what the other side's full count says
      are a change;
    - what is shown may not grow to more than twice what was confirmed. Each new preview says the larger number, so
      that this comes to an end, however the estimates go up and down;
    - an estimate that is lower is no change: the run then does less than was confirmed.
    """
    return any(
        _has_changed(before.number(table), now.number(table))
        for table in before.counts.keys() | now.counts.keys()
    )


def _has_changed(before: Number, now: Number) -> bool:
    counted = max(before.counted, now.counted)
    full = [number.shown for number in (before, now) if number.doubt is None]
    if full and counted - min(full) > maintenance_settings.PREVIEW_TOLERANCE * counted:
        return True
    return len(full) < 2 and now.shown > MOST_GROWTH * before.shown


def _refuse_others(value: Mapping[str, Any], operation: Operation, user: Any) -> None:
    if (value["operation"], value["user"]) != (operation.name, str(user.pk)):
        raise PreviewForged


def _together(previews: Sequence[Preview]) -> Preview:
    """Return the sum of `previews`."""
    tables: dict[str, Number] = {}
    reasons: dict[str, Number] = {}
    kept: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    for preview in previews:
        for total, names in ((tables, preview.counts), (reasons, preview.reasons)):
            total |= {name: total.get(name, Number()) + preview.number(name) for name in names}
        kept.update(preview.kept)
        samples.update({name: keys for name, keys in preview.samples.items() if name not in samples})
    return Preview.of(
        tables,
        reasons,
        kept=dict(kept),
        samples=samples,
        oldest=min((preview.oldest for preview in previews if preview.oldest), default=None),
        newest=max((preview.newest for preview in previews if preview.newest), default=None),
        path=previews[0].path,
        warnings=sorted({warning for preview in previews for warning in preview.warnings}),
    )
