"""Form fields for the arguments of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class KeyField(forms.Field):
    """The primary key of a row that exists. `model` is a function, asked when it is needed."""

    def __init__(self, model: Callable[[], Any], **options: Any) -> None:
        self.model = model
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
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
        found = set(self.model()._base_manager.filter(pk__in=value).values_list("pk", flat=True))
        missing = [str(key) for key in value if key not in found]
        if missing:
            raise ValidationError(f"There is no {self.model()._meta.verbose_name} {', '.join(missing)}.")
