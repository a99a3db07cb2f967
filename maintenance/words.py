"""Figures in words, short enough for a table's cell. Units are SI symbols and are not translated."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import number_format
from django.utils.text import capfirst

MINUTE, HOUR, DAY = 60, 3600, 86_400


def seconds_in_words(seconds: float) -> str:
    """Return a span of time with its two largest units: "40 ms", "2.5 s", "3 min 20 s", "2 d 4 h"."""
    if 0 < seconds < 0.9995:
        return f"{number_format(max(round(seconds * 1000), 1))} ms"
    if seconds < 10:
        return f"{number_format(max(seconds, 0.0), 1)} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole, MINUTE, "min", 1, "s")
    if whole < DAY:
        return _two(whole, HOUR, "h", MINUTE, "min")
    return _two(whole, DAY, "d", HOUR, "h")


def age_in_words(then: datetime, now: datetime) -> str:
    """Return how long ago `then` was."""
    return seconds_in_words((now - then).total_seconds())


def number_in_words(number: float) -> str:
    """Return a whole number with its thousands apart."""
    return str(number_format(round(number), force_grouping=True))


def bytes_in_words(size: float) -> str:
    """Return a size in the largest unit that leaves it above one: "4.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{number_format(size, 0 if unit == 'B' or size >= 100 else 1)} {unit}"
        size /= 1000
    return f"{number_format(size, 1)} TB"


def name_in_words(name: str) -> str:
    """Return an identifier, or a name in lower case, as a title: "id_tokens" -> "ID tokens"."""
    words = ["ID" if word == "id" else word for word in name.replace("_", " ").split()]
    return capfirst(" ".join(words))


def _two(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")
