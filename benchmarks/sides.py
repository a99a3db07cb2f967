"""The two sides: which interpreter runs which program on which database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.compat.peer import peer_python

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes a turn: `name` in the results, `program` of `side/`, on the `side` "peer" or "ours"."""

    name: str
    side: str
    program: str
    options: tuple[tuple[str, Any], ...] = ()


def run(
    contender: Contender, *, database: dict[str, Any], provider: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Let `contender` take its turn on `database`; returns what its program measured."""
    arguments = [f"side.{contender.program}", json.dumps({**options, **dict(contender.options)})]
    return dict(json.loads(_run(contender.side, arguments, database, provider)))


def migrate(side: str, database: dict[str, Any]) -> None:
    """Bring `database` to the side's own schema."""
    _run(side, ["django", "migrate", "-v0"], database, {})


def _run(side: str, arguments: list[str], database: dict[str, Any], provider: dict[str, Any]) -> str:
    done = subprocess.run(
        [str(_python(side, database["ENGINE"])), "-m", *arguments],
        cwd=HERE,
        env={
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTHON"))
            },
            **({"PYTHONPATH": str(ROOT)} if side == "ours" else {}),
            "DJANGO_SETTINGS_MODULE": "side.settings",
            "BENCHMARK_DATABASE": json.dumps(database),
            "BENCHMARK_PROVIDER": json.dumps(provider),
            "OAUTHLIB_INSECURE_TRANSPORT": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{side}: {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@cache
def _python(side: str, backend: str) -> Path:
    if side != "peer":
        return Path(sys.executable)
    return peer_python(f"mysqlclient=={version('mysqlclient')}") if "mysql" in backend else peer_python()
