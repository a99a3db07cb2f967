"""How long a page of the admin takes: its own index, or the slowest of ours (option `pages`: "index" or "ours")."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from statistics import median
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "side.pages_settings"
import django

django.setup()

from django.apps import apps  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from side.measure import options  # noqa: E402

from maintenance import runs  # noqa: E402
from maintenance.operations import all_operations  # noqa: E402
from maintenance.runner import Runner  # noqa: E402
from oauth2_provider.models import (  # noqa: E402
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
)

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


PREVIEWS = {
    "clear_expired": ("",),
    "purge_runs": ("",),
    "cleanup_inactive_applications": ("",),
    "migrate_token_scopes": ("&old=read&new=see&force=on", "&old=rare&new=see&force=on"),
    "revoke_user_tokens": ("&user_id=1", "&user_id=77", "&application_id=7", "&everybody=on"),
}
"""Arguments of each operation's previews; user 1 has most tokens."""
FILTERS = ("yes", "no", "dormant", "never_authorized")
TOKENS_OF_ONE = 100_000


def our_pages() -> list[str]:
    run = runs.enqueue("clear_expired")
    Runner(
        run.pk, window_rows=1000, must_stop=lambda: type(run).objects.get(pk=run.pk).windows >= 3
    ).advance()
    make_rows()
    return [
        *(reverse(f"admin:{name}_changelist") for name in LISTS),
        *(f"{reverse('admin:oauth2_provider_application_changelist')}?inactive={kind}" for kind in FILTERS),
        *change_pages(),
        reverse("admin:maintenance_dashboard_live"),
        reverse("admin:maintenance_run_change", args=[run.pk]),
        reverse("admin:maintenance_run_live", args=[run.pk]),
        *(reverse("admin:maintenance_run_now", args=[operation.name]) for operation in all_operations()),
        *previews(),
        reverse("maintenance:health"),
    ]


def make_rows() -> None:
    """Give one user many tokens, each list of the admin a row, and the clean-up of applications something to judge.

    What autovacuum does follows.
    """
    for model in (AccessToken, RefreshToken, IDToken, Grant):
        model._base_manager.filter(pk__lte=TOKENS_OF_ONE).update(user=1)
    Application.objects.update(last_used=None)  # the run before has noted their use
    values = {"client_id": "client1", "expires": timezone.now()}
    DeviceGrant.objects.create(device_code="device", user_code="user", scope="read", **values)
    PushedAuthorizationRequest.objects.create(request_uri="urn:a", **values)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def change_pages() -> list[str]:
    """Return the page of one row of each of the provider's lists."""
    found = []
    for name in LISTS:
        app, model = name.rsplit("_", 1)
        row = (
            apps.get_model(app, model)._default_manager.order_by("-pk").first()
            if app == "oauth2_provider"
            else None
        )
        found += [reverse(f"admin:{name}_change", args=[row.pk])] if row is not None else []
    return found


def previews() -> list[str]:
    assert set(PREVIEWS) == {operation.name for operation in all_operations()}
    return [
        f"{reverse('admin:maintenance_run_now', args=[name])}?preview{arguments}"
        for name, each in PREVIEWS.items()
        for arguments in each
    ]


def milliseconds(client: Client, path: str, data: dict[str, Any] | None = None) -> float:
    """Return the median of some requests after a first one."""
    taken = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        answer = client.get(path) if data is None else client.post(path.split("?")[0], data)
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status_code}")
    return median(taken[1:])


def measure_confirmations(client: Client) -> dict[str, float]:
    """Return how long it takes to confirm each preview. Without a reason none is run, after all else was done."""
    signed = {path: client.get(path).context_data["signed"] for path in previews()}  # type: ignore[attr-defined]
    return {
        f"{path} confirmed": milliseconds(client, path, {"confirm": "yes", "preview": preview})
        for path, preview in signed.items()
    }


def main() -> None:
    call_command("migrate", verbosity=0)
    user, _ = User.objects.get_or_create(username="operator", is_superuser=True, is_staff=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    is_index = options()["pages"] == "index"
    paths = [reverse("admin:index")] if is_index else our_pages()
    measured = {path: milliseconds(client, path) for path in paths}
    measured |= {} if is_index else measure_confirmations(client)
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
