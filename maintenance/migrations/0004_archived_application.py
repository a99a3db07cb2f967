"""What cleanup_inactive_applications removed, as it was."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0003_run_shards"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchivedApplication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("client_id", models.CharField(db_index=True, max_length=255, verbose_name="client ID")),
                ("name", models.CharField(blank=True, max_length=255, verbose_name="name")),
                ("document", models.JSONField(verbose_name="row")),
                ("archived", models.DateTimeField(auto_now_add=True, verbose_name="archived")),
                ("restored", models.DateTimeField(null=True, verbose_name="restored")),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="archived_applications",
                        to="maintenance.run",
                        verbose_name="run",
                    ),
                ),
            ],
            options={
                "verbose_name": "archived application",
                "verbose_name_plural": "archived applications",
            },
        ),
    ]
