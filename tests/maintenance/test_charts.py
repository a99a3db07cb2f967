"""Charts as SVG: heights by figures, words escaped, nothing that a strict policy refuses."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from maintenance.charts import (
    HEIGHT,
    LEAST,
    SPARK_HEIGHT,
    SPARK_SLOTS,
    Bar,
    grouped_bars,
    level_bars,
    round_up,
    sparkline,
)

SVG = "{http://www.w3.org/2000/svg}"


def bars(*values: float, tone: str = "good") -> list[Bar]:
    return [Bar(value=value, tone=tone, label=f"{value}") for value in values]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def rects(svg: str) -> list[dict[str, str]]:
    return [rect.attrib for rect in parsed(svg).iter(f"{SVG}rect")]


def test_a_sparkline_shows_the_last_thirty_with_the_newest_at_the_right() -> None:
    drawn = rects(sparkline(bars(*range(1, 41)), key="k", title="t"))
    assert len(drawn) == SPARK_SLOTS
    heights = [float(rect["height"]) for rect in drawn]
    assert heights == sorted(heights)
    assert heights[-1] == SPARK_HEIGHT
    few = rects(sparkline(bars(1, 1), key="k", title="t"))
    assert [float(rect["x"]) for rect in few] == [(SPARK_SLOTS - 2) * 8 + 1, (SPARK_SLOTS - 1) * 8 + 1]


def test_a_small_bar_is_seen_and_nothing_is_not() -> None:
    svg, top = grouped_bars([bars(1, 0), bars(1_000_000)], key="k", title="t")
    assert top == 1_000_000
    assert [float(rect["height"]) for rect in rects(svg)] == [LEAST, 0.0, HEIGHT]


def test_a_line_stands_where_its_figure_is() -> None:
    svg, top = level_bars(bars(0.1, 0.2), key="k", title="t", slots=10, line=0.4)
    assert top == pytest.approx(0.5)
    line = next(line for line in parsed(svg).iter(f"{SVG}line") if line.attrib["class"] == "target")
    assert float(line.attrib["y1"]) == pytest.approx(HEIGHT * (1 - 0.4 / 0.5))


def test_a_chart_has_a_name_and_no_markup_of_its_words_comes_through() -> None:
    svg = sparkline(
        [Bar(value=1, tone="bad", label="<script>alert(1)</script>")], key="k", title="<b>runs</b>"
    )
    root = parsed(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "k-title"
    assert root.find(f"{SVG}title").text == "<b>runs</b>"  # type: ignore[union-attr]
    assert "<script" not in svg
    assert "style=" not in svg


def test_charts_of_nothing_are_drawn_empty() -> None:
    assert rects(sparkline([], key="k", title="t")) == []
    assert grouped_bars([], key="k", title="t")[1] == 0.0
    svg, top = level_bars(bars(0.0), key="k", title="t", slots=5)
    assert (top, float(rects(svg)[0]["height"])) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 0), (0.0302, 0.05), (1, 1), (1.1, 2), (23_900, 25_000), (26_000, 50_000), (99, 100)],
)
def test_an_axis_ends_at_a_round_figure(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)
