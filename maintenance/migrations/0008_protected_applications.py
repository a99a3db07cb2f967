from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0007_monitoring"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProtectedApplication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("client_id", models.CharField(max_length=255, unique=True, verbose_name="client ID")),
                ("actor", models.CharField(blank=True, max_length=200, verbose_name="protected by")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("created", models.DateTimeField(auto_now_add=True, verbose_name="since")),
            ],
            options={
                "verbose_name": "protected application",
                "verbose_name_plural": "protected applications",
                "default_permissions": ("add", "delete", "view"),
            },
        ),
    ]
