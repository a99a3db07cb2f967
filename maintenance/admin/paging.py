"""Lists without an end: pages over tables that nothing purges, without a COUNT over them."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

from oauth2_provider.batching import counted_up_to

COUNTED_UP_TO = 2_000
"""Rows that are counted; there are no pages beyond them: search, or filter, for what is older."""


class BoundedPaginator(Paginator):
    """Counts as far as COUNTED_UP_TO."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        """The number of rows, at most COUNTED_UP_TO."""
        return counted_up_to(self.object_list, COUNTED_UP_TO)
