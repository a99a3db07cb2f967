"""The forms of the operators' pages."""

from __future__ import annotations

from typing import Any

from django import forms

from .operations import Operation


class RunNowForm(forms.Form):
    """Why somebody has an operation run; the arguments come from the operation's own form."""

    reason = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the run's record.",
    )


def run_now_form(operation: Operation, data: Any = None) -> forms.Form:
    """Return the form that runs `operation`: its arguments, then the reason."""
    fields = {**operation.form_class.base_fields, **RunNowForm.base_fields}
    form_class = type("RunNow", (operation.form_class,), fields)
    return form_class(data)
