"""How long a page of the admin takes: its own index, or the slowest of ours (option `pages`: "index" or "ours")."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from statistics import median

os.environ["DJANGO_SETTINGS_MODULE"] = "side.pages_settings"
import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from side.measure import options  # noqa: E402

from maintenance import runs  # noqa: E402
from maintenance.runner import Runner  # noqa: E402

logging.disable()

TIMES = 5
LISTS = (
    "maintenance_dashboard",
    "maintenance_run",
    "maintenance_auditevent",
    "maintenance_archivedapplication",
    "maintenance_protectedapplication",
    "oauth2_provider_application",
    "oauth2_provider_accesstoken",
    "oauth2_provider_refreshtoken",
    "oauth2_provider_grant",
    "oauth2_provider_idtoken",
    "oauth2_provider_devicegrant",
    "oauth2_provider_pushedauthorizationrequest",
    "django_celery_beat_periodictask",
)


def our_pages() -> list[str]:
    run = runs.enqueue("clear_expired")
    Runner(
        run.pk, window_rows=1000, must_stop=lambda: type(run).objects.get(pk=run.pk).windows >= 3
    ).advance()
    return [
        *(reverse(f"admin:{name}_changelist") for name in LISTS),
        reverse("admin:maintenance_dashboard_live"),
        reverse("admin:maintenance_run_change", args=[run.pk]),
        reverse("admin:maintenance_run_live", args=[run.pk]),
        reverse("admin:maintenance_run_now", args=["clear_expired"]),
        reverse("admin:maintenance_run_now", args=["revoke_user_tokens"]),
        reverse("maintenance:health"),
    ]


def milliseconds(client: Client, path: str) -> float:
    """Return the median of some requests after a first one."""
    taken = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status_code}")
    return median(taken[1:])


def main() -> None:
    call_command("migrate", verbosity=0)
    user, _ = User.objects.get_or_create(username="operator", is_superuser=True, is_staff=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    paths = [reverse("admin:index")] if options()["pages"] == "index" else our_pages()
    measured = {path: milliseconds(client, path) for path in paths}
    slowest = max(measured, key=lambda path: measured[path])
    result = {
        "milliseconds": measured[slowest],
        "seconds": measured[slowest] / 1000,
        "pages": {path: round(taken, 1) for path, taken in measured.items()},
        "statements": 0,
        "rows": {},
        "megabytes": 0.0,
        "django": django.__version__,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
