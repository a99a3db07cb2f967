"""Which class a model has in the admin, and that a site can put its own there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin as django_admin

from oauth2_provider import admin
from oauth2_provider.models import (
    get_access_token_admin_class,
    get_application_admin_class,
    get_grant_admin_class,
    get_id_token_admin_class,
    get_refresh_token_admin_class,
)

ROOT = Path(__file__).parents[3]
CLASSES = {
    "APPLICATION": get_application_admin_class,
    "ACCESS_TOKEN": get_access_token_admin_class,
    "GRANT": get_grant_admin_class,
    "ID_TOKEN": get_id_token_admin_class,
    "REFRESH_TOKEN": get_refresh_token_admin_class,
}


class Ours(django_admin.ModelAdmin):
    """A class of a site's own."""


@pytest.mark.parametrize(("name", "get_class"), CLASSES.items())
def test_a_setting_names_the_class(name: str, get_class: Any, settings: Any) -> None:
    stock = getattr(admin, f"{name.replace('_', ' ').title().replace(' ', '').replace('Id', 'ID')}Admin")
    assert get_class() is stock
    settings.OAUTH2_PROVIDER = {f"{name}_ADMIN_CLASS": f"{__name__}.Ours"}
    assert get_class() is Ours


def test_the_stock_classes_are_registered() -> None:
    registered = {
        model.__name__: type(model_admin).__name__
        for model, model_admin in django_admin.site._registry.items()
        if model._meta.app_label == "oauth2_provider"
    }
    assert registered == {
        "Application": "ApplicationAdmin",
        "AccessToken": "AccessTokenAdmin",
        "DeviceGrant": "DeviceGrantAdmin",
        "Grant": "GrantAdmin",
        "IDToken": "IDTokenAdmin",
        "PushedAuthorizationRequest": "PushedAuthorizationRequestAdmin",
        "RefreshToken": "RefreshTokenAdmin",
        "SigningKey": "SigningKeyAdmin",
    }


SITE = """
    from django.conf import settings
    settings.configure(
        SECRET_KEY="a key for tests only",
        INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
            "django.contrib.sessions", "django.contrib.messages", *{apps}],
        OAUTH2_PROVIDER={{"GRANT_ADMIN_CLASS": "ours.admin.OurGrantAdmin"}},
        DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    )
    import django
    django.setup()
    from django.contrib import admin
    from oauth2_provider.models import AccessToken, Grant
    print(*(type(admin.site._registry[model]).__name__ for model in (Grant, AccessToken)))
"""
OURS = """
    from django.contrib import admin
    from oauth2_provider.admin import AccessTokenAdmin, GrantAdmin
    from oauth2_provider.models import AccessToken
    class OurGrantAdmin(GrantAdmin): pass
    class OurAccessTokenAdmin(AccessTokenAdmin): pass
    admin.site.unregister(AccessToken) if admin.site.is_registered(AccessToken) else None
    admin.site.register(AccessToken, OurAccessTokenAdmin)
"""


def start(site: Path, apps: list[str]) -> Any:
    (site / "ours").mkdir()
    (site / "ours" / "__init__.py").write_text("")
    (site / "ours" / "admin.py").write_text(textwrap.dedent(OURS))
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SITE.format(apps=apps))],
        cwd=site,
        env={"PYTHONPATH": f"{ROOT}:{site}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_class_that_builds_on_ours_takes_its_place(tmp_path: Path) -> None:
    done = start(tmp_path, ["oauth2_provider", "ours"])
    assert done.stdout.split() == ["OurGrantAdmin", "OurAccessTokenAdmin"], done.stderr


def test_an_app_that_comes_too_early_is_told_so(tmp_path: Path) -> None:
    done = start(tmp_path, ["ours", "oauth2_provider"])
    assert "list its app after oauth2_provider in INSTALLED_APPS" in done.stderr


def test_importing_the_package_asks_for_no_model(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import oauth2_provider, sys; print([m for m in sys.modules if 'django' in m])",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
