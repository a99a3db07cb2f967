"""The deployable project's settings come from the environment, and refuse what is not safe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = ("DJANGO_", "DATABASE_URL", "REDIS_URL", "OIDC_RSA_PRIVATE_KEY", "CUSTODIAN_")
PRODUCTION = {
    "DJANGO_SECRET_KEY": "production-key-of-more-than-fifty-characters-0123456789-abcdef",
    "DJANGO_ALLOWED_HOSTS": "auth.example.com",
    "DATABASE_URL": "postgres://user:secret@db.example.com/auth",
    "REDIS_URL": "redis://redis.example.com/0",
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with no variable set but `variables`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def evaluate(expression: str, **variables: str) -> str:
    code = f"from django.conf import settings; print({expression})"
    done = manage("shell", "--no-imports", "--verbosity", "0", "--command", code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_production_refuses_to_start_without_a_secret_key() -> None:
    done = manage("check")
    assert done.returncode != 0
    assert "DJANGO_SECRET_KEY is not set" in done.stderr


def test_debug_is_off_unless_set_and_development_makes_its_own_key() -> None:
    assert evaluate("settings.DEBUG", **PRODUCTION) == "False"
    assert evaluate("settings.DEBUG, len(settings.SECRET_KEY) >= 50", DJANGO_DEBUG="1") == "True True"


def test_check_deploy_is_clean_with_production_variables() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr


def test_database_and_broker_come_from_their_urls() -> None:
    database = "{k: settings.DATABASES['default'][k] for k in ('ENGINE', 'NAME', 'HOST', 'USER')}"
    assert evaluate(database, **PRODUCTION) == str(
        {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "auth",
            "HOST": "db.example.com",
            "USER": "user",
        }
    )
    assert evaluate("settings.CELERY_BROKER_URL", **PRODUCTION) == PRODUCTION["REDIS_URL"]
    assert evaluate("settings.ALLOWED_HOSTS", **PRODUCTION) == "['auth.example.com']"
