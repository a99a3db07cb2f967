"""The active models, stock or swapped, looked up at call time."""

from __future__ import annotations

from typing import Any

from django.apps import apps

from ..settings import oauth2_settings


def get_application_model() -> Any:
    """Return the active Application model."""
    return apps.get_model(oauth2_settings.APPLICATION_MODEL)


def get_grant_model() -> Any:
    """Return the active Grant model."""
    return apps.get_model(oauth2_settings.GRANT_MODEL)


def get_access_token_model() -> Any:
    """Return the active AccessToken model."""
    return apps.get_model(oauth2_settings.ACCESS_TOKEN_MODEL)


def get_refresh_token_model() -> Any:
    """Return the active RefreshToken model."""
    return apps.get_model(oauth2_settings.REFRESH_TOKEN_MODEL)


def get_id_token_model() -> Any:
    """Return the active IDToken model."""
    return apps.get_model(oauth2_settings.ID_TOKEN_MODEL)


def get_device_grant_model() -> Any:
    """Return the active DeviceGrant model."""
    return apps.get_model(oauth2_settings.DEVICE_GRANT_MODEL)


def get_par_request_model() -> Any:
    """Return the active PushedAuthorizationRequest model."""
    return apps.get_model(oauth2_settings.PAR_REQUEST_MODEL)


def get_application_admin_class() -> Any:
    """Return APPLICATION_ADMIN_CLASS."""
    return oauth2_settings.APPLICATION_ADMIN_CLASS


def get_access_token_admin_class() -> Any:
    """Return ACCESS_TOKEN_ADMIN_CLASS."""
    return oauth2_settings.ACCESS_TOKEN_ADMIN_CLASS


def get_grant_admin_class() -> Any:
    """Return GRANT_ADMIN_CLASS."""
    return oauth2_settings.GRANT_ADMIN_CLASS


def get_id_token_admin_class() -> Any:
    """Return ID_TOKEN_ADMIN_CLASS."""
    return oauth2_settings.ID_TOKEN_ADMIN_CLASS


def get_refresh_token_admin_class() -> Any:
    """Return REFRESH_TOKEN_ADMIN_CLASS."""
    return oauth2_settings.REFRESH_TOKEN_ADMIN_CLASS
