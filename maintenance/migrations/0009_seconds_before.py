from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0008_protected_applications"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="seconds_before",
            field=models.FloatField(db_default=0.0, default=0.0, editable=False),
        ),
    ]
