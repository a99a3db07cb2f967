"""Settings of both sides. BENCHMARK_DATABASE is a DATABASES entry, BENCHMARK_PROVIDER the dict, both as JSON."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec

SECRET_KEY = "a key for benchmarks only, the same on both sides"
USE_TZ = True
ROOT_URLCONF = "side.urls"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
]
IS_OURS = find_spec("maintenance") is not None
if IS_OURS:
    INSTALLED_APPS += ["django_celery_beat", "maintenance", "side.authlib_site"]
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": {**json.loads(os.environ["BENCHMARK_DATABASE"]), "CONN_MAX_AGE": None}}
OAUTH2_PROVIDER = json.loads(os.environ.get("BENCHMARK_PROVIDER", "{}"))
CELERY_BROKER_URL = "memory://"
MIGRATION_MODULES = {"authlib_site": None}
LOGGING_CONFIG = None
