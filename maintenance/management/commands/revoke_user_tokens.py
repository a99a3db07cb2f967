"""`manage.py revoke_user_tokens`: the operation of that name."""

from __future__ import annotations

from ..operation_command import OperationCommand


class Command(OperationCommand):
    help = "End every token and code that users were given."
    operation = "revoke_user_tokens"
    positional = ("user_id",)
