"""`manage.py cleartokens`: clear_expired as a run, in this process or left to a worker.

Takes the place of the provider's own command where `maintenance` stands before it in INSTALLED_APPS.
"""

from __future__ import annotations

from oauth2_provider.models.expiry import refresh_tokens_kept_forever

from ..operation_command import OperationCommand


class Command(OperationCommand):
    help = "Delete expired tokens, codes and pushed requests."
    operation = "clear_expired"

    def warn(self) -> None:
        kept = refresh_tokens_kept_forever()
        if kept:
            self.stderr.write(self.style.WARNING(kept))
