"""Pages over tables with millions of rows: no COUNT over them, and no page so far down that its OFFSET reads them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.paginator import Paginator
from django.db import connections
from django.utils.functional import cached_property

from ..batching import counted_up_to, estimated_count, estimated_total

EXACT_UP_TO = 10_000
"""Rows that are counted; beyond them the number is the database's estimate, and there are no further pages."""


class EstimatingPaginator(Paginator):
    """Counts as far as EXACT_UP_TO, and takes the planner's guess for the rest."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        """The number of rows; beyond EXACT_UP_TO about that."""
        rows = self.object_list.order_by()
        estimate = _estimate(rows)
        return estimate if estimate > EXACT_UP_TO else counted_up_to(rows, EXACT_UP_TO + 1)

    @cached_property
    def num_pages(self) -> int:
        """The pages that can be asked for: as many as EXACT_UP_TO rows fill."""
        reachable = min(self.count, EXACT_UP_TO)
        return max(1, -(-reachable // self.per_page))


def _estimate(rows: Any) -> int:
    """Return about how many `rows` there are; 0 where only counting tells."""
    if not rows.query.where:
        return estimated_total(rows.model, rows.db) or 0
    if connections[rows.db].vendor == "postgresql":
        return estimated_count(rows, at_most=sys.maxsize)
    return 0
