"""Every kind of credential that a user can hold, stored without the endpoints."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    RefreshToken,
)

HOLDING = (AccessToken, IDToken, RefreshToken, Grant, DeviceGrant)


def make_user(name: str) -> Any:
    return get_user_model().objects.create(username=name)


def make_client(client_id: str, **fields: Any) -> Application:
    """Store a public client of the code grant."""
    return Application.objects.create(
        **{
            "client_id": client_id,
            "client_secret": "",
            "name": client_id,
            "client_type": Application.CLIENT_PUBLIC,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "redirect_uris": "https://client.example/callback",
            **fields,
        }
    )


def give_credentials(user: Any, application: Application, name: str = "") -> dict[str, Any]:
    """Store one live credential of each kind, and a revoked refresh token that the live access token came out of."""
    later = timezone.now() + timedelta(hours=1)
    owner = {"user": user, "application": application}
    name = f"{user.pk} {application.pk} {name}"
    family = uuid.uuid4()
    spent = RefreshToken.objects.create(
        token=f"spent {name}", token_family=family, revoked=timezone.now(), **owner
    )
    id_token = IDToken.objects.create(expires=later, scope="openid", **owner)
    access_token = AccessToken.objects.create(
        token=f"access {name}",
        expires=later,
        scope="read write",
        id_token=id_token,
        source_refresh_token=spent,
        **owner,
    )
    return {
        "spent": spent,
        "id_token": id_token,
        "access_token": access_token,
        "refresh_token": RefreshToken.objects.create(
            token=f"refresh {name}", token_family=family, access_token=access_token, **owner
        ),
        "bare_access_token": AccessToken.objects.create(
            token=f"bare {name}", expires=later, scope="read", **owner
        ),
        "bare_id_token": IDToken.objects.create(expires=later, scope="openid", **owner),
        "grant": Grant.objects.create(
            code=f"code {name}", expires=later, redirect_uri="https://client.example/callback", **owner
        ),
        "device_grant": DeviceGrant.objects.create(
            device_code=f"device {name}",
            user_code=f"user {name}",
            client_id=application.client_id,
            user=user,
            expires=later,
            status=DeviceGrant.AUTHORIZED,
        ),
    }


def working(rows: Iterable[Any]) -> set[str]:
    """Return the labels of those of `rows` that still open something."""
    alive = set()
    for row in rows:
        stored = type(row).objects.filter(pk=row.pk).first()
        if stored is not None and getattr(stored, "revoked", None) is None:
            alive.add(f"{type(row).__name__} {row.pk}")
    return alive
