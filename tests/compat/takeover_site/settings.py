"""The site's settings. TAKEOVER_DATABASE holds the DATABASES entry as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

SECRET_KEY = "the site's own, the same before and after"
USE_TZ = True
ROOT_URLCONF = "takeover_site.urls"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "prologue",
    "oauth2_provider",
    "takeover_site",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {"default": json.loads(os.environ["TAKEOVER_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/accounts/login/"
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": Path(os.environ["TAKEOVER_RSA_KEY"]).read_text(),
    "SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect", "openid": "OpenID"},
    "OAUTH_DEVICE_VERIFICATION_URI": "https://site.example/o/device/",
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 3600,
}
