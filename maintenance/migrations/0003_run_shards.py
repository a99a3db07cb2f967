"""Shards: runs of a run's own, each with a range of keys."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0002_default_schedules"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="is_gathered",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="run",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="shard_runs",
                to="maintenance.run",
                verbose_name="sharded run",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="shard_key",
            field=models.CharField(blank=True, default="", editable=False, max_length=50),
        ),
        migrations.AddField(
            model_name="run",
            name="shards",
            field=models.PositiveSmallIntegerField(default=1, verbose_name="shards"),
        ),
    ]
