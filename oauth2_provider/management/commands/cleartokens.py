"""`manage.py cleartokens`: delete what is expired, in this process."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ...models import clear_expired
from ...models.expiry import refresh_tokens_kept_forever


class Command(BaseCommand):
    help = "Delete expired tokens, codes and pushed requests."

    def handle(self, *args: Any, **options: Any) -> None:
        kept = refresh_tokens_kept_forever()
        if kept:
            self.stderr.write(self.style.WARNING(kept))
        for table, count in clear_expired().items():
            self.stdout.write(f"{table}: {count}")
