"""When an application was last used: what is deleted leaves its time in `Application.last_used`.

`Application.mark_used` writes the time at issue. Rows from before it did, or made by other means, are the only
witness of a use; so whatever deletes many of them folds their creation into the mark first. A registration token
(RFC 7591, DCR_REGISTRATION_SCOPE) is not use.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Func, Max, Q, QuerySet

from ..batching import is_among
from ..settings import oauth2_settings
from .application import USE_RESOLUTION
from .client_secret import ClientSecret
from .registry import get_access_token_model, get_application_model


def witnesses_use(model: type[models.Model]) -> bool:
    """Tell whether rows of `model` say which application got something, and when."""
    names = {field.name for field in model._meta.concrete_fields}
    return {"application", "created"} <= names and model is not ClientSecret


def remember_use(rows: QuerySet[Any]) -> None:
    """Fold the creation of `rows`, which are about to go, into their applications' `last_used`."""
    raise_marks(uses(rows), rows.db)


def uses(rows: QuerySet[Any]) -> dict[Any, datetime]:
    """Return when `rows` say that each application was last used, by its key."""
    if not witnesses_use(rows.model):
        return {}
    if rows.model is get_access_token_model():
        rows = rows.exclude(scope=oauth2_settings.DCR_REGISTRATION_SCOPE)
    used = dict(rows.order_by().values_list("application").annotate(Max("created")))
    used.pop(None, None)
    return used


def raise_marks(used: dict[Any, datetime], using: str) -> None:
    """Write `used`, times by the application's key, where the mark is behind by more than its resolution.

    It never lowers one: `mark_used` may have been faster.
    """
    if not used:
        return
    applications = get_application_model()._base_manager.using(using).order_by()
    marks = applications.filter(is_among("pk", list(used))).values_list("pk", "last_used")
    due = [pk for pk, mark in marks if mark is None or mark < used[pk] - USE_RESOLUTION]
    if not due:
        return
    used_at = _TimeOf(F("pk"), times={pk: used[pk] for pk in due})
    is_behind = Q(last_used__isnull=True) | Q(last_used__lt=used_at)
    applications.filter(is_behind, is_among("pk", due)).update(last_used=used_at)


class _TimeOf(Func):
    """The time that `times` has for a key. Conditions of Django's, one for each, would cost more than the windows."""

    output_field = models.DateTimeField()

    def __init__(self, key: Any, *, times: dict[Any, datetime]) -> None:
        super().__init__(key)
        self.times = times

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        (key,) = self.get_source_expressions()
        column, parameters = compiler.compile(key)
        values = [
            field.get_db_prep_value(value, connection)
            for pair in self.times.items()
            for field, value in zip((key.output_field, self.output_field), pair, strict=True)
        ]
        return f"CASE {column}{' WHEN %s THEN %s' * len(self.times)} END", [*parameters, *values]
