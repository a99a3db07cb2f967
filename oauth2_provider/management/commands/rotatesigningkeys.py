"""rotatesigningkeys: the next key signs, the one that did retires."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from oauth2_provider.flows import signing_keys
from oauth2_provider.models.signing_key import KINDS


class Command(BaseCommand):
    """Rotate the key of one algorithm. What the old one signed verifies for as long as it stays published."""

    help = "Have the next key sign, retire the one that did, and make another next one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("algorithm", choices=list(KINDS))
        parser.add_argument(
            "--keep-days", type=int, default=30, help="How long a retired key stays published (default: 30)."
        )
        parser.add_argument(
            "--force", action="store_true", help="Rotate although clients may not have seen the next key yet."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keep = timedelta(days=options["keep_days"])
        try:
            key = signing_keys.rotate(options["algorithm"], keep=keep, is_forced=options["force"])
        except (signing_keys.NothingToRotate, signing_keys.NextKeyTooYoung) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key.algorithm} {key.kid} {key.state}")
