"""The command line: what it prints, what it leaves, how it exits."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.models import Run, RunEvent, RunStatus, Trigger
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken, Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine, on_servers
from tests.servers import wait_until

TABLE = "oauth2_provider_accesstoken"
MakeTokens = Callable[..., Any]
CTRL_C, CTRL_D = "\x03", "\x04"
ROOT = Path(__file__).resolve().parent.parent.parent


def run_command(*arguments: Any) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


@pytest.mark.django_db
def test_cleartokens_clears_and_leaves_a_run(make_tokens: MakeTokens) -> None:
    make_tokens(expired=5, live=2)
    report = json.loads(run_command("cleartokens", "--json", "--batch-size", "2", "--reason", "cron"))
    run = Run.objects.get()
    assert report["run"] == str(run.pk)
    assert (report["status"], report["counts"]) == ("succeeded", {TABLE: 5})
    assert (run.trigger, run.reason) == (Trigger.COMMAND, "cron")
    assert run.windows >= 3
    assert AccessToken.objects.count() == 2


@pytest.mark.django_db
def test_a_dry_run_says_what_would_go_and_touches_nothing(make_tokens: MakeTokens) -> None:
    make_tokens(expired=5, live=2)
    preview = json.loads(run_command("cleartokens", "--json", "--dry-run"))
    assert (preview["dry_run"], preview["rows"], preview["reasons"]["access_tokens"]) == (True, 5, 5)
    assert "5 rows would go" in run_command("cleartokens", "--dry-run")
    assert AccessToken.objects.count() == 7
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_enqueue_leaves_the_work_to_a_worker(make_tokens: MakeTokens) -> None:
    make_tokens(expired=5)
    report = json.loads(run_command("cleartokens", "--json", "--enqueue"))
    assert report["status"] == "enqueued"
    assert AccessToken.objects.count() == 5


@pytest.mark.django_db
def test_it_says_what_an_unset_lifetime_keeps(make_tokens: MakeTokens) -> None:
    errors = StringIO()
    call_command("cleartokens", stdout=StringIO(), stderr=errors)
    assert "REFRESH_TOKEN_EXPIRE_SECONDS is not set" in errors.getvalue()
    with override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": 60}):
        errors = StringIO()
        call_command("cleartokens", stdout=StringIO(), stderr=errors)
    assert errors.getvalue() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cleartokens", "--batch-size", "0"], "at least 1"),
        (["cleartokens", "--batch-size", "10", "--enqueue"], "goes without --enqueue"),
        (["cleartokens", "--shards", "2"], "goes with --enqueue"),
        (["cleartokens", "--shards", "100", "--enqueue"], "1 to 64"),
        (["cleartokens", "--dry-run", "--enqueue"], "not both"),
        (["revoke_user_tokens"], "Say whose tokens"),
        (["revoke_user_tokens", "7"], "There is no user 7"),
        (["revoke_user_tokens", "--everybody"], "give --no-input"),
        (["revoke_user_tokens", "--everybody", "--enqueue"], "give --no-input"),
        (["maintenance_run", "revoke_user_tokens", "--everybody"], "give --no-input"),
        (["migrate_token_scopes", "read", "read"], "would become itself"),
        (["migrate_token_scopes", 'a"b', "read"], "is no scope"),
        (["cleanup_inactive_applications", "--days", "-1"], "days"),
        (["maintenance_runs", "list", "--limit", "-1"], "at least 1"),
        (["maintenance"], "Say what"),
    ],
    ids=" ".join,
)
@pytest.mark.django_db
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        run_command(*arguments)
    assert refused.value.returncode == 2
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_there_is_no_run_to_show() -> None:
    with pytest.raises(CommandError, match="no run") as unknown:
        run_command("maintenance_runs", "show", "7")
    assert unknown.value.returncode == 2


@pytest.mark.django_db
def test_each_operation_has_its_command(make_tokens: MakeTokens) -> None:
    application = make_tokens(live=2)
    user = get_user_model().objects.create_user("ann")
    AccessToken.objects.update(user=user)

    def report(*arguments: Any) -> dict[str, Any]:
        return json.loads(run_command(*arguments, "--json"))

    assert report("migrate_token_scopes", "read", "read write")["counts"][TABLE] == 2
    assert AccessToken.objects.filter(scope="read write").count() == 2
    assert report("cleanup_inactive_applications", "--dry-run")["rows"] == 0
    assert report("revoke_user_tokens", str(user.pk), "--reason", "stolen laptop")["counts"][TABLE] == 2
    assert not AccessToken.objects.exists()
    Application.objects.update(created="2020-01-01T00:00:00Z", last_used="2020-01-01T00:00:00Z")
    assert report("cleanup_inactive_applications")["counts"][Application._meta.db_table] == 1
    assert not Application.objects.filter(pk=application.pk).exists()
    assert set(Run.objects.values_list("operation", "trigger", "status")) == {
        (name, "command", "succeeded")
        for name in ("migrate_token_scopes", "revoke_user_tokens", "cleanup_inactive_applications")
    }


@pytest.mark.django_db
def test_without_a_terminal_everybodys_tokens_are_revoked_where_no_input_says_so(
    make_tokens: MakeTokens,
) -> None:
    make_tokens(live=2)
    AccessToken.objects.update(user=get_user_model().objects.create_user("ann"))
    preview = json.loads(run_command("revoke_user_tokens", "--everybody", "--dry-run", "--json"))
    assert (preview["rows"], AccessToken.objects.count()) == (2, 2)
    report = json.loads(run_command("revoke_user_tokens", "--everybody", "--no-input", "--json"))
    assert (report["status"], report["counts"][TABLE]) == ("succeeded", 2)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("typed", "code", "left"), [("everybody\n", 0, 0), ("yes\n", 1, 2), (CTRL_D, 1, 2), (CTRL_C, 1, 2)]
)
def test_at_a_terminal_everybodys_tokens_are_revoked_once_the_word_is_typed(
    engine: EngineDatabase, make_tokens: MakeTokens, typed: str, code: int, left: int
) -> None:
    """The word that the page asks for too. Ctrl-D and Ctrl-C type none."""
    make_tokens(live=2)
    AccessToken.objects.update(user=get_user_model().objects.create_user("ann"))
    terminal, other_end = pty.openpty()
    process = start_command(engine, "revoke_user_tokens", "--everybody", "--json", terminal=other_end)
    os.close(other_end)
    written = b""
    while b"to go on: " not in written:
        written += os.read(terminal, 1000)
    shown = written.decode()
    if typed == CTRL_C:
        press_ctrl_c(process)
    else:
        os.write(terminal, typed.encode())
    output, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert 'Type "everybody" to go on: ' in shown
    assert process.returncode == code
    assert AccessToken.objects.count() == left
    assert Run.objects.exists() == (code == 0)
    assert [line["status"] for line in map(json.loads, output.splitlines())] == ["succeeded"] * (code == 0)


def test_at_a_terminal_a_bar_shows_how_far_how_fast_and_how_long(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    make_tokens(expired=400)
    terminal, other_end = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    process = start_command(engine, "cleartokens", "--batch-size", "10", terminal=other_end)
    os.close(other_end)
    written = b""
    with suppress(OSError):  # the end of the terminal
        while part := os.read(terminal, 1000):  # it may end within a character
            written += part
    os.close(terminal)
    shown = written.decode()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"\d+%\|", shown)
    assert re.search(r"\d+ rows, [\d,.]+ rows/s", shown)
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", shown)  # so long until now, and from now on
    assert not AccessToken.objects.exists()


@pytest.mark.django_db
def test_runs_are_listed_shown_and_controlled() -> None:
    run = runs.enqueue("clear_expired")
    assert str(run.pk) in run_command("maintenance_runs", "list", "--active")
    assert json.loads(run_command("maintenance_runs", "pause", run.pk, "--json"))["status"] == "paused"
    assert json.loads(run_command("maintenance_runs", "resume", run.pk, "--json"))["status"] == "enqueued"
    shown = run_command("maintenance_runs", "cancel", run.pk, "--reason", "a mistake")
    assert "cancel_requested a mistake maintenance_runs" in shown
    with pytest.raises(CommandError, match="cannot become"):
        run_command("maintenance_runs", "resume", run.pk)
    assert run_command("maintenance_runs", "list", "--active") == ""


@pytest.mark.django_db
def test_a_list_shows_runs_and_not_their_shards(make_tokens: MakeTokens) -> None:
    make_tokens(expired=10)
    run = run_here(runs.enqueue("clear_expired", shards=2))
    assert run.shard_runs.exists()
    assert [shown["run"] for shown in json.loads(run_command("maintenance_runs", "list", "--json"))] == [
        str(run.pk)
    ]


@pytest.mark.django_db
def test_statistics_and_audit(make_tokens: MakeTokens) -> None:
    application = make_tokens(expired=3, live=2, name="The client")
    AccessToken.objects.filter(token="live 0").update(created="2020-01-01T00:00:00Z")
    figures = json.loads(run_command("maintenance", "--stats", "--audit", "--json"))
    statistics = figures["statistics"]
    assert (statistics["applications_total"], statistics["applications_active"]) == (1, 1)
    assert statistics["tables"][0] == {"table": TABLE, "total": 5, "active": 2, "is_estimate": False}
    assert figures["audit"] == {
        "old_active_tokens": 1,
        "top_applications": [{"name": "The client", "client_id": application.client_id, "tokens": 5}],
    }
    assert "oauth2_provider_accesstoken: 5, 2 active" in run_command("maintenance", "--stats")
    done = json.loads(run_command("maintenance", "--cleanup", "--stats", "--json"))
    assert (done["cleanup"]["status"], done["cleanup"]["counts"]) == ("succeeded", {TABLE: 3})
    assert done["statistics"]["tables"][0]["total"] == 2
    assert "Succeeded" in run_command("maintenance", "--cleanup")
    assert AccessToken.objects.count() == 2


@pytest.mark.django_db
def test_a_cleanup_that_is_held_prints_its_run_and_exits_with_1() -> None:
    runs.hold_all("ann", "migration")
    output = StringIO()
    with pytest.raises(CommandError, match=r"is held until 2\d{3}-[-0-9: ]+ UTC: all hygiene work") as held:
        call_command("maintenance", "--cleanup", "--stats", "--json", stdout=output, stderr=StringIO())
    assert held.value.returncode == 1
    assert json.loads(output.getvalue())["cleanup"]["status"] == "interrupted"
    run = Run.objects.get()
    assert run.not_before is not None
    shown = run_command("maintenance_runs", "show", run.pk)
    assert str(run.not_before) in shown
    assert "all hygiene work is held by ann: migration" in shown


@on_every_engine
def test_what_a_killed_command_left_the_next_one_finishes(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    """Where cleartokens is in cron and nothing else runs: no sweep takes the run back."""
    make_tokens(expired=3000, live=1)
    process = start_cleartokens(engine, "--batch-size", "5")
    wait_until(lambda: Run.objects.filter(windows__gt=2).exists(), what="a run in the middle")
    process.kill()
    process.communicate(timeout=30)
    run = Run.objects.get()
    assert run.status == RunStatus.RUNNING
    assert 0 < run.rows < 3000
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))  # a minute goes by
    report = json.loads(run_command("cleartokens", "--json", "--batch-size", "1000"))
    assert (report["run"], report["status"], report["rows"]) == (str(run.pk), "succeeded", 3000)
    assert AccessToken.objects.count() == 1
    assert run.events.filter(kind=RunEvent.Kind.LOST).count() == 1


@on_servers
def test_a_command_follows_a_run_that_a_worker_has(
    engine: EngineDatabase, make_tokens: MakeTokens, start_worker: Callable[..., Any]
) -> None:
    make_tokens(expired=30)
    run = runs.enqueue("clear_expired")
    worker = start_worker(run, window_rows=10)
    wait_until(lambda: Run.objects.filter(windows=1).exists(), what="a worker at it")

    def let_it_finish() -> None:
        wait_until(run.events.filter(kind=RunEvent.Kind.REQUESTED).exists, what="the command asks")
        worker.finish()
        connections.close_all()

    thread = threading.Thread(target=let_it_finish)
    thread.start()
    report = json.loads(run_command("cleartokens", "--json"))
    thread.join()
    assert (report["run"], report["status"], report["rows"]) == (str(run.pk), "succeeded", 30)
    assert Run.objects.get().attempts == 1


def start_cleartokens(engine: EngineDatabase, *arguments: str) -> subprocess.Popen[str]:
    return start_command(engine, "cleartokens", *arguments)


def start_command(
    engine: EngineDatabase, *arguments: str, terminal: int | None = None
) -> subprocess.Popen[str]:
    """Start `manage.py` with `arguments`; at `terminal` where there is one."""
    variables = {"DJANGO_SETTINGS_MODULE": "worker.settings", "DJANGO_DEBUG": "1", "DATABASE_URL": engine.url}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def heed_ctrl_c() -> None:
    """Take interrupts again where the tests run in the background, which ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Interrupt `process` as it waits for input; a signal that comes just before it waits wakes nobody."""
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


def test_ctrl_c_leaves_a_run_that_can_be_resumed(engine: EngineDatabase, make_tokens: MakeTokens) -> None:
    make_tokens(expired=3000, live=1)
    process = start_cleartokens(engine, "--batch-size", "5")
    wait_until(lambda: Run.objects.filter(windows__gt=2).exists(), what="a run in the middle")
    process.send_signal(signal.SIGINT)
    _output, errors = process.communicate(timeout=30)
    run = Run.objects.get()
    assert (process.returncode, run.status) == (1, RunStatus.PAUSED)
    assert f"maintenance_runs resume {run.pk}" in errors
    assert AccessToken.objects.count() == 3001 - run.rows


def test_a_terminal_shows_progress_with_rate_and_time_left(
    engine: EngineDatabase, make_tokens: MakeTokens
) -> None:
    make_tokens(expired=500)
    terminal, other_end = pty.openpty()
    termios.tcsetwinsize(other_end, (24, 120))
    done = subprocess.run(
        [sys.executable, "manage.py", "cleartokens", "--batch-size", "50"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "worker.settings",
            "DJANGO_DEBUG": "1",
            "DATABASE_URL": engine.url,
        },
        stdout=subprocess.PIPE,
        stderr=other_end,
        check=True,
        timeout=60,
    )
    os.close(other_end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert re.search(r"clear_expired +100%\|█+\| 00:\d\d<00:00, 500 rows, \d+ rows/s", shown), shown
    assert b"Succeeded, 500 rows" in done.stdout
