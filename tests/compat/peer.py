"""The real django-oauth-toolkit, installed from the package index into an environment of its own.

Made once under `.envs/` of the checkout and kept: by the interpreter that runs the tests, with the same
versions of what both sides import, so that a difference seen is a difference of the two.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PEER_VERSION = "3.4.1"
PEER_OAUTHLIB = "oauthlib>=3.3,<4"  # with 4 its device authorization endpoint fails
ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".envs"
SHARED = ("django", "jwcrypto", "psycopg", "psycopg-binary")
"""Distributions that both sides run at the same version."""
UNREACHABLE = (
    "error sending request",
    "dns error",
    "failed to connect",
    "connection refused",
    "timed out",
    "newconnectionerror",
    "temporary failure in name resolution",
    "network is unreachable",
)
"""What uv and pip say, in lower case, where there is no way to the package index."""


class IndexUnreachableError(Exception):
    """No package index can be reached, and the environment is not there from an earlier run."""


def peer_python(*extra_requirements: str) -> Path:
    """Return the interpreter of the environment that has django-oauth-toolkit, made if it is not there.

    `extra_requirements` are installed beside it, in an environment of their own. Safe to be called by several
    processes at once. Raises IndexUnreachableError, or RuntimeError with the installer's words.
    """
    requirements = [f"django-oauth-toolkit=={PEER_VERSION}", PEER_OAUTHLIB, *map(_pinned, SHARED)]
    requirements += extra_requirements
    environment = ENVIRONMENTS / _environment_name(extra_requirements)
    ready = environment / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text() != wanted:
            shutil.rmtree(environment, ignore_errors=True)
            _install(environment, requirements)
            ready.write_text(wanted)
    return environment / "bin" / "python"


def _environment_name(extra_requirements: tuple[str, ...]) -> str:
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    extras = "".join(f"-{name.partition('=')[0]}" for name in extra_requirements)
    return f"django-oauth-toolkit-{PEER_VERSION}-{python}-django{version('django')}{extras}"


def _pinned(distribution: str) -> str:
    return f"{distribution}=={version(distribution)}"


def _install(environment: Path, requirements: list[str]) -> None:
    python = str(environment / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)])
        _run([uv, "pip", "install", "--quiet", "--python", python, *requirements])
        return
    _run([sys.executable, "-m", "venv", str(environment)])
    _run([python, "-m", "pip", "install", "--quiet", *requirements])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if any(words in said.lower() for words in UNREACHABLE):
        raise IndexUnreachableError(said)
    raise RuntimeError(f"{' '.join(command)} failed:\n{said}")
