"""Names for fields that Django's admin leaves without one, and the look of links: for screen readers and every eye."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.contrib.admin.options import BaseModelAdmin as _Base
else:
    _Base = object


class Labelled(_Base):
    """Mixed in before a ModelAdmin or an inline: each input of its forms has a name of its own."""

    class Media:
        css = {"all": ["oauth2_provider/css/admin.css"]}

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is None:
            return None
        parts = getattr(field.widget, "widgets", ())
        for part, name in zip(parts, (_("%s: date"), _("%s: time")), strict=False):
            part.attrs.setdefault("aria-label", name % field.label)
        if hasattr(self, "formset") and not parts:  # a cell of an inline's table: no label but its column's
            field.widget.attrs.setdefault("aria-label", str(field.label))
        return field
