"""clear_expired as a Run of `maintenance`, worked here and now: what the engine costs on top."""

from __future__ import annotations

import logging

import django

django.setup()

from side.measure import measure  # noqa: E402

from maintenance import runs  # noqa: E402
from maintenance.models import RunStatus, Trigger  # noqa: E402
from maintenance.runner import run_here  # noqa: E402

logging.disable()


def work() -> dict[str, int]:
    run = run_here(runs.request_run("clear_expired", {}, trigger=Trigger.CODE, dispatch=False))
    if run.status != RunStatus.SUCCEEDED:
        raise SystemExit(f"the run is {run.status}: {run.error_message}")
    return {}


if __name__ == "__main__":
    measure(work)
