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
from .cleanup_inactive_applications import cleanup_inactive_applications, restore_application
from .migrate_token_scopes import migrate_token_scopes
from .revoke_user_tokens import batch_revoke_user_tokens

__all__ = [
    "ArgumentsForm",
    "Job",
    "Operation",
    "OperationKind",
    "Preview",
    "Stage",
    "WindowResult",
    "all_operations",
    "batch_revoke_user_tokens",
    "cleanup_inactive_applications",
    "get_operation",
    "migrate_token_scopes",
    "register",
    "register_defaults",
    "restore_application",
    "unregister",
]


def register_defaults() -> None:
    """Register the operations that come with the app."""
    from .cleanup_inactive_applications import CleanupInactiveApplications
    from .clear_expired import ClearExpired
    from .migrate_token_scopes import MigrateTokenScopes
    from .purge_runs import PurgeRuns
    from .revoke_user_tokens import RevokeUserTokens

    for operation in (
        CleanupInactiveApplications,
        ClearExpired,
        MigrateTokenScopes,
        PurgeRuns,
        RevokeUserTokens,
    ):
        register(operation)
