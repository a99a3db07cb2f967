"""Form fields for the arguments of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

DAYS_AT_MOST = 36_500
"""What a number of days may be: beyond it lies no date."""

WORDS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False, "": False}


class SwitchInput(forms.CheckboxInput):
    """A checkbox that leaves it to the field to understand what JSON says."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name, False)


class SwitchField(forms.BooleanField):
    """True or false, and nothing that only looks like it: "no" must not switch on what revokes everybody's tokens."""

    widget = SwitchInput

    def to_python(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = WORDS.get(str(value).lower()) if value is not None else False
        if word is None:
            raise ValidationError("Must be true or false.")
        return word


class KeyField(forms.Field):
    """The primary key of a row that exists. `model` is a function, asked when it is needed."""

    def __init__(self, model: Callable[[], Any], **options: Any) -> None:
        self.model = model
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        if isinstance(value, (bool, float)):  # which would be taken for the user 1
            raise ValidationError(f"{value} is no primary key.")
        return self.model()._meta.pk.to_python(value)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.model()._base_manager.filter(pk=value).exists():
            raise ValidationError(f"There is no {self.model()._meta.verbose_name} {value}.")


class KeysField(KeyField):
    """Primary keys of rows that exist: a list, or text separated by commas. Cleaned: sorted, each once."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return []
        parts = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple, set)):
            raise ValidationError("Give a list of primary keys.")
        return sorted({super(KeysField, self).to_python(part) for part in parts})

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)
        rows = self.model()._base_manager.filter(pk__in=value)
        try:
            found = set(rows.values_list("pk", flat=True))
        except OverflowError as exc:  # SQLite, where a number is larger than a key can be
            raise ValidationError(f"A {self.model()._meta.verbose_name} has no such number.") from exc
        missing = [str(key) for key in value if key not in found]
        if missing:
            raise ValidationError(f"There is no {self.model()._meta.verbose_name} {', '.join(missing)}.")
