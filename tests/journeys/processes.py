"""The deployable project as real processes: web server, worker, beat and a broker of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
import requests

from tests.servers import free_port, start_valkey, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = "tests.journeys.settings"


class Site:
    """A running site on one database; `base` is its URL."""

    def __init__(self, directory: Path, database_url: str, **variables: str) -> None:
        self.directory = directory
        self.broker_port, self.web_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.web_port}"
        self.broker = redis.Redis(port=self.broker_port)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": database_url,
            "REDIS_URL": f"redis://127.0.0.1:{self.broker_port}/0",
            "DJANGO_DEBUG": "1",
            "PYTHONWARNINGS": "ignore",
            **variables,
        }

    def start_broker(self) -> None:
        self.processes["broker"] = start_valkey(self.directory / "valkey", self.broker_port)

    def start_web(self) -> None:
        self._start(
            "web", "gunicorn", "worker.wsgi", "--bind", f"127.0.0.1:{self.web_port}", "--workers", "2"
        )
        wait_until(self._answers, what="the web server")  # gunicorn listens before it has loaded the site

    def start_worker(self) -> None:
        self._start(
            "worker", "celery", "-A", "worker", "worker", "--queues", "maintenance", "--concurrency", "1"
        )

    def start_beat(self, name: str = "beat") -> None:
        self._start(name, "celery", "-A", "worker", "beat", "--max-interval", "1", "--pidfile", "")

    def kill(self, name: str) -> None:
        """Kill -9 a process with its children, if it runs."""
        process = self.processes.pop(name, None)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.base}/health/live", timeout=10).ok
        return False

    def shell(self, code: str) -> None:
        """Run `code` in the site's own process, as application code would."""
        command = [
            sys.executable,
            "manage.py",
            "shell",
            "--no-imports",
            "--verbosity",
            "0",
            "--command",
            code,
        ]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def _start(self, name: str, module: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def running_site(directory: Path, database_url: str, **variables: Any) -> Iterator[Site]:
    """Run broker, web server, worker and beat until the block is left."""
    site = Site(directory, database_url, **variables)
    try:
        site.start_broker()
        site.start_web()
        site.start_worker()
        site.start_beat()
        yield site
    except BaseException:
        for name in ("web", "worker", "beat"):
            with suppress(OSError):
                print(f"-- {name}\n{site.log(name)[-3000:]}")  # noqa: T201 - shown by pytest for a failure
        raise
    finally:
        site.stop()
