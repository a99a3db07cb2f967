"""The operators' pages in the Django admin: one module for each noun. Importing this registers them.

A group of pages is a class with `get_urls`, mixed into the ModelAdmin under whose URL it lives.
"""

from __future__ import annotations

from .dashboard import DashboardAdmin
from .runs import RunAdmin

__all__ = ["DashboardAdmin", "RunAdmin"]
