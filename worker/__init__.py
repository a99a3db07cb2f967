"""The deployable project: settings from the environment, URLs, the Celery app."""

from __future__ import annotations

from .celery import app

__all__ = ["app"]
