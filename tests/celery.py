"""The Celery app of the suite; its broker is in memory unless a test brings a real one."""

from __future__ import annotations

from celery import Celery

import worker  # noqa: F401 - its app, made later, would take the place of this one

app = Celery("tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks(["maintenance"])
