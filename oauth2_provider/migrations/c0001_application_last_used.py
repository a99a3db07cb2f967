"""What the provider keeps beyond django-oauth-toolkit's schema; names begin with "c" so that none can clash.

`last_used` outlives the tokens; client identifiers of CIMD clients are URLs and need their 255 characters in
every table; a user code is looked up on each attempt to enter one.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oauth2_provider", "0023_squashed_0025_pushed_authorization_requests"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="last_used",
            field=models.DateTimeField(
                blank=True,
                default=None,
                editable=False,
                help_text="When the application last got a token, to the hour",
                null=True,
                verbose_name="last used",
            ),
        ),
        migrations.AlterField(
            model_name="devicegrant",
            name="client_id",
            field=models.CharField(db_index=True, max_length=255, verbose_name="client ID"),
        ),
        migrations.AlterField(
            model_name="devicegrant",
            name="user_code",
            field=models.CharField(db_index=True, max_length=100, verbose_name="user code"),
        ),
        migrations.AlterField(
            model_name="pushedauthorizationrequest",
            name="client_id",
            field=models.CharField(db_index=True, max_length=255, verbose_name="client ID"),
        ),
    ]
