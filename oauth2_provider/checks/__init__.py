"""System checks of the provider; each has a stable id, listed in docs/checks.md."""

from __future__ import annotations

from .security import (
    validate_bcp_configuration,
    validate_open_registration,
    validate_replay_protection,
)
from .site import (
    validate_middleware,
    validate_settings,
    validate_swapped_model_consistency,
    validate_token_configuration,
)
from .takeover import check_migration_state

__all__ = [
    "check_migration_state",
    "validate_bcp_configuration",
    "validate_middleware",
    "validate_open_registration",
    "validate_replay_protection",
    "validate_settings",
    "validate_swapped_model_consistency",
    "validate_token_configuration",
]
