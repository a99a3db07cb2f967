"""What was issued from an authorization code, so that its replay can be answered (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0002_expiry_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="redeemed",
            field=models.DateTimeField(
                blank=True, default=None, editable=False, null=True, verbose_name="redeemed"
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="token_family",
            field=models.UUIDField(
                blank=True, default=None, editable=False, null=True, verbose_name="token family"
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="token_checksum",
            field=models.CharField(
                blank=True, default="", editable=False, max_length=64, verbose_name="token checksum"
            ),
        ),
    ]
