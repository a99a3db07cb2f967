"""The operators' pages in the Django admin: one module for each noun. Importing this registers them.

A group of pages is a class with `get_urls`, mixed into the ModelAdmin under whose URL it lives.
"""

from __future__ import annotations

from .runs import RunAdmin, RunEventInline

__all__ = ["RunAdmin", "RunEventInline"]
