"""Asynchronous house-keeping for the provider's tables: operations, runs, and the loop that works them."""

from __future__ import annotations
