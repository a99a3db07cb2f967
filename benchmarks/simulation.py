"""The engine on machines that nobody here has: a simulation of runs over a billion rows.

    uv run python -m benchmarks.simulation

What a window costs is measured (docs/benchmarks); how windows, slices, leases, sweeps and holds go together is as
`maintenance` has it, with its default settings. Every scenario is seeded: it says the same each time.
"""

from __future__ import annotations

import heapq
import json
import random
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from maintenance.settings import DEFAULTS
from maintenance.windows import fitted_size

MEASURED = Path(__file__).parents[1] / "docs" / "benchmarks" / "clear_expired-1000000.json"
WAL_BYTES_A_ROW = 351 + 200  # of a deleted row, and of what a set NULL writes for one row in ten
ROWS_AN_ACCESS_TOKEN = 1 + 0.3 + 0.4 + 0.05
"""In the data of that run (`data.FULL`): itself, ID tokens, refresh tokens, codes."""
SWEEP_SECONDS = 60.0
MESSAGE_SECONDS = 0.02
NOISE = 0.15
"""How much the time of one window differs from the next."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`cores` is what the database can work on at once, `rows_a_second` what one connection removes alone.

    `failures_an_hour` is how often a worker is killed, each for itself. `replay_bytes` is what the slowest replica
    applies a second (None: no replica), `lag_seconds` the limit that holds a run.
    """

    title: str
    rows: float = 1e9
    workers: int = 1
    shards: int = 1
    cores: int = 16
    rows_a_second: float = field(default_factory=lambda: measured_rate())
    failures_an_hour: float = 0.0
    replay_bytes: float | None = None
    lag_seconds: float = 2.0
    skew: float = 0.3
    """By how much shards of the same key range differ in rows."""


@dataclass(eq=False)
class Shard:
    left: float
    window: int = DEFAULTS["WINDOW_INITIAL_ROWS"]
    ready_at: float = 0.0


@dataclass(kw_only=True)
class Outcome:
    hours: float = 0.0
    windows: int = 0
    lost: int = 0
    held_seconds: float = 0.0
    worst_lag: float = 0.0


def measured_rate() -> float:
    """Return the rows a second, over all tables, of the last recorded run at a million access tokens."""
    recorded = json.loads(MEASURED.read_text())
    left = sum(recorded["turns"]["ours"][0]["left"].values())
    return float((recorded["rows"] * ROWS_AN_ACCESS_TOKEN - left) / recorded["medians"]["ours"])


