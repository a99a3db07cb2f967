"""What a turn costs: seconds, statements, memory above the process as it was, as one JSON object."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import django
from django.db import connection


def options() -> dict[str, Any]:
    """Return the options of this turn, from the command line."""
    return dict(json.loads(sys.argv[1]))


def measure(work: Callable[[], Mapping[str, int]]) -> None:
    """Run `work`, which returns the rows it changed by table, and print what it cost."""
    connection.ensure_connection()
    before = _peak_megabytes()
    statements = 0

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments)

    started = time.perf_counter()
    with connection.execute_wrapper(count):
        rows = work()
    seconds = time.perf_counter() - started
    result = {
        "seconds": seconds,
        "statements": statements,
        "rows": {table: number for table, number in rows.items() if number},
        "megabytes": _peak_megabytes() - before,
        "django": django.__version__,
    }
    json.dump(result, sys.stdout)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
