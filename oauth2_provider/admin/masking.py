"""How a credential looks to people: enough of its end to tell two apart, not enough to use it."""

from __future__ import annotations

MASK = "••••••••"
MASK_MIN_LENGTH = 16
"""A value below this many characters is masked whole."""
MASK_SUFFIX_LENGTH = 4
"""Characters at the end that are shown."""


def mask_credential(value: str | None) -> str:
    """Return `value` masked but for its last characters; "-" where there is none."""
    if not value:
        return "-"
    return MASK + (value[-MASK_SUFFIX_LENGTH:] if len(value) >= MASK_MIN_LENGTH else "")
