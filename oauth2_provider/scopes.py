"""Scopes: which there are, which an application may ask for, which it gets unasked (RFC 6749 section 3.3)."""

from __future__ import annotations

from typing import Any

from .settings import oauth2_settings


class BaseScopes:
    """What a SCOPES_BACKEND_CLASS implements."""

    def get_all_scopes(self) -> dict[str, str]:
        """Return every scope with its meaning for people."""
        raise NotImplementedError

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return the scopes that `application` may ask for in `request`."""
        raise NotImplementedError

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return the scopes of a request that names none."""
        raise NotImplementedError


class SettingsScopes(BaseScopes):
    """SCOPES and DEFAULT_SCOPES, the same for every application."""

    def get_all_scopes(self) -> dict[str, str]:
        return oauth2_settings.SCOPES

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return oauth2_settings._SCOPES

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return oauth2_settings._DEFAULT_SCOPES


def get_scopes_backend() -> BaseScopes:
    """Return an instance of SCOPES_BACKEND_CLASS."""
    return oauth2_settings.SCOPES_BACKEND_CLASS()
