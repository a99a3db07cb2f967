"""What every command that runs an operation shares: options, a progress bar, exit codes.

Exit codes: 0 done, 1 failed or stopped, 2 wrong usage. Ctrl-C ends the window at hand and leaves a paused run, which
`maintenance_runs resume` goes on with.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

from django import forms
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from tqdm import tqdm

from .. import runs
from ..exceptions import InvalidArguments, UnknownOperation
from ..models import ENDED, HELD_BY_WORKER, WAITING, Run, RunStatus, Trigger
from ..operations import Operation, get_operation
from ..operations.base import Inexact
from ..operations.budget import budget_of_a_dry_run
from ..previews import expected_seconds, preview_of
from ..runner import Runner
from ..words import seconds_in_words

USAGE = 2
FOLLOW_SECONDS = 0.5
"""How often a command looks at a run that a worker has."""


class OperationCommand(BaseCommand):
    """Runs the operation called `operation`; its form makes the options, `positional` names some of them."""

    operation: str
    positional: tuple[str, ...] = ()
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        for name, field in self._operation().form_class.base_fields.items():
            self._add_argument(parser, name, field)
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
        parser.add_argument("--enqueue", action="store_true", help="Leave it to a worker, and print the run.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")
        parser.add_argument(
            "--batch-size",
            type=int,
            help="Rows a window, not with --enqueue. Default: as many as fit the target time.",
        )
        parser.add_argument(
            "--shards",
            type=int,
            default=1,
            help="How many workers, side by side; with --enqueue only. Default: 1.",
        )
        parser.add_argument("--reason", default="", help="Why; kept in the run's record.")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="Ask nothing, also where so much goes that a word has to be typed.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        operation = self._operation()
        arguments = {
            name: options[name]
            for name in operation.form_class.base_fields
            if options.get(name) not in (None, False)
        }
        try:
            arguments = operation.clean(arguments)
        except InvalidArguments as invalid:
            raise CommandError(str(invalid), returncode=USAGE) from invalid
        _refuse_contradictions(options)
        self.warn()
        if options["dry_run"]:
            self._preview(operation, arguments, as_json=options["json"])
            return
        if options["interactive"]:
            self._have_word_typed(operation, arguments)
        run = runs.request_run(
            operation.name,
            arguments,
            trigger=Trigger.COMMAND,
            reason=options["reason"],
            shards=options["shards"],
            dispatch=options["enqueue"],
        )
        if not options["enqueue"]:
            run = self._work(run, options)
        self._report(run, as_json=options["json"])
        if not options["enqueue"] and run.status != RunStatus.SUCCEEDED:
            raise CommandError(_ended_badly(run))

    def warn(self) -> None:
        """Say on stderr what the operator should know before."""

    def _have_word_typed(self, operation: Operation, arguments: dict[str, Any]) -> None:
        """Ask for the word that the admin's confirmation asks for; raises CommandError where it is not typed."""
        word = operation.word_to_type(arguments)
        if not word:
            return
        if not sys.stdin.isatty():
            raise CommandError(
                f'{operation.title} with these arguments takes the word "{word}", typed at a terminal. Where there '
                "is none, give --no-input; --dry-run says what would go.",
                returncode=USAGE,
            )
        try:
            self.stderr.write(f'{operation.description}\nType "{word}" to go on: ', ending="")
            self.stderr.flush()
            typed = sys.stdin.readline().strip()
        except KeyboardInterrupt:
            typed = ""
        if typed != word:
            raise CommandError("The word was not typed. Nothing was done.")

    def _operation(self) -> Operation:
        try:
            return get_operation(self.operation)
        except UnknownOperation as unknown:
            raise CommandError(str(unknown), returncode=USAGE) from unknown

    def _add_argument(self, parser: CommandParser, name: str, field: forms.Field) -> None:
        help_text = str(field.help_text)
        if name in self.positional:
            parser.add_argument(name, help=help_text, nargs=None if field.required else "?")
        elif isinstance(field, forms.BooleanField):
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, action="store_true", help=help_text)
        else:
            parser.add_argument(
                f"--{name.replace('_', '-')}", dest=name, help=help_text, required=field.required
            )

    def _preview(self, operation: Operation, arguments: dict[str, Any], *, as_json: bool) -> None:
        preview = preview_of(operation, [arguments], budget_of_a_dry_run())
        seconds = expected_seconds(operation, preview)
        if as_json:
            values = {"dry_run": True, **preview.to_json(), "expected_seconds": seconds}
            self.stdout.write(json.dumps(values, cls=DjangoJSONEncoder))
            return
        self.stdout.write(f"{preview.total} rows would go ({preview.path}).")
        for reason in preview.reasons or preview.counts:
            self.stdout.write(f"  {reason}: {preview.shown(reason)}")
        for reason, rows in preview.kept.items():
            self.stdout.write(f"  stay, {reason}: {rows}")
        if seconds is not None:
            how = "at least" if Inexact.AT_LEAST in preview.inexact.values() else "about"
            self.stdout.write(f"  takes {how} {seconds_in_words(seconds)}, at the pace of the last runs")
        for warning in preview.warnings:
            self.stdout.write(self.style.WARNING(f"  {warning}"))

    def _work(self, run: Run, options: dict[str, Any]) -> Run:
        """Work the run here with a progress bar; where a worker has it already, follow that."""
        stopped: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
        bar = tqdm(
            total=100,
            unit="%",
            disable=options["json"] or not self.stderr.isatty(),
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
            desc=run.operation,
        )

        def show(run: Run) -> None:
            bar.update(round(run.progress * 100, 1) - bar.n)
            bar.set_postfix_str(f"{run.rows} rows, {run.rows / max(run.seconds_worked, 0.001):.0f} rows/s")
            if stopped and run.status == RunStatus.RUNNING:
                runs.pause(run, actor="Ctrl-C")

        try:
            while not self._is_worked(run, on_window=show, window_rows=options["batch_size"]):
                show(run)
                if stopped:
                    break
                time.sleep(FOLLOW_SECONDS)
            show(run)
        finally:
            bar.close()
            signal.signal(signal.SIGINT, before)
        return run

    def _is_worked(self, run: Run, **options: Any) -> bool:
        """Work the run; False: somebody else has it this moment. What a lost worker left is gone on with."""
        runs.take_back(run)
        Runner(run.pk, **options).advance()
        run.refresh_from_db()
        return not _is_in_other_hands(run)

    def _report(self, run: Run, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(run_to_json(run), cls=DjangoJSONEncoder))
            return
        self.stdout.write(f"Run {run.pk}: {run.get_status_display()}, {run.rows} rows.")
        for table, rows in run.total_counts.items():
            if rows:
                self.stdout.write(f"  {table}: {rows}")


