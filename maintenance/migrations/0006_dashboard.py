from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0005_requested_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dashboard",
            fields=[],
            options={
                "verbose_name": "dashboard",
                "verbose_name_plural": "dashboard",
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("maintenance.run",),
        ),
        migrations.AlterModelOptions(
            name="run",
            options={
                "permissions": [
                    ("run_hygiene", "Can run hygiene operations"),
                    ("run_security", "Can run security operations"),
                    ("run_destructive", "Can run destructive operations"),
                    ("control_hygiene", "Can pause, resume, cancel and retry runs of hygiene operations"),
                    ("control_security", "Can pause, resume, cancel and retry runs of security operations"),
                    ("control_destructive", "Can resume and retry runs of destructive operations"),
                    ("hold_hygiene", "Can hold and release all hygiene work"),
                    ("view_traceback", "Can see the traceback of a failed run"),
                ],
                "verbose_name": "run",
                "verbose_name_plural": "runs",
            },
        ),
        migrations.AddField(
            model_name="run",
            name="recent_windows",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
