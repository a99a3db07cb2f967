"""What a deletion of some rows at a time did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`counts` of the rows that went, by table; how many were `chosen`, and how many of these `stayed`."""

    counts: Counter[str] = field(default_factory=Counter)
    chosen: int = 0
    stayed: int = 0
