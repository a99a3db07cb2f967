"""Installs the default schedules; those that a site has already are left alone."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from maintenance import schedules


def install(apps: Any, schema_editor: Any) -> None:
    schedules.install(apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0001_initial"),
        ("django_celery_beat", "0018_improve_crontab_helptext"),
    ]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
