"""An app whose migration asks to run before the provider's first one."""

from __future__ import annotations
