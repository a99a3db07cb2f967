"""Settings of this project's side with the Django admin."""

from __future__ import annotations

from side.settings import *  # noqa: F403

INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages", "django.contrib.staticfiles"]  # noqa: F405
MIDDLEWARE += [  # noqa: F405
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES[0]["OPTIONS"] = {  # type: ignore[name-defined] # noqa: F405
    "context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
}
ROOT_URLCONF = "side.pages_urls"
STATIC_URL = "static/"
