"""This project beside django-oauth-toolkit and beside hand-written SQL: `python -m benchmarks --help`."""

from __future__ import annotations
