"""The alert rules and the dashboard that come with the project speak of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from maintenance import runs
from maintenance.health import Status
from maintenance.heartbeats import note_heartbeat
from maintenance.metrics import render_metrics
from maintenance.models import Heartbeat, MaintenanceSwitch, Run, RunStatus, Trigger
from maintenance.runner import run_here

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "docs" / "monitoring"
ALERTS = DIRECTORY / "alerts.yml"
NAME = re.compile(r"\bmaintenance_\w+")
SELECTOR = re.compile(r"(maintenance_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)="([^"]*)"')


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions_of_alerts() -> list[str]:
    return [rule["expr"] for rule in rules()]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DIRECTORY / "dashboard.json").read_text())["panels"]
    return found


def expressions_of_panels() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture
def samples(db: None, make_tokens: Callable[..., Any]) -> Iterator[list[Any]]:
    """A scrape of a site that has lived: runs, signs of life, expired rows, a finding."""
    make_tokens(expired=3)
    note_heartbeat(Heartbeat.Role.BEAT, "beat")
    note_heartbeat(Heartbeat.Role.WORKER, "celery@here", queue="maintenance")
    run = run_here(runs.enqueue("clear_expired"))
    Run.objects.create(
        operation="clear_expired",
        trigger=Trigger.CODE,
        status=RunStatus.FAILED,
        started=run.started,
        finished=timezone.now(),
    )
    make_tokens(expired=2)
    MaintenanceSwitch.turn(is_held=True, since=timezone.now() - timedelta(days=2))
    families = text_string_to_metric_families(render_metrics().decode())
    yield [sample for family in families for sample in family.samples]


@pytest.mark.parametrize("expressions", [expressions_of_alerts, expressions_of_panels])
def test_every_metric_named_is_in_a_scrape(samples: list[Any], expressions: Callable[[], list[str]]) -> None:
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 8
    assert named - {sample.name for sample in samples} == set()


@pytest.mark.parametrize("expressions", [expressions_of_alerts, expressions_of_panels])
def test_every_label_named_has_a_value_that_occurs(
    samples: list[Any], expressions: Callable[[], list[str]]
) -> None:
    keys_of_findings = set(re.findall(r'key="(\w+)"', sources_of_health()))
    for expression in expressions():
        for name, matchers in SELECTOR.findall(expression):
            for label, value in MATCHER.findall(matchers):
                occurring = {sample.labels[label] for sample in samples if sample.name == name}
                assert value in occurring | keys_of_findings, f"{name} {label}={value}"


def sources_of_health() -> str:
    health = DIRECTORY.parent.parent / "maintenance" / "health"
    return "".join(file.read_text() for file in health.glob("*.py"))


def test_every_metric_is_on_the_dashboard(samples: list[Any]) -> None:
    shown = {name for expression in expressions_of_panels() for name in NAME.findall(expression)}
    assert {sample.name for sample in samples} - shown == set()


def test_every_rule_says_how_grave_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules()) > 8
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_panels_are_of_one_grid_and_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_states_of_the_health_are_those_of_the_rules() -> None:
    named = set(re.findall(r'maintenance_health_status\{status="(\w+)"', ALERTS.read_text()))
    assert named <= {str(status) for status in Status}


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (Debian: apt-get install prometheus)")
    done = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_promtool_accepts_the_metrics() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (Debian: apt-get install prometheus)")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=render_metrics(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
