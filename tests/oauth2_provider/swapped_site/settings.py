"""SWAPPED names the models that are the site's own, separated by commas, SWAPPED_DATABASE the SQLite file."""

from __future__ import annotations

import os
from importlib.util import find_spec

SETTINGS = {
    "Application": "OAUTH2_PROVIDER_APPLICATION_MODEL",
    "Grant": "OAUTH2_PROVIDER_GRANT_MODEL",
    "IDToken": "OAUTH2_PROVIDER_ID_TOKEN_MODEL",
    "AccessToken": "OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL",
    "RefreshToken": "OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL",
    "DeviceGrant": "OAUTH2_PROVIDER_DEVICE_GRANT_MODEL",
    "PushedAuthorizationRequest": "OAUTH2_PROVIDER_PAR_REQUEST_MODEL",
}
SWAPPED = os.environ["SWAPPED"].split(",")
globals().update(
    {
        setting: f"{'house' if name in SWAPPED else 'oauth2_provider'}.{name}"
        for name, setting in SETTINGS.items()
    }
)

SECRET_KEY = "a key for tests only"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "house",
    "oauth2_provider",
]
if find_spec("maintenance"):  # not where the site still runs django-oauth-toolkit
    INSTALLED_APPS += ["django_celery_beat", "maintenance"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "house.urls"
ALLOWED_HOSTS = ["testserver"]
STATIC_URL = "static/"
OAUTH2_PROVIDER = {"SCOPES": {"read": "Read", "see": "See"}}
MAINTENANCE = {"PREVIEW_SECONDS": 30}  # what is confirmed is what was shown, however busy the machine is
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SWAPPED_DATABASE", ":memory:"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
