"""`manage.py cleanup_inactive_applications`: the operation of that name."""

from __future__ import annotations

from ..operation_command import OperationCommand


class Command(OperationCommand):
    help = "Remove applications that nobody has used."
    operation = "cleanup_inactive_applications"
