"""Indexes on what expires, so that a nightly clean-up reads what is over and not what is there.

Built without blocking writes on PostgreSQL; docs/performance.md has what they cost and gain.
"""

from __future__ import annotations

from django.db import migrations, models

from ._operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY

    dependencies = [
        ("oauth2_provider", "c0001_application_last_used"),
    ]

    operations = [
        AddIndexOnline(
            model_name="accesstoken",
            index=models.Index(fields=["expires"], name="oauth2_prov_expires_723f9e_idx"),
        ),
        AddIndexOnline(
            model_name="devicegrant",
            index=models.Index(fields=["expires"], name="oauth2_prov_expires_5ee06c_idx"),
        ),
        AddIndexOnline(
            model_name="grant",
            index=models.Index(fields=["expires"], name="oauth2_prov_expires_0dd234_idx"),
        ),
        AddIndexOnline(
            model_name="idtoken",
            index=models.Index(fields=["expires"], name="oauth2_prov_expires_e6f6b9_idx"),
        ),
        AddIndexOnline(
            model_name="pushedauthorizationrequest",
            index=models.Index(fields=["expires"], name="oauth2_prov_expires_3b13d1_idx"),
        ),
        AddIndexOnline(
            model_name="refreshtoken",
            index=models.Index(fields=["revoked", "access_token"], name="oauth2_prov_revoked_4512ce_idx"),
        ),
    ]