class Simulation:
    """One run: workers take a shard's slice in turn, a slice is windows, a window is rows removed and time gone."""

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.scenario = scenario
        self.random = random.Random(seed)
        self.outcome = Outcome()
        self.waiting = self._shards()
        self.busy = 0
        self.replayed_at, self.wal = 0.0, 0.0

    def run(self) -> Outcome:
        """Return how it went."""
        free, now = list(range(self.scenario.workers)), 0.0
        events: list[tuple[float, int, Shard, float]] = []  # when, which worker, on which shard, since when
        while True:
            while free and self.waiting:
                shard = min(self.waiting, key=lambda each: each.ready_at)
                self.waiting.remove(shard)
                start = max(now, shard.ready_at) + MESSAGE_SECONDS
                heapq.heappush(events, (start, free.pop(), shard, start))
            if not events:
                self.outcome.hours = now / 3600
                return self.outcome
            now, worker, shard, since = heapq.heappop(events)
            self.busy += now == since
            following = self._window(shard, now, since)
            if following is not None:
                heapq.heappush(events, (following, worker, shard, since))
                continue
            self.busy -= 1
            free.append(worker)
            if shard.left > 0:
                self.waiting.append(shard)

    def _shards(self) -> list[Shard]:
        shares = [max(0.1, self.random.gauss(1, self.scenario.skew)) for _ in range(self.scenario.shards)]
        return [Shard(left=self.scenario.rows * share / sum(shares)) for share in shares]

    def _window(self, shard: Shard, now: float, since: float) -> float | None:
        """Work a window from `now`; return when the next begins, None where the slice is over."""
        if now - since >= DEFAULTS["SLICE_SECONDS"] or shard.left <= 0:
            shard.ready_at = now
            return None
        lag = self._lag(now)
        if lag > self.scenario.lag_seconds:
            self.outcome.held_seconds += DEFAULTS["HOLD_SECONDS"]
            shard.ready_at = now + DEFAULTS["HOLD_SECONDS"]
            return None
        rows = min(shard.window, shard.left)
        rate = self.scenario.rows_a_second * min(self.busy, self.scenario.cores) / self.busy
        seconds = rows / rate * self.random.lognormvariate(0, NOISE)
        self.outcome.windows += 1
        if self.random.random() < seconds / 3600 * self.scenario.failures_an_hour:
            self.outcome.lost += 1  # rolled back with its counts; the lease runs out, the sweep finds it
            shard.ready_at = now + DEFAULTS["LEASE_SECONDS"] + self.random.uniform(0, SWEEP_SECONDS)
            return None
        shard.left -= rows
        shard.window = fitted_size(shard.window, seconds, DEFAULTS["WINDOW_TARGET_SECONDS"])
        self.wal += rows * WAL_BYTES_A_ROW
        return now + seconds

    def _lag(self, now: float) -> float:
        """Return how many seconds the replica is behind, having replayed since it was asked last."""
        replay = self.scenario.replay_bytes
        if replay is None:
            return 0.0
        self.wal = max(0.0, self.wal - (now - self.replayed_at) * replay)
        self.replayed_at = now
        lag = self.wal / replay
        self.outcome.worst_lag = max(self.outcome.worst_lag, lag)
        return lag


BASE = Scenario(title="a billion rows, one worker")
SCENARIOS = (
    BASE,
    replace(BASE, title="4 workers, 4 shards", workers=4, shards=4),
    replace(BASE, title="16 workers, 16 shards", workers=16, shards=16),
    replace(BASE, title="16 workers, 64 shards", workers=16, shards=64),
    replace(BASE, title="32 workers, 64 shards: more than cores", workers=32, shards=64),
    replace(
        BASE,
        title="16 workers, 64 shards, killed every 6 minutes",
        workers=16,
        shards=64,
        failures_an_hour=10,
    ),
    replace(
        BASE, title="16 workers, 64 shards, replica of 200 MB/s", workers=16, shards=64, replay_bytes=200e6
    ),
    replace(
        BASE, title="16 workers, 64 shards, replica of 60 MB/s", workers=16, shards=64, replay_bytes=60e6
    ),
    replace(
        BASE,
        title="one of 8 databases with an eighth each, 8 workers",
        rows=1.25e8,
        workers=8,
        shards=32,
        cores=8,
    ),
    replace(
        BASE, title="a night at 1,000 tokens/s: 86 million rows, 4 workers", rows=8.64e7, workers=4, shards=4
    ),
)


def table(outcomes: list[tuple[Scenario, Outcome]]) -> str:
    """Return the outcomes in Markdown."""
    lines = ["| scenario | hours | windows | lost | held s | worst lag s |", "|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {scenario.title} | {outcome.hours:.2f} | {outcome.windows:,} | {outcome.lost} | "
        f"{outcome.held_seconds:,.0f} | {outcome.worst_lag:.1f} |"
        for scenario, outcome in outcomes
    ]
    return "\n".join(lines)


def main() -> None:
    settings.configure()
    outcomes: list[tuple[Scenario, Any]] = [(scenario, Simulation(scenario).run()) for scenario in SCENARIOS]
    sys.stdout.write(f"{measured_rate():,.0f} rows/s on one connection\n\n{table(outcomes)}\n")


if __name__ == "__main__":
    main()
