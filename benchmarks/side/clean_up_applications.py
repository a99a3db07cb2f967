"""Removing unused applications, as either side has it: a loop over delete(), or `cleanup_inactive_applications`."""

from __future__ import annotations

import logging
from datetime import timedelta
from importlib.util import find_spec

import django

django.setup()

from django.utils import timezone  # noqa: E402
from side.measure import measure  # noqa: E402

from oauth2_provider.models import AccessToken, Application  # noqa: E402

logging.disable()


def one_by_one() -> dict[str, int]:
    now, count = timezone.now(), 0
    live = AccessToken.objects.filter(expires__gt=now).values("application")
    for application in Application.objects.filter(created__lt=now - timedelta(days=90)).exclude(pk__in=live):
        application.delete()
        count += 1
    return {"application": count}


def by_set() -> dict[str, int]:
    from maintenance.operations import cleanup_inactive_applications

    return {"application": sum(verdict["deleted"] for verdict in cleanup_inactive_applications())}


if __name__ == "__main__":
    measure(by_set if find_spec("maintenance") else one_by_one)
