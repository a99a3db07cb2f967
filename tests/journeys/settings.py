"""The deployable project's settings, with times that a test can wait for."""

from __future__ import annotations

import json
import os

from worker.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TOKEN_LIFETIMES = {"REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * 3600, "REFRESH_TOKEN_REUSE_PROTECTION": True}
OAUTH2_PROVIDER.update(TOKEN_LIFETIMES)  # noqa: F405
OAUTH2_PROVIDER["ACCESS_TOKEN_EXPIRE_SECONDS"] = "tests.journeys.settings.lifetime"  # noqa: F405
MAINTENANCE = {
    "LEASE_SECONDS": 12.0,
    "STATEMENT_TIMEOUT_SECONDS": 10.0,
    "SLICE_SECONDS": 2.0,
    **json.loads(os.environ.get("MAINTENANCE", "{}")),
}


def lifetime(request: object) -> int:
    """Return a lifetime of one second for the scope `write`, of an hour for others."""
    return 1 if "write" in (getattr(request, "scopes", None) or []) else 3600
