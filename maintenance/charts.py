"""Charts as inline SVG, made on the server: pure functions of figures.

No script, no style attribute: colours are classes, so that a strict Content-Security-Policy holds and the admin's light
and dark themes do. A chart's words stand beside it as HTML, and its figures in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 720
HEIGHT = 120
SPARK_SLOTS = 30
SPARK_SLOT = 8
SPARK_HEIGHT = 32
LEAST = 3
"""Height of the smallest bar that is not nothing."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: its height as a figure, the class of its colour, and what it is, in words."""

    value: float
    tone: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart and the words around it: what a figure element needs, and the same as a table."""

    key: str
    title: str
    description: str
    """One sentence for those who do not see it."""
    svg: SafeString
    top: str
    """What the upper edge stands for."""
    axis: list[str] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    """Colour class and meaning."""
    head: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


def sparkline(bars: Sequence[Bar], *, key: str, title: str) -> SafeString:
    """Return the last bars side by side, the newest at the right; heights by square root, so that small ones show."""
    shown = list(bars)[-SPARK_SLOTS:]
    tallest = max((bar.value for bar in shown), default=0.0) ** 0.5
    width = SPARK_SLOTS * SPARK_SLOT
    start = SPARK_SLOTS - len(shown)
    rects = []
    for slot, bar in enumerate(shown, start=start):
        height = _height(bar.value**0.5, tallest, SPARK_HEIGHT)
        rects.append((f"tone-{bar.tone}", slot * SPARK_SLOT + 1, SPARK_SLOT - 2, height, bar.label))
    return _svg(_rects(rects, SPARK_HEIGHT), key=key, title=title, size=(width, SPARK_HEIGHT), kind="spark")


def grouped_bars(groups: Sequence[Sequence[Bar]], *, key: str, title: str) -> tuple[SafeString, float]:
    """Return groups of bars side by side, and the figure that the upper edge stands for."""
    top = round_up(max((bar.value for group in groups for bar in group), default=0.0))
    slot = WIDTH / max(len(groups), 1)
    rects = []
    for number, group in enumerate(groups):
        width = slot * 0.8 / max(len(group), 1)
        for place, bar in enumerate(group):
            x = number * slot + slot * 0.1 + place * width
            height = _height(bar.value, top, HEIGHT)
            rects.append((f"series-{bar.tone}", round(x, 2), round(width * 0.9, 2), height, bar.label))
    return _svg(_grid() + _rects(rects, HEIGHT), key=key, title=title, size=(WIDTH, HEIGHT), kind="plot"), top


def level_bars(
    bars: Sequence[Bar], *, key: str, title: str, slots: int, line: float | None = None
) -> tuple[SafeString, float]:
    """Return `slots` places filled from the right, with a dashed line at `line`; and what the upper edge stands for."""
    top = round_up(max([bar.value for bar in bars] + ([line] if line is not None else []), default=0.0))
    shown = list(bars)[-slots:]
    slot = WIDTH / slots
    start = slots - len(shown)
    rects = [
        (
            f"series-{bar.tone}",
            round((start + number) * slot + slot * 0.1, 2),
            round(slot * 0.8, 2),
            _height(bar.value, top, HEIGHT),
            bar.label,
        )
        for number, bar in enumerate(shown)
    ]
    body = _grid() + _rects(rects, HEIGHT)
    if line is not None and top:
        y = round(HEIGHT - HEIGHT * line / top, 1)
        body += format_html('<line class="target" x1="0" x2="{}" y1="{}" y2="{}"/>', WIDTH, y, y)
    return _svg(body, key=key, title=title, size=(WIDTH, HEIGHT), kind="plot"), top


def round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5 or 10 times a power of ten: a figure to label an axis with."""
    if value <= 0:
        return 0.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    steps = (1, 2, 2.5, 5, 10)
    return float(next(step * power for step in steps if step * power >= value * 0.999999))


def _height(value: float, top: float, height: int) -> float:
    if value <= 0 or top <= 0:
        return 0.0
    return round(max(LEAST, min(height, height * value / top)), 1)


def _rects(rects: Sequence[tuple[str, float, float, float, str]], height: int) -> SafeString:
    return format_html_join(
        "",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        ((tone, x, round(height - tall, 1), width, tall, label) for tone, x, width, tall, label in rects),
    )


def _grid() -> SafeString:
    return format_html_join(
        "",
        '<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>',
        ((WIDTH, y, y) for y in (0.5, HEIGHT / 2, HEIGHT - 0.5)),
    )


def _svg(body: SafeString, *, key: str, title: str, size: tuple[int, int], kind: str) -> SafeString:
    width, height = size
    return format_html(
        '<svg class="m-{}" role="img" aria-labelledby="{}-title" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none"><title id="{}-title">{}</title>{}</svg>',
        kind,
        key,
        width,
        height,
        key,
        title,
        body,
    )
