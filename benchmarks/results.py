"""Results: medians and ratios, as JSON, as a chart, as a table for the documentation."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from .cases import LIMIT, OURS, PEER, Case

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
DIRECTORY = ROOT / "docs" / "benchmarks"
OTHER_COLOUR = "#888888"
COLOURS = {PEER: "#9aa0a6", OURS: "#1a73e8", LIMIT: "#34a853"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """All turns of one case: contender -> what its program measured, round by round."""

    name: str
    case: Case
    rows: int
    turns: dict[str, list[dict[str, Any]]]
    versions: dict[str, str]
    filled: dict[str, int]
    """The rows of each table before a turn."""

    @property
    def medians(self) -> dict[str, float]:
        """The median of each contender, in the case's unit."""
        return {name: median(map(self._value, turns)) for name, turns in self.turns.items()}

    def ratio(self, name: str) -> float | None:
        """Return how this project stands to `name`: above 1 it is the better one."""
        medians = self.medians
        if name not in medians or name == OURS:
            return None
        quotient = medians[name] / medians[OURS]
        return 1 / quotient if self.case.unit == "requests/s" else quotient

    def removed(self, name: str) -> int:
        """Return the rows that went in a turn, over all tables."""
        return sum(self.filled.values()) - sum(self.turns[name][0]["left"].values())

    def statements(self, name: str) -> float:
        """Return the statements of a turn; of one request where requests are counted."""
        turn = self.turns[name][0]
        return float(turn["statements"]) / turn["rows"].get("requests", 1)

    def _value(self, turn: dict[str, Any]) -> float:
        if self.case.unit == "requests/s":
            return float(turn["rows"]["requests"] / turn["seconds"])
        return float(turn["milliseconds"] if self.case.unit == "ms" else turn["seconds"])

    def as_dict(self) -> dict[str, Any]:
        return {
            "case": self.name,
            "title": self.case.title,
            "rows": self.rows,
            "unit": self.case.unit,
            "medians": self.medians,
            "ratios": {name: self.ratio(name) for name in self.medians if name != OURS},
            "filled": self.filled,
            "turns": self.turns,
            "machine": machine(),
            "versions": self.versions,
            "date": date.today().isoformat(),
        }

    def table(self) -> str:
        """Return the result as a table in Markdown."""
        unit = self.case.unit
        lines = [
            f"| {self.case.title}, {self.rows:,} access tokens | {unit} | rows/s | statements | MB "
            "| ours is better by |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for name, value in self.medians.items():
            ratio = self.ratio(name)
            megabytes = median(turn["megabytes"] for turn in self.turns[name])
            better = f"{ratio:.2f}x" if ratio is not None else ""
            removed = self.removed(name)
            rate = f"{removed / value:,.0f}" if unit == "s" and removed > 0 else ""
            lines.append(
                f"| {name} | {value:,.2f} | {rate} | {self.statements(name):,.0f} | {megabytes:.1f} | {better} |"
            )
        return "\n".join(lines)

    def chart(self) -> str:
        """Return the result as an SVG of bars."""
        largest = max(self.medians.values())
        bars = []
        for index, (name, value) in enumerate(self.medians.items()):
            y = 34 + index * 30
            colour = COLOURS.get(name, OTHER_COLOUR)
            bars.append(
                f'<text x="0" y="{y + 15}">{escape(name)}</text>'
                f'<rect x="60" y="{y}" width="{420 * value / largest:.1f}" height="20" fill="{colour}"/>'
                f'<text x="{66 + 420 * value / largest:.1f}" y="{y + 15}">{value:,.2f} {self.case.unit}</text>'
            )
        height = 40 + 30 * len(bars)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="{height}" font-family="sans-serif" '
            f'font-size="13"><rect width="600" height="{height}" fill="#fff"/>'
            f'<text x="0" y="18" font-weight="bold">{escape(self.case.title)}, {self.rows:,} access tokens</text>'
            f"{''.join(bars)}</svg>\n"
        )


def machine() -> str:
    """Return the processor, the cores and the memory that the figures were had on."""
    information = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", information.read_text()) if information.exists() else None
    processor = found[1] if found else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def record(result: Result) -> None:
    """Keep `result` in the documentation: its JSON, its chart, and its table in docs/performance.md."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    stem = f"{result.name}-{result.rows}"
    (DIRECTORY / f"{stem}.json").write_text(json.dumps(result.as_dict(), indent=1) + "\n")
    (DIRECTORY / f"{stem}.svg").write_text(result.chart())
    begin, end = f"<!-- benchmark {stem} -->", f"<!-- end {stem} -->"
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    note = f"{machine()}; {versions}; medians of {len(result.turns[OURS])}; {date.today()}."
    chart = f"![{result.case.title}](benchmarks/{stem}.svg)"
    block = f"{begin}\n{result.table()}\n\n{chart}\n\n{note}\n{end}"
    page = PAGE.read_text()
    if begin not in page:
        PAGE.write_text(f"{page.rstrip()}\n\n{block}\n")
        return
    head, _, tail = page.partition(begin)
    PAGE.write_text(head + block + tail.partition(end)[2])
