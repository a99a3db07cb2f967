"""clear_expired(), as either side has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import django

django.setup()

from side.measure import measure  # noqa: E402

from oauth2_provider.models import clear_expired  # noqa: E402

logging.disable()


def work() -> Mapping[str, int]:
    clear_expired()
    return {}


if __name__ == "__main__":
    measure(work)
