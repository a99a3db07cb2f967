"""Deletes applications of client ID metadata documents that nobody uses."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...flows.stale_documents import clear_cimd_applications


class Command(BaseCommand):
    help = (
        "Delete applications whose client ID metadata document is stale and which hold no token. "
        "They come back when their client is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--batch-size", type=int, default=1000, help="rows in a transaction (default: 1000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch_size"] < 1:
            raise CommandError("--batch-size must be 1 or more.")
        deleted = clear_cimd_applications(batch_size=options["batch_size"])
        self.stdout.write(f"{deleted} applications deleted.")