def _refuse_contradictions(options: dict[str, Any]) -> None:
    size, is_enqueued = options["batch_size"], options["enqueue"]
    problem = ""
    if size is not None and size < 1:
        problem = "--batch-size must be at least 1."
    elif size is not None and is_enqueued:
        problem = "--batch-size goes without --enqueue: a worker fits its windows to the target time."
    elif not 1 <= options["shards"] <= runs.MOST_SHARDS:
        problem = f"--shards must be 1 to {runs.MOST_SHARDS}."
    elif options["shards"] > 1 and not is_enqueued:
        problem = "--shards goes with --enqueue: it takes several workers."
    elif is_enqueued and options["dry_run"]:
        problem = "Give --dry-run or --enqueue, not both."
    if problem:
        raise CommandError(problem, returncode=USAGE)


def _is_in_other_hands(run: Run) -> bool:
    """Tell whether a worker has the run, or is about to take it; not one that rests or is paused."""
    is_held = run.not_before is not None and run.not_before > timezone.now()
    return run.status in HELD_BY_WORKER or (run.status in WAITING and not is_held)


def run_to_json(run: Run) -> dict[str, Any]:
    """Return what scripts want to know of a run."""
    return {
        "run": str(run.pk),
        "operation": run.operation,
        "arguments": run.arguments,
        "status": run.status,
        "trigger": run.trigger,
        "reason": run.reason,
        "counts": run.total_counts,
        "rows": run.rows,
        "progress": run.progress,
        "created": run.created,
        "started": run.started,
        "finished": run.finished,
        "hold_reason": run.hold_reason,
        "not_before": run.not_before,
        "error_class": run.error_class,
        "error_message": run.error_message,
    }


def _ended_badly(run: Run) -> str:
    if run.status == RunStatus.FAILED:
        return f"The run failed: {run.error_class}: {run.error_message}"
    if run.status in ENDED:
        return f"The run was {run.get_status_display().lower()}."
    if run.status == RunStatus.PAUSED:
        return f"Stopped. Go on with: manage.py maintenance_runs resume {run.pk}"
    if run.hold_reason:
        until = f" until {run.not_before:%Y-%m-%d %H:%M:%S} UTC" if run.not_before else ""
        return f"The run is held{until}: {run.hold_reason}. See: manage.py maintenance_runs show {run.pk}"
    return f"A worker has this run already. See: manage.py maintenance_runs show {run.pk}"
