"""Who may see, run and control what: permissions of Django's, on the model Run, one for each class of operation.

    view_run                 see the dashboard, runs and what they did
    view_traceback           see where in the code a run failed
    run_hygiene, run_security, run_destructive
    control_hygiene, control_security, control_destructive
    hold_hygiene             hold and release all hygiene work

An operation is of one kind, hygiene or security, and may be destructive besides: then it takes that permission too.
"""

from __future__ import annotations

from typing import Any

from .operations import Operation, OperationKind

STOPPING = ("pause", "cancel")
"""Controls that delete nothing: who has them for the kind may stop a destructive run as well."""


def may_view(user: Any, operation: Operation | None = None) -> bool:
    """Tell whether `user` may see the dashboard and the runs, of `operation` or of all."""
    return bool(user.has_perm("maintenance.view_run"))


def may_view_traceback(user: Any) -> bool:
    """Tell whether `user` may see the traceback of a failed run."""
    return bool(user.has_perm("maintenance.view_traceback"))


def may_run(user: Any, operation: Operation) -> bool:
    """Tell whether `user` may have `operation` run: by its kind, and destructive ones by a permission more."""
    return bool(user.has_perms(_needed("run", operation, is_destructive=operation.is_destructive)))


def may_control(user: Any, operation: Operation | None, control: str) -> bool:
    """Tell whether `user` may `control` (pause, resume, cancel, retry) runs of `operation`.

    To stop a run takes the permission of its kind; to have a destructive one go on takes a permission more. None
    stands for an operation that is no longer installed: its kind is unknown, so it takes all of them.
    """
    if operation is None:
        return bool(
            user.has_perms([f"maintenance.control_{name}" for name in (*OperationKind, "destructive")])
        )
    is_destructive = operation.is_destructive and control not in STOPPING
    return bool(user.has_perms(_needed("control", operation, is_destructive=is_destructive)))


def may_hold(user: Any) -> bool:
    """Tell whether `user` may hold and release all hygiene work."""
    return bool(user.has_perm("maintenance.hold_hygiene"))


def _needed(verb: str, operation: Operation, *, is_destructive: bool) -> list[str]:
    names = [str(operation.kind), *(["destructive"] if is_destructive else [])]
    return [f"maintenance.{verb}_{name}" for name in names]
