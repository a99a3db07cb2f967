"""What a client registers of itself: several grant types, the scopes it keeps to, how it presents itself (RFC 7591)."""

from __future__ import annotations

from django.db import migrations, models

import oauth2_provider.models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0005_openid"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="registered_grant_types",
            field=oauth2_provider.models.GrantTypesField(
                blank=True,
                default=None,
                help_text="Tick nothing, and the authorization grant type counts, with refresh tokens. Otherwise exactly what is ticked is allowed.",
                null=True,
                verbose_name="grant types",
            ),
        ),
        migrations.AddField(
            model_name="application",
            name="registered_scope",
            field=models.TextField(
                blank=True,
                default=None,
                help_text="Scopes that the client may ask for, space separated; empty: all that the site offers it",
                null=True,
                verbose_name="registered scope",
            ),
        ),
        migrations.AddField(
            model_name="application",
            name="client_metadata",
            field=models.JSONField(
                blank=True, default=None, editable=False, null=True, verbose_name="client metadata"
            ),
        ),
    ]
