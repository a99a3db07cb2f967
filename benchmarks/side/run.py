"""A Run of `maintenance`: what the engine costs on top, and what shards gain.

Options: `operation`, by default clear_expired; `shards`, worked by so many processes; `nice`, the NICE_RATIO;
`windows`: "fixed" for the window of `clear_expired()`, else the engine's own, which aims at a time.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from side.measure import measure, options  # noqa: E402

from maintenance import runs  # noqa: E402
from maintenance.models import WAITING, Run, RunStatus, Trigger  # noqa: E402
from maintenance.runner import Runner, run_here  # noqa: E402

logging.disable()

WINDOW_ROWS = 10_000
IDLE_SECONDS = 0.005
"""How long a worker waits that found nothing to do; stands for the broker's message."""


def work_here() -> dict[str, int]:
    window = WINDOW_ROWS if options().get("windows") == "fixed" else None
    _check(run_here(_requested(), window_rows=window))
    return {}


def work_side_by_side() -> dict[str, int]:
    """Work a sharded run with this process and others, as workers do who wait at the same queue."""
    shards = options()["shards"]
    run = _requested(shards=shards)
    others = [_started.pop() for _ in range(shards - 1)]
    for other in others:
        other.stdin.write(f"{run.pk}\n")
        other.stdin.close()
    serve(str(run.pk))
    for other in others:
        other.wait()
    _check(Run.objects.get(pk=run.pk))
    return {}


def serve(run_id: str) -> None:
    """Take what is due of the run and its shards until the run has ended."""
    while Run.objects.get(pk=run_id).is_active:
        waiting = Run.objects.filter(status__in=WAITING).exclude(pk=run_id)
        for pk in [*waiting.values_list("pk", flat=True), run_id]:
            if Runner(pk).advance() is not None:
                break
        else:
            time.sleep(IDLE_SECONDS)


def _requested(*, shards: int = 1) -> Run:
    operation = options().get("operation", "clear_expired")
    return runs.request_run(operation, {}, trigger=Trigger.CODE, dispatch=False, shards=shards)


def _check(run: Run) -> None:
    if run.status != RunStatus.SUCCEEDED:
        raise SystemExit(f"the run is {run.status}: {run.error_message}")


def _start_another() -> subprocess.Popen[str]:
    """Start a worker that waits for the run it is told, so that its start is not measured."""
    process = subprocess.Popen(
        [sys.executable, "-m", "side.run", "worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


_started: list[subprocess.Popen[str]] = []

if __name__ == "__main__":
    if sys.argv[1] == "worker":
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        serve(sys.stdin.readline().strip())
    else:
        settings.MAINTENANCE = {"NICE_RATIO": options().get("nice", 0.0)}
        _started += [_start_another() for _ in range(options().get("shards", 1) - 1)]
        measure(work_side_by_side if _started else work_here)
