"""`manage.py migrate_token_scopes`: the operation of that name."""

from __future__ import annotations

from ..operation_command import OperationCommand


class Command(OperationCommand):
    help = "Replace a scope in tokens and codes."
    operation = "migrate_token_scopes"
    positional = ("old", "new")
