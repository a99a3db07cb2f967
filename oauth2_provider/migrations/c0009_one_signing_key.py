"""Of one algorithm one key signs: a column that is the algorithm for the active key alone, and unique."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Case, F, Value, When
from django.utils import timezone


def retire_others(apps: Any, schema_editor: Any) -> None:
    """Retire all active keys of an algorithm but the oldest: that one signs, the others are published only."""
    using = schema_editor.connection.alias
    rows = apps.get_model("oauth2_provider", "SigningKey").objects.using(using)
    active = rows.filter(activated__isnull=False, retired__isnull=True).order_by("pk")
    seen: set[str] = set()
    for pk, algorithm in list(active.values_list("pk", "algorithm")):
        if algorithm in seen:
            rows.filter(pk=pk).update(retired=timezone.now())
        seen.add(algorithm)


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0008_device_flow"),
    ]

    operations = [
        migrations.RunPython(retire_others, migrations.RunPython.noop, elidable=True),
        migrations.AddField(
            model_name="signingkey",
            name="signs",
            field=models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(activated__isnull=False, retired__isnull=True, then=F("algorithm")),
                    default=Value(None),
                ),
                output_field=models.CharField(max_length=5, null=True, verbose_name="signs"),
                unique=True,
            ),
        ),
    ]
