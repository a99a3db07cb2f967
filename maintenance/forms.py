"""The forms of the operators' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.sites import AdminSite
from django.contrib.admin.widgets import ForeignKeyRawIdWidget, ManyToManyRawIdWidget
from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _

from .audit import AuditFilter
from .models import AuditAction, Trigger
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


class ConfirmForm(ReasonForm):
    """What confirms a preview: the reason and, where the operation asks for it, `word` typed by hand."""

    def __init__(self, *args: Any, word: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.word = word
        if word:
            self.fields["typed"] = self._typed()

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if typed != self.word:
            raise forms.ValidationError(_('Type "%(word)s" to confirm.') % {"word": self.word})
        return typed

    def _typed(self) -> forms.CharField:
        ask = _('Type "%(word)s" to confirm.') % {"word": self.word}
        return forms.CharField(
            label=_("Are you sure?"),
            max_length=100,
            widget=forms.TextInput(
                attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
            ),
            help_text=ask,
            error_messages={"required": ask},
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


class AuditFilterForm(forms.Form):
    """What of the audit trail somebody asks for; every field may be left empty."""

    action = forms.ChoiceField(
        label=_("what"), required=False, choices=[("", "---------"), *AuditAction.choices]
    )
    actor = forms.CharField(label=_("who"), required=False)
    source = forms.ChoiceField(
        label=_("by way of"), required=False, choices=[("", "---------"), *Trigger.choices]
    )
    operation = forms.CharField(label=_("operation"), required=False)
    run = forms.UUIDField(label=_("run"), required=False)
    search = forms.CharField(label=_("search"), required=False)
    since = forms.DateTimeField(label=_("from"), required=False)
    until = forms.DateTimeField(label=_("until"), required=False)

    def given(self) -> dict[str, str]:
        """Return the filters that were filled in, as text."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value}

    def filter(self) -> AuditFilter:
        """Return the filters of a valid form."""
        return AuditFilter(**self.cleaned_data)
