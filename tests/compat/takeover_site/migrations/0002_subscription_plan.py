"""Depends on a later migration of the toolkit by its name."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "0013_alter_application_authorization_grant_type_device"),
        ("takeover_site", "0001_initial"),
    ]

    operations = [
        migrations.AddField("subscription", "plan", models.CharField(max_length=20, default="free")),
    ]
