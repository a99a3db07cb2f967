"""`manage.py maintenance_runs`: list, show, pause, resume, cancel and retry runs; hold and release all of them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from ... import runs
from ...audit import origin
from ...exceptions import TransitionRefused
from ...models import ACTIVE, MaintenanceSwitch, Run, Trigger
from ..operation_command import USAGE, run_to_json

CONTROLS = {"pause": runs.pause, "resume": runs.resume, "cancel": runs.cancel, "retry": runs.retry}
SWITCH = {"hold": runs.hold_all, "release": runs.release_all}
ACTOR = "maintenance_runs"


class Command(BaseCommand):
    help = "List, show, pause, resume, cancel and retry runs; hold and release all hygiene work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "show", *CONTROLS, *SWITCH])
        parser.add_argument(
            "run", nargs="?", help="The run's id; all but `list`, `hold` and `release` need it."
        )
        parser.add_argument("--active", action="store_true", help="list: only runs that have not ended.")
        parser.add_argument("--limit", type=int, default=20, help="list: how many. Default: 20.")
        parser.add_argument("--reason", default="", help="Why; kept, and shown to everybody.")
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, action: str, run: str | None, **options: Any) -> None:
        if action == "list":
            self._list(options)
            return
        if action in SWITCH:
            with origin(source=Trigger.COMMAND):
                self._show_switch(SWITCH[action](ACTOR, options["reason"]), as_json=options["json"])
            return
        found = self._find(run)
        if action in CONTROLS:
            try:
                with origin(source=Trigger.COMMAND):
                    CONTROLS[action](found, actor=ACTOR, reason=options["reason"])
            except TransitionRefused as refused:
                raise CommandError(str(refused)) from refused
            found.refresh_from_db()
        self._show(found, as_json=options["json"])

    def _find(self, run: str | None) -> Run:
        if run is None:
            raise CommandError("Name the run by its id.", returncode=USAGE)
        try:
            return Run.objects.get(pk=UUID(run))
        except (ValueError, Run.DoesNotExist) as exc:
            raise CommandError(f"There is no run {run}.", returncode=USAGE) from exc

    def _list(self, options: dict[str, Any]) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be at least 1.", returncode=USAGE)
        found = Run.objects.filter(parent=None).order_by("-created")
        if options["active"]:
            found = found.filter(status__in=ACTIVE)
        rows = list(found[: options["limit"]])
        if options["json"]:
            self.stdout.write(json.dumps([run_to_json(run) for run in rows], cls=DjangoJSONEncoder))
            return
        for run in rows:
            self.stdout.write(
                f"{run.pk}  {run.created:%Y-%m-%d %H:%M}  {run.operation:32} {run.status:12} {run.rows:>10} rows"
            )

    def _show(self, run: Run, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(run_to_json(run), cls=DjangoJSONEncoder))
            return
        for name, value in run_to_json(run).items():
            if value not in ("", None, {}):
                self.stdout.write(f"{name:14} {value}")
        for event in run.events.all():
            self.stdout.write(
                f"  {event.created:%Y-%m-%d %H:%M:%S} {event.kind} {event.text} {event.actor}".rstrip()
            )

    def _show_switch(self, switch: MaintenanceSwitch, *, as_json: bool) -> None:
        if as_json:
            values = {name: getattr(switch, name) for name in ("is_held", "actor", "reason", "since")}
            self.stdout.write(json.dumps(values, cls=DjangoJSONEncoder))
        else:
            self.stdout.write(switch.hold_reason if switch.is_held else "Hygiene work is not held.")
