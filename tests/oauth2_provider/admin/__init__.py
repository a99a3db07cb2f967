"""The Django admin."""

from __future__ import annotations
