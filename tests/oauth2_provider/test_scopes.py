"""Scopes from settings, and a backend of the site's own."""

from __future__ import annotations

import pytest
from django.test import override_settings

from oauth2_provider.scopes import BaseScopes, SettingsScopes, get_scopes_backend

SCOPES = {"read": "Read things", "write": "Write things"}


class OtherScopes(SettingsScopes):
    pass


def test_the_settings_backend_gives_every_application_the_scopes_of_the_settings() -> None:
    with override_settings(OAUTH2_PROVIDER={"SCOPES": SCOPES, "DEFAULT_SCOPES": ["read"]}):
        backend = get_scopes_backend()

        assert type(backend) is SettingsScopes
        assert backend.get_all_scopes() == SCOPES
        assert backend.get_available_scopes(application=object(), request=object()) == ["read", "write"]
        assert backend.get_default_scopes() == ["read"]


def test_another_backend_can_be_named_in_settings() -> None:
    path = f"{__name__}.OtherScopes"
    with override_settings(OAUTH2_PROVIDER={"SCOPES_BACKEND_CLASS": path}):
        assert type(get_scopes_backend()) is OtherScopes


@pytest.mark.parametrize("method", ["get_all_scopes", "get_available_scopes", "get_default_scopes"])
def test_the_base_backend_leaves_everything_to_its_subclasses(method: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(BaseScopes(), method)()
