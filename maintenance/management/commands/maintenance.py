"""`manage.py maintenance --cleanup --stats --audit`: the house-keeping of one evening."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...statistics import Audit, Statistics, collect_audit, collect_statistics
from ..operation_command import USAGE


class Command(BaseCommand):
    help = "Clear what is expired, print figures, print what deserves a look; as asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cleanup", action="store_true", help="Clear what is expired.")
        parser.add_argument("--stats", action="store_true", help="Applications and tokens, by table.")
        parser.add_argument(
            "--audit", action="store_true", help="Old live tokens; who holds the most tokens."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, cleanup: bool, stats: bool, audit: bool, **options: Any) -> None:
        if not (cleanup or stats or audit):
            raise CommandError("Say what: --cleanup, --stats or --audit.", returncode=USAGE)
        cleaned = self._clean_up(as_json=options["json"]) if cleanup else {}
        figures = collect_statistics() if stats else None
        findings = collect_audit() if audit else None
        if options["json"]:
            content = {
                **({"cleanup": cleaned} if cleanup else {}),
                **({"statistics": figures.to_json()} if figures else {}),
                **({"audit": findings.to_json()} if findings else {}),
            }
            self.stdout.write(json.dumps(content))
            return
        if figures is not None:
            self._print_statistics(figures)
        if findings is not None:
            self._print_audit(findings)

    def _clean_up(self, *, as_json: bool) -> dict[str, Any]:
        """Clear what is expired; returns what the command printed as JSON. One that fails is printed at once."""
        if not as_json:
            call_command("cleartokens", stdout=self.stdout, stderr=self.stderr)
            return {}
        report = StringIO()
        try:
            call_command("cleartokens", stdout=report, stderr=self.stderr, json=True)
        except CommandError:
            self.stdout.write(json.dumps({"cleanup": json.loads(report.getvalue() or "null")}))
            raise
        return dict(json.loads(report.getvalue()))

    def _print_statistics(self, figures: Statistics) -> None:
        self.stdout.write(
            f"Applications: {figures.applications_total}, {figures.applications_active} with a live token"
        )
        for table in figures.tables:
            about = "about " if table.is_estimate else ""
            self.stdout.write(f"  {table.table}: {about}{table.total}, {table.active} active")

    def _print_audit(self, findings: Audit) -> None:
        self.stdout.write(f"Live access tokens older than a week: {findings.old_active_tokens}")
        self.stdout.write("Applications with the most tokens:")
        for row in findings.top_applications:
            self.stdout.write(f"  {row['tokens']:>8}  {row['name'] or row['client_id']}")
