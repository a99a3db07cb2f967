"""Rows for tests of the models. Secrets are empty where no test looks at them: nothing to hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, RefreshToken


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create(username="ann")


@pytest.fixture
def application(user: User) -> Application:
    return make_application(user)


def make_application(user: User | None = None, **fields: Any) -> Application:
    """Store an application that needs nothing."""
    defaults = {
        "client_secret": "",
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
    }
    return Application.objects.create(user=user, **{**defaults, **fields})


def make_pair(application: Application, user: User, name: str = "token", **fields: Any) -> RefreshToken:
    """Store a live access token and its refresh token; returns the refresh token."""
    access_token = AccessToken.objects.create(
        token=f"access {name}",
        user=user,
        application=application,
        expires=timezone.now() + timedelta(hours=1),
        scope="read write",
    )
    return RefreshToken.objects.create(
        token=f"refresh {name}", user=user, application=application, access_token=access_token, **fields
    )
