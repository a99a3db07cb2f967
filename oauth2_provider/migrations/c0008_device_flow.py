"""What a device code was asked for, how its user had logged in, and that it is used once (RFC 8628, RFC 8707)."""

from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models

import oauth2_provider.models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0007_client_secret"),
    ]

    operations = [
        migrations.AddField(
            model_name="devicegrant",
            name="resource",
            field=oauth2_provider.models.ResourceJSONField(
                blank=True, default=None, editable=False, null=True, verbose_name="resource"
            ),
        ),
        migrations.AddField(
            model_name="devicegrant",
            name="redeemed",
            field=models.DateTimeField(
                blank=True, default=None, editable=False, null=True, verbose_name="redeemed"
            ),
        ),
        migrations.AddField(
            model_name="devicegrant",
            name="authentication",
            field=models.TextField(
                blank=True, default=None, editable=False, null=True, verbose_name="authentication"
            ),
        ),
        migrations.AlterField(
            model_name="devicegrant",
            name="last_checked",
            field=models.DateTimeField(default=django.utils.timezone.now, verbose_name="last checked"),
        ),
    ]
