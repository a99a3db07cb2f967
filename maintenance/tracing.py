"""Spans of OpenTelemetry around slices and windows, where the site has it (the extra `opentelemetry`); else nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    from opentelemetry import trace
except ImportError:  # the site has no OpenTelemetry: a span is an empty context
    trace = None  # type: ignore[assignment]

INSTRUMENTATION = "maintenance"


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Any]:
    """Have what is inside be a span `maintenance.<name>`; yields it, None without OpenTelemetry.

    `attributes` are set as maintenance.<attribute>: keys, names and numbers, never a token. An exception is noted by
    its class alone, because a database's messages may quote rows.
    """
    if trace is None:
        yield None
        return
    tracer = trace.get_tracer(INSTRUMENTATION)
    with tracer.start_as_current_span(
        f"{INSTRUMENTATION}.{name}", record_exception=False, set_status_on_exception=False
    ) as current:
        set_attributes(current, **attributes)
        try:
            yield current
        except Exception as error:
            current.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
            raise


def set_attributes(current: Any, **attributes: Any) -> None:
    """Set attributes on a span that `span` has given; nothing where it gave None."""
    if current is not None:
        current.set_attributes({f"{INSTRUMENTATION}.{name}": value for name, value in attributes.items()})
