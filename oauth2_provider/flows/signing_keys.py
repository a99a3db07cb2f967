"""The server's signing keys: published, found by `kid`, made and rotated (OpenID Connect Core 1.0 section 10.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone
from jwcrypto import jwk

from ..batching import atomically
from ..models import AbstractApplication, SigningKey
from ..settings import oauth2_settings
from ..utils import jwk_from_pem

RS256 = AbstractApplication.RS256_ALGORITHM


class NothingToRotate(Exception):  # noqa: N818 - the fact
    """There is no key of the algorithm that could take over; the message says what to do."""


class NextKeyTooYoung(Exception):  # noqa: N818 - the fact
    """Clients may not have seen the next key yet; the message says when they will have."""


def published_keys() -> list[dict[str, Any]]:
    """Return the public keys as members of a JWK Set: those that sign, those that will, those that did."""
    return [
        {**key.export_public(as_dict=True), "alg": algorithm, "use": "sig", "kid": key.thumbprint()}
        for algorithm, key in _keys()
    ]


def signing_algorithms() -> list[str]:
    """Return the algorithms that an ID token can be signed with now, RS256 first (section 3.1.3.7)."""
    active = set(SigningKey.objects.filter(activated__isnull=False, retired__isnull=True).values_list(
        "algorithm", flat=True
    ))  # fmt: skip
    if oauth2_settings.OIDC_RSA_PRIVATE_KEY:
        active.add(RS256)
    named = [name for name, _ in AbstractApplication.ALGORITHM_TYPES if name]
    return [name for name in named if name in active or name == AbstractApplication.HS256_ALGORITHM]


def find_key(algorithm: str, kid: str | None) -> jwk.JWK | None:
    """Return the key of `algorithm` whose thumbprint is `kid`; without a `kid`, the first; None where there is none."""
    for name, key in _keys():
        if name == algorithm and kid in (None, key.thumbprint()):
            return key
    return None


def create_key(algorithm: str) -> SigningKey:
    """Make a key. It signs at once where `algorithm` has none that does, else it is the next. One transaction.

    Of two runs at the same time, one makes the key that signs (`SigningKey.signs` is unique), the other the next.
    One that is undone by a deadlock is run again.
    """
    using = router.db_for_write(SigningKey)
    is_first = not (algorithm == RS256 and oauth2_settings.OIDC_RSA_PRIVATE_KEY)

    def create() -> SigningKey:
        key: SigningKey = SigningKey.objects.using(using).generate(algorithm)
        if is_first and not SigningKey.objects.using(using).active(algorithm).exists():
            _activate_unless_another_does(key, using)
        return key

    return atomically(create, using=using)


def _activate_unless_another_does(key: SigningKey, using: str) -> None:
    now = timezone.now()
    try:
        with transaction.atomic(using=using):
            SigningKey.objects.using(using).filter(pk=key.pk).update(activated=now)
    except IntegrityError:
        return
    key.activated = now


def rotate(algorithm: str, *, keep: timedelta, is_forced: bool = False) -> SigningKey:
    """Have the next key sign, retire the one that did, make another next one; returns the one that signs now.

    Retired keys stay published for `keep`, and for as long as an ID token lives. One transaction, the keys locked; one
    that is undone by a deadlock is run again. Runs that race come one after another: each that returns a key has used
    up one next key, and each key is returned once.
    Raises NothingToRotate where there is no next key or another run was faster, NextKeyTooYoung where it was published
    less than OIDC_JWKS_MAX_AGE_SECONDS ago and `is_forced` does not say that this does not matter.
    """
    using = router.db_for_write(SigningKey)
    try:
        return atomically(
            lambda: _rotate(algorithm, keep=keep, is_forced=is_forced, using=using), using=using
        )
    except IntegrityError as error:
        raise NothingToRotate(f"Another run has made a key of {algorithm} sign meanwhile.") from error


def _rotate(algorithm: str, *, keep: timedelta, is_forced: bool, using: str) -> SigningKey:
    now, rows = timezone.now(), SigningKey.objects.using(using)
    keys = list(rows.select_for_update().filter(algorithm=algorithm, retired__isnull=True).order_by("pk"))
    waiting: list[SigningKey] = [key for key in keys if key.activated is None]
    if not waiting:
        raise NothingToRotate(
            f"There is no next {algorithm} key. Run `manage.py createsigningkey {algorithm}`."
        )
    published_until = waiting[0].created + timedelta(seconds=oauth2_settings.OIDC_JWKS_MAX_AGE_SECONDS)
    if now < published_until and not is_forced:
        raise NextKeyTooYoung(
            f"Clients may keep a key set without the next key until {published_until:%Y-%m-%d %H:%M:%S} UTC."
        )
    rows.active(algorithm).update(retired=now)
    rows.filter(pk=waiting[0].pk).update(activated=now)
    if len(waiting) == 1:
        rows.generate(algorithm)
    lifetime = timedelta(seconds=oauth2_settings.ID_TOKEN_EXPIRE_SECONDS)
    rows.filter(algorithm=algorithm, retired__lt=now - max(keep, lifetime)).delete()
    waiting[0].activated = now
    return waiting[0]


def _keys() -> Iterator[tuple[str, jwk.JWK]]:
    """Yield algorithm and key: of the settings, then of the table, active before next before retired."""
    pems = [oauth2_settings.OIDC_RSA_PRIVATE_KEY, *oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE]
    seen: set[str] = set()
    for pem in filter(None, pems):
        seen.add(jwk_from_pem(pem).thumbprint())
        yield RS256, jwk_from_pem(pem)
    order = ["active", "next", "retired"]
    for row in sorted(SigningKey.objects.order_by("pk"), key=lambda row: order.index(row.state)):
        if row.kid not in seen:
            yield row.algorithm, row.jwk
