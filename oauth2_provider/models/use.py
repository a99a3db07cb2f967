"""When an application was last used: what is deleted leaves its time in `Application.last_used`.

`Application.mark_used` writes the time at issue. Rows from before it did, or made by other means, are the only
witness of a use; so whatever deletes many of them folds their creation into the mark first. A registration token
(RFC 7591, DCR_REGISTRATION_SCOPE) is not use.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, F, Max, Q, QuerySet, Value, When

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
    applications = get_application_model()._base_manager.using(using)
    marks = applications.filter(pk__in=used).order_by("pk").values_list("pk", "last_used")
    due = [pk for pk, mark in marks if mark is None or mark < used[pk] - USE_RESOLUTION]
    if not due:
        return
    raised = [
        When(Q(last_used__isnull=True) | Q(last_used__lt=used[pk]), pk=pk, then=Value(used[pk])) for pk in due
    ]
    field = models.DateTimeField()
    applications.filter(pk__in=due).update(
        last_used=Case(*raised, default=F("last_used"), output_field=field)
    )
