"""Further secrets of a client, so that it can be given a new one before the old one ends."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from oauth2_provider.settings import oauth2_settings


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0006_registered_client"),
        migrations.swappable_dependency(oauth2_settings.APPLICATION_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientSecret",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        help_text="Where it is used, so that you know it again",
                        max_length=255,
                        verbose_name="name",
                    ),
                ),
                (
                    "secret_hash",
                    models.CharField(editable=False, max_length=255, verbose_name="secret hash"),
                ),
                ("created", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "expires",
                    models.DateTimeField(
                        blank=True,
                        default=None,
                        help_text="Empty: never",
                        null=True,
                        verbose_name="expires",
                    ),
                ),
                (
                    "last_used",
                    models.DateTimeField(
                        blank=True,
                        default=None,
                        editable=False,
                        help_text="When the client last authenticated with it, to the hour",
                        null=True,
                        verbose_name="last used",
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="client_secrets",
                        to=oauth2_settings.APPLICATION_MODEL,
                        verbose_name="application",
                    ),
                ),
            ],
            options={"verbose_name": "client secret", "verbose_name_plural": "client secrets"},
        ),
    ]
