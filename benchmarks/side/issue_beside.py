"""Issuing 20 tokens a second, each in time, while another process clears: how long a request then takes.

Options: `beside`, the program that clears (with its own options), or none; `seconds` to go on for at least.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import quantiles

import django

django.setup()

from side.measure import options  # noqa: E402
from side.requests import Environ, client_credentials, send  # noqa: E402

RATE = 20
MOST_SECONDS = 120
WARM_UP = 10


def work(requests: list[Environ], beside: subprocess.Popen[str] | None, seconds: float) -> list[float]:
    """Return the seconds that each request took, until `beside` has ended and `seconds` are over."""
    taken: list[float] = []
    started = time.perf_counter()
    for number, environ in enumerate(requests):
        due = started + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        send(environ)
        taken.append(time.perf_counter() - began)
        is_over = beside is None or beside.poll() is not None
        if is_over and time.perf_counter() - started >= seconds:
            break
    return taken


def start(program: str | None) -> subprocess.Popen[str] | None:
    if program is None:
        return None
    command = [sys.executable, "-m", f"side.{program}", json.dumps(options())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main() -> None:
    chosen = options()
    requests = list(client_credentials(RATE * MOST_SECONDS + WARM_UP, is_hashed=False))
    for environ in requests[:WARM_UP]:
        send(environ)
    beside = start(chosen.get("beside"))
    taken = work(requests[WARM_UP:], beside, chosen["seconds"])
    if beside is not None and beside.wait():
        raise SystemExit("what was to clear failed")
    percentiles = quantiles(taken, n=100)
    result = {
        "milliseconds": percentiles[98] * 1000,
        "median_milliseconds": percentiles[49] * 1000,
        "worst_milliseconds": max(taken) * 1000,
        "seconds": sum(taken),
        "statements": 0,
        "rows": {"requests": len(taken)},
        "megabytes": 0.0,
        "django": django.__version__,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
