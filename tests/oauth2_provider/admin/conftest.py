"""A site's staff, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import Application, PushedAuthorizationRequest, SigningKey
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user

SECRETS = {
    "access_token": "an-access-token-in-the-clear",
    "refresh_token": "a-refresh-token-in-the-clear",
    "grant": "an-authorization-code-in-the-clear",
    "device_grant": "a-device-code-in-the-clear",
    "request": "urn:ietf:params:oauth:request_uri:in-the-clear",
    "challenge": "a-plain-challenge-is-its-own-verifier-and-long-enough",
    "user_code": "WDJB-MJHT",
    "client": "a client secret in the clear",
}


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that logs in someone of the staff with the permissions named."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def application(db: None) -> Application:
    return make_client(
        "photo-printer",
        name="Photo Printer",
        client_type="confidential",
        client_secret=SECRETS["client"],
        hash_client_secret=False,
    )


@pytest.fixture
def rows(application: Application) -> dict[str, Any]:
    """One row of each model with a secret, the values of SECRETS."""
    given = give_credentials(make_user("ann"), application)
    for name in ("access_token", "refresh_token"):
        given[name].token = SECRETS[name]
        given[name].save()
    grant = given["grant"]
    grant.code, grant.code_challenge, grant.code_challenge_method = (
        SECRETS["grant"],
        SECRETS["challenge"],
        "plain",
    )
    grant.save()
    device = given["device_grant"]
    device.device_code, device.user_code = SECRETS["device_grant"], SECRETS["user_code"]
    device.save()
    pushed = PushedAuthorizationRequest.objects.create(
        request_uri=SECRETS["request"],
        client_id=application.client_id,
        parameters={"scope": "read", "code_challenge": SECRETS["challenge"]},
        expires=timezone.now() + timedelta(minutes=1),
    )
    key = SigningKey.objects.generate("EdDSA")
    return {**given, "application": application, "request": pushed, "key": key}
