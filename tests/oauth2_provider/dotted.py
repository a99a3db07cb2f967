"""What tests name in settings by a dotted path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from oauth2_provider.generators import BaseHashGenerator


class OtherGenerator(BaseHashGenerator):
    def hash(self) -> str:
        return "another"


def two_minutes(request: Any) -> timedelta:
    return timedelta(minutes=2)
