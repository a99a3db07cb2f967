"""Sample data: an admin user, applications, and tokens of all kinds and ages."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
    token_checksum,
)

ADMIN = "admin"
USERS = 50
BATCH = 2000
KINDS = ("expired", "revoked", "idle", "live")
WEIGHTS = (60, 25, 10, 5)
"""Access tokens that are over, whose refresh token is revoked, whose refresh token nobody uses, that live: percent."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What a visitor needs."""

    admin: str
    password: str
    client_id: str
    client_secret: str
    tokens: int


@transaction.atomic
def create_demo(*, tokens: int = 20_000) -> Demo:
    """Create what is missing of the sample data; the admin's password and the client's secret are new each time."""
    password = get_random_string(12)
    admin, _ = get_user_model().objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True, "email": "admin@example.com"}
    )
    admin.set_password(password)
    admin.save()
    applications = _applications(admin)
    secret = get_random_string(64)
    service = applications[0]
    service.client_secret = secret
    service.save()
    if not AccessToken.objects.exists():
        _fill(applications, tokens)
    return Demo(
        admin=ADMIN,
        password=password,
        client_id=service.client_id,
        client_secret=secret,
        tokens=AccessToken.objects.count() + RefreshToken.objects.count(),
    )


def _applications(owner: Any) -> list[Application]:
    confidential, public = Application.CLIENT_CONFIDENTIAL, Application.CLIENT_PUBLIC
    redirect = {"redirect_uris": "http://127.0.0.1/callback"}
    kinds: list[dict[str, Any]] = [
        {
            "name": "Demo service",
            "client_type": confidential,
            "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
        },
        {
            "name": "Demo web shop",
            "client_type": confidential,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            **redirect,
        },
        {
            "name": "Demo phone app",
            "client_type": public,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            **redirect,
        },
        {
            "name": "Demo television",
            "client_type": public,
            "authorization_grant_type": Application.GRANT_DEVICE_CODE,
        },
    ]
    return [
        Application.objects.get_or_create(name=fields["name"], defaults={**fields, "user": owner})[0]
        for fields in kinds
    ]


def _fill(applications: list[Application], tokens: int) -> None:
    """Store `tokens` access tokens with what goes with them; about half as many other rows beside."""
    chance = random.Random(20)  # noqa: S311 - sample data, the same each time
    now = timezone.now()
    model = get_user_model()
    model.objects.bulk_create((model(username=f"demo{n}") for n in range(USERS)), ignore_conflicts=True)
    users = list(model.objects.filter(username__startswith="demo"))
    for _ in range(0, tokens, BATCH):
        _fill_batch(chance, now, users=users, applications=applications, size=min(BATCH, tokens))
    _fill_grants(chance, now, users=users, applications=applications, size=tokens // 20)


def _fill_batch(
    chance: random.Random, now: datetime, *, users: list[Any], applications: list[Application], size: int
) -> None:
    kinds = chance.choices(KINDS, WEIGHTS, k=size)
    owners = [{"user": chance.choice(users), "application": chance.choice(applications)} for _ in kinds]
    ends = [_end(chance, now, kind) for kind in kinds]
    id_tokens = IDToken.objects.bulk_create(
        IDToken(expires=end, scope="openid read", **owner)
        for end, owner in zip(ends, owners, strict=True)
        if chance.random() < 0.3
    )
    by_end = {id_token.expires: id_token for id_token in id_tokens}
    # a revoked refresh token has let go of its access token, which rotation deleted
    access_tokens = AccessToken.objects.bulk_create(
        _access_token(end, owner, by_end.pop(end, None)) for end, owner in zip(ends, owners, strict=True)
    )
    RefreshToken.objects.bulk_create(
        _refresh_token(kind, access_token, owner)
        for kind, access_token, owner in zip(kinds, access_tokens, owners, strict=True)
        if kind != "expired"
    )


def _end(chance: random.Random, now: datetime, kind: str) -> datetime:
    if kind == "live":
        return now + timedelta(seconds=chance.uniform(3600, 10 * 3600))
    oldest = 200 if kind == "idle" else 120
    youngest = 40 if kind == "idle" else 0
    return now - timedelta(days=chance.uniform(youngest, oldest))


def _access_token(end: datetime, owner: dict[str, Any], id_token: IDToken | None) -> AccessToken:
    value = get_random_string(40)
    return AccessToken(
        token=value,
        token_checksum=token_checksum(value),
        expires=end,
        scope="read write",
        id_token=id_token,
        **owner,
    )


def _refresh_token(kind: str, access_token: AccessToken, owner: dict[str, Any]) -> RefreshToken:
    value = get_random_string(40)
    return RefreshToken(
        token=value,
        token_checksum=token_checksum(value),
        token_family=uuid.uuid4(),
        access_token=None if kind == "revoked" else access_token,
        revoked=access_token.expires if kind == "revoked" else None,
        **owner,
    )


def _fill_grants(
    chance: random.Random, now: datetime, *, users: list[Any], applications: list[Application], size: int
) -> None:
    ages = [now - timedelta(minutes=chance.uniform(-5, 60 * 24 * 30)) for _ in range(size)]
    Grant.objects.bulk_create(
        Grant(
            code=get_random_string(40),
            user=chance.choice(users),
            application=chance.choice(applications),
            expires=age,
            redirect_uri="http://127.0.0.1/callback",
            scope="read",
        )
        for age in ages
    )
    DeviceGrant.objects.bulk_create(
        DeviceGrant(
            device_code=get_random_string(40), user_code=get_random_string(8), client_id="demo", expires=age
        )
        for age in ages[::4]
    )
    PushedAuthorizationRequest.objects.bulk_create(
        PushedAuthorizationRequest(
            request_uri=f"urn:demo:{get_random_string(40)}", client_id="demo", expires=age
        )
        for age in ages[::4]
    )
