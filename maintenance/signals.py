"""Signals of the maintenance app; each is sent with `run`, after the fact is committed."""

from __future__ import annotations

from django.dispatch import Signal

run_started = Signal()
"""The first slice of a run began."""

run_finished = Signal()
"""A run ended as succeeded or cancelled."""

run_failed = Signal()
"""A run ended as failed; `run.error_class` and `run.error_message` say why."""
