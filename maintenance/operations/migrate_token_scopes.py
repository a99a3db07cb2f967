"""migrate_token_scopes: replace a scope in tokens and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from oauth2_provider.batching import Walk, Window
from oauth2_provider.flows.scope_migration import (
    InvalidScopeMigration,
    ScopeMigration,
    ScopeStage,
    migrate_scopes,
    scope_migration,
    scope_stages,
    slow_path_reasons,
)
from oauth2_provider.models import get_access_token_model

from ..exceptions import InvalidArguments
from .base import ArgumentsForm, Job, Operation, Preview, Stage
from .fields import SwitchField
from .sampling import Selection
from .tally import Tally
from .walks import WalkStage

SOME_LOOKED_AT = (
    "No index has the scope: of a large table some rows were looked at; the number is by their share."
)


class ScopesField(forms.CharField):
    """Scopes separated by spaces, or a list of them."""

    def to_python(self, value: Any) -> str:
        parts = value if isinstance(value, (list, tuple)) else [value] if value is not None else []
        if not all(isinstance(part, str) for part in parts):
            raise forms.ValidationError("Give scopes as text.")
        return super().to_python(" ".join(parts)) or ""


class MigrateTokenScopesForm(ArgumentsForm):
    old = ScopesField(help_text="The scope to replace.")
    new = ScopesField(required=False, help_text="What takes its place: scopes by spaces; nothing drops it.")
    force = SwitchField(
        required=False, initial=False, help_text="Take a new scope that the scopes backend does not know."
    )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not self.errors:
            try:
                scope_migration(values["old"], values["new"], force=values["force"])
            except InvalidScopeMigration as invalid:
                raise forms.ValidationError(str(invalid)) from invalid
        return values


class MigrateScopeStage(WalkStage):
    """The rows of one table, worked in windows."""

    def __init__(self, stage: ScopeStage) -> None:
        self.name = stage.name
        self.stage = stage

    def walk(self, by: Any = None) -> Walk:
        return self.stage.walk()

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        return self.stage.work_window(walk, window)


class MigrateTokenScopes(Operation):
    name = "migrate_token_scopes"
    title = "Migrate token scopes"
    description = "Replaces a scope in refresh, access and ID tokens, codes and device codes."
    form_class = MigrateTokenScopesForm

    def stages(self, job: Job) -> Sequence[Stage]:
        return [MigrateScopeStage(stage) for stage in scope_stages(_migration(job))]

    def preview(self, job: Job) -> Preview:
        tally = Tally(job.budget)
        stages = scope_stages(_migration(job))
        is_all = tally.add_selections([(None, Selection(rows=stage.affected())) for stage in stages])
        path, why = self.path(job)
        return tally.preview(path=path, warnings=why if is_all else [*why, SOME_LOOKED_AT])

    def removed(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        return {}

    def path(self, job: Job) -> tuple[str, list[str]]:
        stages = scope_stages(_migration(job))
        reasons = [reason for stage in stages for reason in slow_path_reasons(stage.model)]
        return ("orm" if reasons else "set-based"), reasons


def migrate_token_scopes(old: str, new: str | Sequence[str]) -> int:
    """Replace the scope `old` by `new` (several by spaces; none drops it), at once and without Celery.

    Returns the number of access tokens changed. Raises InvalidArguments for what is no scope, for old == new, and for
    a new scope that the scopes backend does not know.
    """
    try:
        migration = scope_migration(old, new)
    except InvalidScopeMigration as invalid:
        raise InvalidArguments({"": [str(invalid)]}) from invalid
    return migrate_scopes(migration)[get_access_token_model()._meta.db_table]


def _migration(job: Job) -> ScopeMigration:
    """Return what the arguments say; they were checked when the run was made."""
    return scope_migration(job.arguments["old"], job.arguments.get("new", ""), force=True)
