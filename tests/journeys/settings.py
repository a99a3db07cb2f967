"""The deployable project's settings, with times that a test can wait for."""

from __future__ import annotations

import os

from worker.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OAUTH2_PROVIDER["ACCESS_TOKEN_EXPIRE_SECONDS"] = "tests.journeys.settings.lifetime"  # noqa: F405
MAINTENANCE = {"LEASE_SECONDS": 12.0, "STATEMENT_TIMEOUT_SECONDS": 10.0, "SLICE_SECONDS": 2.0}
MAINTENANCE.update({"NICE_RATIO": float(os.environ["NICE_RATIO"])} if "NICE_RATIO" in os.environ else {})


def lifetime(request: object) -> int:
    """Return a lifetime of one second for the scope `write`, of an hour for others."""
    return 1 if "write" in (getattr(request, "scopes", None) or []) else 3600
