"""What a refresh token was granted, which an access token may have less of (RFC 6749 section 6)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0003_grant_redeemed"),
    ]

    operations = [
        migrations.AddField(
            model_name="refreshtoken",
            name="scope",
            field=models.TextField(blank=True, default=None, editable=False, null=True, verbose_name="scope"),
        ),
    ]
