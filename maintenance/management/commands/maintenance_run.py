"""`manage.py maintenance_run <operation>`: any registered operation, a site's own among them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ...operations import all_operations
from ..operation_command import OperationCommand


class Command(OperationCommand):
    help = "Run a registered operation."

    def add_arguments(self, parser: CommandParser) -> None:
        operations = parser.add_subparsers(dest="operation", required=True, metavar="operation")
        for operation in all_operations():
            self.operation = operation.name
            super().add_arguments(operations.add_parser(operation.name, help=operation.description))

    def handle(self, *args: Any, **options: Any) -> None:
        self.operation = options["operation"]
        super().handle(*args, **options)
