"""What is measured: each case with its data, its contenders and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .sides import Contender

PEER, OURS, LIMIT = "peer", "ours", "limit"
"""The names that ratios are taken of: peer / ours, and limit / ours (1 is the limit reached)."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """`unit` is "s" or "ms" (the 99th percentile) where less is better, "requests/s" where more is.

    `engine` is what both sides run on: "postgresql", "mariadb" or "sqlite".
    """

    title: str
    mix: str
    contenders: tuple[Contender, ...]
    unit: str = "s"
    engine: str = "postgresql"
    provider: Mapping[str, Any] = field(default_factory=dict)


def _clear(program: str, name: str, side: str = "ours", **options: Any) -> Contender:
    return Contender(name=name, side=side, program=program, options=tuple(options.items()))


def _requests(kind: str, *, against_authlib: bool = False) -> tuple[Contender, ...]:
    limit = {"bearer": "one-select", "introspect": "one-select"}.get(kind, "select-and-insert")
    sides = [(PEER, "peer", kind), (OURS, "ours", kind), (LIMIT, "ours", limit)]
    sides += [("Authlib", "ours", "authlib")] if against_authlib else []
    return tuple(
        Contender(name=name, side=side, program="requests", options=(("kind", requested),))
        for name, side, requested in sides
    )


def _beside(name: str, side: str, **options: Any) -> Contender:
    """Return who issues tokens while another process clears (`beside`), or while none does, for eight seconds."""
    return Contender(
        name=name, side=side, program="issue_beside", options=tuple({"seconds": 8, **options}.items())
    )


def _by_set(work: str) -> tuple[Contender, ...]:
    return (
        Contender(name=PEER, side="peer", program=work),
        Contender(name=OURS, side="ours", program=work),
        Contender(name=LIMIT, side="ours", program=f"{work}_by_hand"),
    )


def _indexes(work: str) -> tuple[Contender, ...]:
    return tuple(
        Contender(
            name=name, side="ours", program="without_indexes", options=(("work", work), ("indexes", has))
        )
        for name, has in ((OURS, True), ("without the indexes", False))
    )


CLEARING = {"REFRESH_TOKEN_EXPIRE_SECONDS": 86400}
WINDOWS_BY_PK = _clear("by_hand", LIMIT, by="pk")
WINDOWS_BY_EXPIRES = _clear("by_hand", LIMIT, by="expires")
CLEAR_EXPIRED = (_clear("clear_expired", PEER, "peer"), _clear("clear_expired", OURS))
BESIDE = (
    _beside("peer, idle", "peer"),
    _beside(PEER, "peer", beside="clear_expired"),
    _beside("idle", "ours"),
    _beside(OURS, "ours", beside="run"),
    _beside("nice ratio 1", "ours", beside="run", nice=1),
)
BY_HAND_BESIDE = _beside("by hand, resting alike", "ours", beside="by_hand", by="pk", nice=1)

CASES = {
    "clear_expired": Case(
        title="clear_expired, 95 % expired",
        mix="full",
        contenders=(*CLEAR_EXPIRED, WINDOWS_BY_PK),
        provider=CLEARING,
    ),
    "clear_expired_everyday": Case(
        title="clear_expired, the everyday case",
        mix="everyday",
        contenders=(*CLEAR_EXPIRED, WINDOWS_BY_EXPIRES),
        provider=CLEARING,
    ),
    "clear_expired_nothing": Case(
        title="clear_expired, nothing expired",
        mix="nothing",
        contenders=(*CLEAR_EXPIRED, WINDOWS_BY_EXPIRES),
        provider=CLEARING,
    ),
    "clear_expired_shards": Case(
        title="clear_expired, 95 % expired, with two shards",
        mix="full",
        contenders=(
            _clear("clear_expired", PEER, "peer"),
            _clear("run", OURS, shards=2),
            _clear("run", "one worker"),
        ),
        provider=CLEARING,
    ),
    "clear_expired_mariadb": Case(
        title="clear_expired, 95 % expired, on MariaDB",
        mix="full",
        contenders=(*CLEAR_EXPIRED, _clear("by_hand_portable", LIMIT)),
        provider=CLEARING,
        engine="mariadb",
    ),
    "clear_expired_sqlite": Case(
        title="clear_expired, 95 % expired, on SQLite",
        mix="full",
        contenders=(*CLEAR_EXPIRED, _clear("by_hand_portable", LIMIT)),
        provider=CLEARING,
        engine="sqlite",
    ),
    "latency": Case(
        title="issuing 20 tokens a second while it clears: 99th percentile",
        mix="full",
        contenders=(*BESIDE, BY_HAND_BESIDE),
        provider=CLEARING,
        unit="ms",
    ),
    "latency_sqlite": Case(
        title="issuing 20 tokens a second while it clears, on SQLite: 99th percentile",
        mix="full",
        contenders=BESIDE,
        provider=CLEARING,
        unit="ms",
        engine="sqlite",
    ),
    "pages": Case(
        title="the slowest of the operators' pages, beside the admin's own index",
        mix="everyday",
        contenders=tuple(
            Contender(name=name, side="ours", program="pages", options=(("pages", pages),))
            for name, pages in ((OURS, "ours"), ("the admin's index", "index"))
        ),
        unit="ms",
    ),
    "indexes_clear": Case(
        title="what the indexes on what expires gain: the everyday case",
        mix="everyday",
        contenders=_indexes("clear"),
        provider=CLEARING,
    ),
    "indexes_nothing": Case(
        title="what they gain where nothing is expired",
        mix="nothing",
        contenders=_indexes("clear"),
        provider=CLEARING,
    ),
    "indexes_issue": Case(
        title="what they cost: 2,000 access tokens stored one by one",
        mix="everyday",
        contenders=_indexes("issue"),
    ),
    "engine": Case(
        title="clear_expired as a Run; the limit is calling clear_expired()",
        mix="full",
        contenders=(
            _clear("run", OURS),
            _clear("run", "with windows of 10,000 rows", windows="fixed"),
            _clear("clear_expired", LIMIT),
        ),
        provider=CLEARING,
    ),
    "revoke_user": Case(
        title="revoking one user's tokens; peer: a loop over revoke()",
        mix="one_user",
        contenders=_by_set("revoke_user"),
    ),
    "migrate_scopes": Case(
        title="replacing a scope in half of the access tokens; peer: a loop over save()",
        mix="scopes",
        contenders=_by_set("migrate_scopes"),
        provider={"SCOPES": {"read": "Read", "write": "Write", "new": "New"}},
    ),
    "clean_up_applications": Case(
        title="removing the unused half of the applications, a hundred tokens each; peer: a loop over delete()",
        mix="applications",
        contenders=(
            *_by_set("clean_up_applications"),
            _clear("clean_up_applications_by_hand", "by hand, with an archive", way="archive"),
            _clear("clean_up_applications_by_hand", "by hand, doing as much", way="as much"),
        ),
        provider=CLEARING,
    ),
    "clean_up_applications_shards": Case(
        title="removing the unused half of the applications, with two shards",
        mix="applications",
        contenders=(
            Contender(name=PEER, side="peer", program="clean_up_applications"),
            _clear("run", OURS, operation="cleanup_inactive_applications", shards=2),
            _clear("run", "one worker", operation="cleanup_inactive_applications"),
        ),
        provider=CLEARING,
    ),
    "client_credentials": Case(
        title="token endpoint, client credentials, secret as generated by default",
        mix="everyday",
        contenders=_requests("client_credentials"),
        unit="requests/s",
    ),
    "client_credentials_plain": Case(
        title="token endpoint, client credentials, secret not hashed",
        mix="everyday",
        contenders=_requests("client_credentials_plain", against_authlib=True),
        unit="requests/s",
    ),
    "code": Case(
        title="code exchange with PKCE", mix="everyday", contenders=_requests("code"), unit="requests/s"
    ),
    "refresh": Case(title="refresh", mix="everyday", contenders=_requests("refresh"), unit="requests/s"),
    "bearer": Case(
        title="bearer-protected view", mix="everyday", contenders=_requests("bearer"), unit="requests/s"
    ),
    "introspect": Case(
        title="introspection by a client",
        mix="everyday",
        contenders=_requests("introspect"),
        unit="requests/s",
    ),
}
