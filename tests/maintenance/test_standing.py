"""Where a run stands, in one word and one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintenance.models import Run, RunStatus, Trigger
from maintenance.shards import AT_WORK
from maintenance.standing import standing_of
from maintenance.words import bytes_in_words, seconds_in_words

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def run_with(status: RunStatus, **values: Any) -> Run:
    values = {"created": NOW - timedelta(seconds=5), "lease_holder": "web1:42", **values}
    return Run(operation="clear_expired", trigger=Trigger.CODE, status=status, **values)


@pytest.mark.parametrize(
    ("run", "label", "tone", "sentence"),
    [
        (
            run_with(
                RunStatus.INTERRUPTED,
                hold_reason="replication lag 3.2 s > 2.0 s, at 90 %",
                not_before=NOW + timedelta(seconds=25),
            ),
            "Held",
            "warn",
            "Replication lag 3.2 s > 2.0 s, at 90 %; looks again in 25 s, at 12:00:25.",
        ),
        (
            run_with(
                RunStatus.RUNNING,
                heartbeat=NOW - timedelta(seconds=2),
                lease_until=NOW + timedelta(seconds=58),
            ),
            "Running",
            "busy",
            "web1:42 is at it; last sign of life 2.0 s ago.",
        ),
        (
            run_with(
                RunStatus.RUNNING,
                heartbeat=NOW - timedelta(seconds=75),
                lease_until=NOW - timedelta(seconds=15),
            ),
            "Worker lost",
            "bad",
            "No sign of web1:42 for 1 min 15 s. The sweep gives the run to another worker.",
        ),
        (
            run_with(
                RunStatus.INTERRUPTED, shards=4, hold_reason=AT_WORK, not_before=NOW + timedelta(seconds=60)
            ),
            "Running",
            "busy",
            "Its shards are at work.",
        ),
        (run_with(RunStatus.ENQUEUED), "Enqueued", "quiet", "Waits for a worker since 5.0 s."),
        (
            run_with(RunStatus.ENQUEUED, created=NOW - timedelta(minutes=5)),
            "Enqueued",
            "quiet",
            "No worker has taken it for 5 min. Is one at work on the queue “maintenance”?",
        ),
        (
            run_with(RunStatus.PAUSED, hold_reason="worked for RUN_SECONDS (60 s); resume it to go on"),
            "Paused",
            "warn",
            "Worked for RUN_SECONDS (60 s); resume it to go on",
        ),
        (
            run_with(RunStatus.FAILED, error_class="OperationalError", error_message="out of 100 % disk"),
            "Failed",
            "bad",
            "OperationalError: out of 100 % disk",
        ),
        (
            run_with(
                RunStatus.SUCCEEDED,
                started=NOW - timedelta(minutes=3),
                finished=NOW - timedelta(minutes=1),
                counts={"a": 1200, "b": 34},
            ),
            "Succeeded",
            "good",
            "Done in 2 min: 1,234 rows.",
        ),
        (
            run_with(
                RunStatus.CANCELLED, started=NOW - timedelta(seconds=30), finished=NOW, counts={"a": 10}
            ),
            "Cancelled",
            "quiet",
            "Stopped after 30 s. What it did stays done: 10 rows.",
        ),
    ],
)
def test_where_a_run_stands_and_why(run: Run, label: str, tone: str, sentence: str) -> None:
    standing = standing_of(run, NOW)
    assert (standing.label, standing.tone, standing.sentence) == (label, tone, sentence)


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_has_a_word_a_tone_and_a_sentence(status: RunStatus) -> None:
    standing = standing_of(run_with(status, error_class="Error"), NOW)
    assert standing.label
    assert standing.tone in {"good", "busy", "quiet", "warn", "bad"}
    assert standing.sentence


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.0004, "1 ms"),
        (0.04, "40 ms"),
        (2.54, "2.5 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (187_200, "2 d 4 h"),
        (-3, "0.0 s"),
    ],
)
def test_spans_of_time_in_words(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1234, "1.2 kB"),
        (456_000_000, "456 MB"),
        (4_200_000_000, "4.2 GB"),
        (2.5e15, "2500.0 TB"),
    ],
)
def test_sizes_in_words(size: float, words: str) -> None:
    assert bytes_in_words(size) == words
