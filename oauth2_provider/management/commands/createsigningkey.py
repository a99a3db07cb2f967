"""createsigningkey: make a key that signs ID tokens."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from oauth2_provider.flows import signing_keys
from oauth2_provider.models.signing_key import KINDS


class Command(BaseCommand):
    """Make a private key and store it encrypted under SECRET_KEY; its public part is published at once."""

    help = "Make a key that signs ID tokens: it signs at once if it is the first of its algorithm, else it is next."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("algorithm", choices=list(KINDS))

    def handle(self, *args: Any, **options: Any) -> None:
        key = signing_keys.create_key(options["algorithm"])
        self.stdout.write(f"{key.algorithm} {key.kid} {key.state}")
