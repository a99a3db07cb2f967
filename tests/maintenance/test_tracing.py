"""Slices and windows are spans where the site has OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from maintenance import runs
from maintenance.runner import Runner, run_here
from maintenance.tracing import span

exporter = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@pytest.fixture
def spans() -> Iterator[Callable[..., list[Any]]]:
    exporter.clear()
    yield lambda name: [span for span in exporter.get_finished_spans() if span.name == name]
    exporter.clear()


@pytest.mark.django_db
def test_a_slice_holds_its_windows(make_tokens: Callable[..., Any], spans: Callable[..., list[Any]]) -> None:
    make_tokens(expired=30)
    run = run_here(runs.enqueue("clear_expired"), window_rows=10)
    (slice_,) = spans("maintenance.slice")
    assert slice_.attributes["maintenance.run"] == str(run.pk)
    assert slice_.attributes["maintenance.operation"] == "clear_expired"
    windows = spans("maintenance.window")
    assert all(window.parent.span_id == slice_.context.span_id for window in windows)
    assert {window.attributes["maintenance.run"] for window in windows} == {str(run.pk)}
    rows = [
        window.attributes["maintenance.rows"]
        for window in windows
        if window.attributes["maintenance.stage"] == "access_tokens"
    ]
    assert [count for count in rows if count] == [10, 10, 10]


@pytest.mark.django_db
def test_a_slice_that_fails_says_so_by_the_class_of_the_error_alone(spans: Callable[..., list[Any]]) -> None:
    def break_down() -> bool:
        raise RuntimeError("DETAIL: Key (token)=(secret)")

    Runner(runs.enqueue("clear_expired").pk, must_stop=break_down).advance()
    (slice_,) = spans("maintenance.slice")
    assert (slice_.status.status_code, slice_.status.description) == (StatusCode.ERROR, "RuntimeError")
    assert slice_.events == ()
    assert "secret" not in slice_.to_json()


def test_without_opentelemetry_a_span_is_nothing() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from maintenance.tracing import set_attributes, span\n"
        "with span('slice', run='1') as current:\n"
        "    set_attributes(current, rows=3)\n"
        "print(current)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_span_is_yielded_with_it(spans: Callable[..., list[Any]]) -> None:
    with span("slice", run="1") as current:
        assert current.is_recording()
