"""revoke_user_tokens: end every credential that a user was given before the run began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import QuerySet

from oauth2_provider.batching import Walk, Window
from oauth2_provider.flows.bulk_revocation import (
    Holder,
    RevocationStage,
    end_stragglers,
    remaining_credentials,
    revocation_slow_path_reasons,
    revocation_stages,
    revoke_credentials,
)
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model

from .base import ArgumentsForm, Job, Operation, OperationKind, Position, Preview, Stage, WindowResult
from .fields import KeyField, KeysField, SwitchField
from .sampling import Selection
from .tally import Tally
from .walks import WalkStage


class RevokeUserTokensForm(ArgumentsForm):
    user_id = KeyField(get_user_model, required=False, help_text="The user's primary key.")
    user_ids = KeysField(
        get_user_model, required=False, initial=[], help_text="Several users: primary keys, by commas."
    )
    application_id = KeyField(
        get_application_model,
        required=False,
        help_text="Only what was given on this application; without a user: to all of its users.",
    )
    everybody = SwitchField(
        required=False, initial=False, help_text="All users, as after a breach. Needs no other argument."
    )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if self.errors:
            return values
        users = [name for name in ("user_id", "user_ids") if values.get(name) not in (None, [])]
        if values["everybody"] and (users or values["application_id"] is not None):
            raise forms.ValidationError("everybody goes with no other argument.")
        if len(users) == 2:
            raise forms.ValidationError("Give user_id or user_ids, not both.")
        if not users and values["application_id"] is None and not values["everybody"]:
            raise forms.ValidationError("Say whose tokens: user_id, user_ids, application_id or everybody.")
        return values


class RevokeStage(WalkStage):
    """The credentials of one kind, worked in windows."""

    def __init__(self, stage: RevocationStage) -> None:
        self.name = stage.name
        self.stage = stage

    def walk(self, by: Any = None) -> Walk:
        return self.stage.walk()

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        return self.stage.work_window(walk, window)

    def using(self) -> str:
        return str(self.stage.rows.db)


class StragglersStage(Stage):
    """What clients made out of their credentials while those were worked on."""

    name = "stragglers"

    def __init__(self, holder: Holder, job: Job) -> None:
        self.holder = holder
        self.job = job

    def using(self) -> str:
        return str(router.db_for_write(get_refresh_token_model()))

    def begin(self) -> Position | None:
        return {}

    def work(self, position: Position, size: int) -> WindowResult | None:
        counts = end_stragglers(self.holder, self.job.cutoff)
        return WindowResult(position=position, counts=counts, is_full=False) if counts else None


class RevokeUserTokens(Operation):
    name = "revoke_user_tokens"
    title = "Revoke user tokens"
    description = "Ends every token and code that users were given before the run began."
    kind = OperationKind.SECURITY
    form_class = RevokeUserTokensForm

    def stages(self, job: Job) -> Sequence[Stage]:
        holder = _holder(job)
        stages = [RevokeStage(stage) for stage in revocation_stages(holder, job.cutoff)]
        return [*stages, StragglersStage(holder, job)]

    def remaining(self, job: Job) -> int:
        return remaining_credentials(_holder(job), job.cutoff)

    def preview(self, job: Job) -> Preview:
        holder, tally = _holder(job), Tally(job.budget)
        stages = revocation_stages(holder, job.cutoff)
        tally.add_selections([(stage.name, _selection(stage, holder)) for stage in stages])
        path, why = self.path(job)
        return tally.preview(path=path, warnings=why)

    def word_to_type(self, arguments: Mapping[str, Any]) -> str:
        """All users at once are logged out of everything: that is typed, not clicked."""
        return "everybody" if arguments.get("everybody") else ""

    def removed(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return `counts` without refresh tokens: a revoked one keeps its row, to reveal a replay."""
        kept = get_refresh_token_model()._meta.db_table
        return {table: rows for table, rows in counts.items() if table != kept}

    def path(self, job: Job) -> tuple[str, list[str]]:
        reasons = revocation_slow_path_reasons()
        return ("orm" if reasons else "set-based"), reasons


def batch_revoke_user_tokens(user: Any, application: Any = None) -> int:
    """End what `user` was given, on `application` or on all, at once and without Celery.

    Returns the number of access tokens revoked, once none of the user's credentials from before the call is left.
    """
    holder = Holder(users=(user.pk,), application=None if application is None else application.pk)
    return revoke_credentials(holder)[get_access_token_model()._meta.db_table]


def _holder(job: Job) -> Holder:
    """Return whose credentials the arguments name. A user deleted meanwhile has none left."""
    arguments = job.arguments
    users: tuple[Any, ...] | None = None
    if "user_id" in arguments:
        users = (arguments["user_id"],)
    elif "user_ids" in arguments:
        users = tuple(arguments["user_ids"])
    if users is None and "application_id" not in arguments and not arguments.get("everybody"):
        raise ValueError("no holder in the arguments")
    return Holder(users=users, application=arguments.get("application_id"))


def _selection(stage: RevocationStage, holder: Holder) -> Selection:
    """Look among all that the holder has, by index; everybody has whole tables."""
    rows, model = stage.rows, stage.rows.model
    if holder.users is None and holder.application is None:
        return Selection(rows=rows)
    return Selection(rows=rows, among=holder.rows(model), in_order=_in_order(holder, model))


def _in_order(holder: Holder, model: Any) -> QuerySet[Any] | None:
    """Return what one user, or an application, has, in the order of an index; None where no index has it so."""
    if holder.users is None:
        field, key = "application", holder.application
    elif len(holder.users) == 1:
        field, key = "user", holder.users[0]
    else:
        return None
    if not any(each.name == field for each in model._meta.fields):  # device grants name a client_id
        return None
    rows = model._base_manager.using(router.db_for_write(model))
    return rows.filter(**{f"{field}__gte": key, f"{field}__lte": key}).order_by(field)
