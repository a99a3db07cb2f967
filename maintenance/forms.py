"""The forms of the operators' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.widgets import ForeignKeyRawIdWidget, ManyToManyRawIdWidget
from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _

from .operations import Operation
from .operations.fields import KeyField, KeysField


class ReasonForm(forms.Form):
    """Why somebody has something done: kept in the record."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the record of the run and in the audit trail."),
    )


class RunNowForm(forms.Form):
    """Why somebody has an operation run; the arguments come from the operation's own form."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the record of the run and in the audit trail."),
    )


def run_now_form(
    operation: Operation, data: Any = None, *, site: AdminSite | None = None, initial: Any = None
) -> forms.Form:
    """Return the form that runs `operation`: its arguments, then the reason.

    With `site` keys are picked by the raw id: a popup of the site's own list, right for millions of rows.
    """
    fields = {**operation.form_class.base_fields, **RunNowForm.base_fields}
    form_class = type("RunNow", (operation.form_class,), fields)
    form: forms.Form = form_class(data, initial=initial)
    for field in form.fields.values():
        if site is not None and isinstance(field, KeyField):
            widget = ManyToManyRawIdWidget if isinstance(field, KeysField) else ForeignKeyRawIdWidget
            field.widget = widget(_Relation(field.model()), site)  # type: ignore[arg-type]
    return form


class _Relation:
    """What the admin's widgets ask of a relation, for a key that is no column."""

    limit_choices_to: dict[str, Any] = {}

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def get_related_field(self) -> Field[Any, Any]:
        return self.model._meta.pk
