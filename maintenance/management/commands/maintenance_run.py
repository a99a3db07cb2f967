"""`manage.py maintenance_run <operation>`: any registered operation, a site's own among them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...operations import all_operations
from ..operation_command import USAGE, OperationCommand


class Command(OperationCommand):
    help = "Run a registered operation."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Take the operation's name off the command line first: it decides which options there are."""
        names = {operation.name for operation in all_operations()}
        self.operation = next((argument for argument in sys.argv[2:] if argument in names), "")
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        names = [operation.name for operation in all_operations()]
        parser.add_argument("operation", choices=names, help="Which operation.")
        if self.operation:
            super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not self.operation:
            raise CommandError("Name the operation on the command line.", returncode=USAGE)
        super().handle(*args, **options)
