"""Who may see, run and control what."""

from __future__ import annotations

from typing import Any

from .operations import Operation, OperationKind


def may_run(user: Any, operation: Operation) -> bool:
    """Tell whether `user` may have `operation` run: by its kind, and destructive ones by a permission more."""
    kind = "run_security" if operation.kind is OperationKind.SECURITY else "run_hygiene"
    needed = [f"maintenance.{kind}"]
    if operation.is_destructive:
        needed.append("maintenance.run_destructive")
    return bool(user.has_perms(needed))


def may_control(user: Any) -> bool:
    """Tell whether `user` may pause, resume, cancel and retry runs."""
    return bool(user.has_perm("maintenance.control_run"))
