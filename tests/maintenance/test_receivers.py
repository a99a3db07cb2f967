"""Users who are deactivated, or get another password, lose what they were given: where the settings want it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test import override_settings

from maintenance.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user("ann", password="old")


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any) -> None:
    user.set_password("new")
    user.save(update_fields=["password"])


def take_password(user: Any) -> None:
    user.set_unusable_password()
    user.save()


@pytest.mark.parametrize(
    ("setting", "change", "reason"),
    [
        ("REVOKE_ON_DEACTIVATION", deactivate, "the user was deactivated"),
        ("REVOKE_ON_PASSWORD_CHANGE", change_password, "the user's password was changed"),
        ("REVOKE_ON_PASSWORD_CHANGE", take_password, "the user's password was changed"),
    ],
)
def test_the_change_makes_a_run_where_it_is_wanted(
    user: Any, setting: str, change: Callable[[Any], None], reason: str
) -> None:
    with override_settings(MAINTENANCE={setting: True}):
        change(user)
    run = Run.objects.get()
    assert (run.operation, run.arguments, run.reason) == ("revoke_user_tokens", {"user_id": user.pk}, reason)


@pytest.mark.parametrize("change", [deactivate, change_password, take_password])
def test_by_default_nothing_happens(user: Any, change: Callable[[Any], None]) -> None:
    change(user)
    assert not Run.objects.exists()


def test_what_is_neither_makes_no_run(user: Any) -> None:
    with override_settings(MAINTENANCE={"REVOKE_ON_DEACTIVATION": True, "REVOKE_ON_PASSWORD_CHANGE": True}):
        user.first_name = "Ann"
        user.save()
        user.password = make_password("old", hasher="pbkdf2_sha256")  # as Django upgrades a hash at a login
        user.save(update_fields=["password"])
        user.is_active = False
        user.save(update_fields=["first_name"])
        get_user_model().objects.create_user("bob", password="his", is_active=False)
    assert not Run.objects.exists()


def test_a_save_that_is_rolled_back_makes_no_run(user: Any) -> None:
    with override_settings(MAINTENANCE={"REVOKE_ON_DEACTIVATION": True}), transaction.atomic():
        deactivate(user)
        transaction.set_rollback(True)
    assert not Run.objects.exists()
