"""The Django app. Its label is the prefix of its tables."""

from __future__ import annotations

from django.apps import AppConfig


class DOTConfig(AppConfig):
    name = "oauth2_provider"
    verbose_name = "OAuth2 Provider"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from . import checks  # noqa: F401 - registers the system checks
        from .flows.authentication import remember_login

        user_logged_in.connect(remember_login, dispatch_uid="oauth2_provider.remember_login")
