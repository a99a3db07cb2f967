"""What OpenID Connect keeps of a login, pairwise subjects, and keys that rotate (OpenID Connect Core 1.0)."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


def authentication() -> models.TextField:
    return models.TextField(
        blank=True, default=None, editable=False, null=True, verbose_name="authentication"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "c0004_refreshtoken_scope"),
    ]

    operations = [
        migrations.AddField(model_name="accesstoken", name="authentication", field=authentication()),
        migrations.AddField(model_name="grant", name="authentication", field=authentication()),
        migrations.AddField(model_name="refreshtoken", name="authentication", field=authentication()),
        migrations.AddField(
            model_name="application",
            name="subject_type",
            field=models.CharField(
                choices=[
                    ("public", "Public: every client sees the same identifier"),
                    ("pairwise", "Pairwise: each sector sees an identifier of its own"),
                ],
                db_default="public",
                default="public",
                max_length=8,
                verbose_name="subject type",
            ),
        ),
        migrations.AddField(
            model_name="application",
            name="sector_identifier_uri",
            field=models.TextField(
                blank=True,
                default=None,
                help_text="Its host is the sector of a pairwise subject; empty: the host of the redirect URIs",
                null=True,
                verbose_name="sector identifier URI",
            ),
        ),
        migrations.AlterField(
            model_name="application",
            name="algorithm",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "No OIDC support"),
                    ("RS256", "RSA with SHA-2 256"),
                    ("HS256", "HMAC with SHA-2 256"),
                    ("ES256", "ECDSA with P-256 and SHA-2 256"),
                    ("EdDSA", "EdDSA with Ed25519"),
                ],
                default="",
                max_length=5,
                verbose_name="algorithm",
            ),
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kid", models.CharField(max_length=64, unique=True, verbose_name="key ID")),
                ("algorithm", models.CharField(max_length=5, verbose_name="algorithm")),
                ("encrypted", models.TextField(verbose_name="encrypted key")),
                ("created", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "activated",
                    models.DateTimeField(blank=True, default=None, null=True, verbose_name="activated"),
                ),
                (
                    "retired",
                    models.DateTimeField(blank=True, default=None, null=True, verbose_name="retired"),
                ),
            ],
            options={
                "verbose_name": "signing key",
                "verbose_name_plural": "signing keys",
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(retired__isnull=True) | Q(activated__isnull=False),
                        name="oauth2_provider_signingkey_active_before_retired",
                    )
                ],
            },
        ),
    ]
