"""clear_expired: delete what is expired, as `oauth2_provider.models.expiry` defines it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from oauth2_provider.batching import Walk, Window
from oauth2_provider.models.deletion import slow_path_reasons
from oauth2_provider.models.expiry import (
    ExpiryStage,
    clear_out_stages,
    expiry_stages,
    refresh_tokens_kept_forever,
)

from .base import Job, Operation, Preview, Stage
from .sampling import Selection
from .tally import Tally
from .walks import WalkStage


class ClearExpiredStage(WalkStage):
    """One stage of the provider's definition, worked in windows."""

    def __init__(self, stage: ExpiryStage) -> None:
        self.name = stage.name
        self.stage = stage

    def chosen_walk(self) -> Any:
        return "index" if self.stage.is_sparse() else "pk"

    def walk(self, by: Any = None) -> Walk:
        return self.stage.walk(by_index=by == "index")

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        return self.stage.delete_window(walk, window)

    def using(self) -> str:
        return self.stage.expired.db


class ClearExpired(Operation):
    name = "clear_expired"
    title = "Clear expired"
    description = "Deletes expired and revoked tokens, codes and pushed requests."
    minimum_interval_seconds = 600.0

    def stages(self, job: Job) -> Sequence[Stage]:
        return [ClearExpiredStage(stage) for stage in clear_out_stages(job.cutoff)]

    def preview(self, job: Job) -> Preview:
        tally = Tally(job.budget)
        tally.add_selections([(stage.name, _selection(stage)) for stage in expiry_stages(job.cutoff)])
        path, why = self.path(job)
        kept = refresh_tokens_kept_forever()
        return tally.preview(path=path, warnings=[*why, *([kept] if kept else [])])

    def path(self, job: Job) -> tuple[str, list[str]]:
        models = {stage.model for stage in expiry_stages(job.cutoff)}
        reasons = [reason for model in models for reason in slow_path_reasons(model)]
        return ("orm" if reasons else "set-based"), sorted(reasons)


def _selection(stage: ExpiryStage) -> Selection:
    found = stage.found_by
    return Selection(rows=stage.expired, among=found, in_order=found.order_by(stage.index), path=stage.path)
