"""The arguments of a run in words: the same on its preview and on its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms.utils import pretty_name
from django.utils.translation import gettext as _

from ..operations import Operation


def arguments_in_words(
    operation: Operation | None, arguments: Mapping[str, Any], *, longest: int | None = None
) -> list[tuple[str, str]]:
    """Return canonical arguments by the names that the form of `operation` gives them, None: it is not installed.

    A list of more than `longest` items is cut.
    """
    fields = operation.form_class.base_fields if operation is not None else {}
    return [
        (_label(name, fields.get(name)), _value(value, longest)) for name, value in sorted(arguments.items())
    ]


def _label(name: str, form_field: Any) -> str:
    return str(getattr(form_field, "label", None) or pretty_name(name))


def _value(value: Any, longest: int | None) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, list):
        return str(value)
    shown = ", ".join(str(item) for item in value[:longest])
    if longest is None or len(value) <= longest:
        return shown
    return _("%(shown)s, … (%(count)s in all)") % {"shown": shown, "count": len(value)}
