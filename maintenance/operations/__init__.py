"""The operations, and the plain functions that do the same at once, without Celery."""

from __future__ import annotations

from .base import (
    ArgumentsForm,
    Job,
    Operation,
    OperationKind,
    Preview,
    Stage,
    WindowResult,
    all_operations,
    get_operation,
    register,
    unregister,
)

__all__ = [
    "ArgumentsForm",
    "Job",
    "Operation",
    "OperationKind",
    "Preview",
    "Stage",
    "WindowResult",
    "all_operations",
    "get_operation",
    "register",
    "register_defaults",
    "unregister",
]


def register_defaults() -> None:
    """Register the operations that come with the app."""
    from .clear_expired import ClearExpired
    from .purge_runs import PurgeRuns

    for operation in (ClearExpired, PurgeRuns):
        register(operation)
