"""Charts: a few curves over the last quarter of an hour, drawn with plotext, with gaps where nothing was known.

Invariant: points are put into buckets as wide as half a cell, so a chart changes when a bucket does and is otherwise
not drawn again; only finite numbers reach plotext. plotext is imported on first use, after the first paint.
Called by `app` with the curves of a reading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from hbase_ferry.console.ink import Line, Span, line
from hbase_ferry.console.reading import Series
from hbase_ferry.insight.format import duration, size

WINDOW = 900.0
"Seconds a chart looks back."
HIGHEST = 2.0**63
"Values are drawn between 0 and this: plotext walks every cell of a line, those outside the chart too."
_ROLES = ("chart1", "chart2", "chart3", "chart4")
_COLOURS = (1, 2, 3, 4)
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


class Curve(NamedTuple):
    """Runs of (x in buckets, value) between gaps, and the role it is drawn in."""

    role: str
    runs: tuple[tuple[tuple[float, float], ...], ...]
    right: bool


def buckets(series: Series, now: float, columns: int, role: str) -> Curve:
    """The curve of a series: the largest value of each bucket, a gap where a bucket holds an unknown or nothing.

    A bucket without any point between two that have one is bridged: polls may be further apart than buckets.
    """
    step = WINDOW / max(1, columns)
    newest = math.floor(now / step)
    found: dict[int, float | None] = {}
    for at, value in series.points:
        x = math.floor(at / step) - newest
        if -columns <= x <= 0:
            known = min(max(value, 0.0), HIGHEST) if value is not None and math.isfinite(value) else None
            before = found.get(x)
            found[x] = known if x not in found or before is None or known is None else max(before, known)
    runs: list[list[tuple[float, float]]] = [[]]
    for x in sorted(found):
        value = found[x]
        if value is None:
            runs.append([])
        else:
            runs[-1].append((float(x), value))
    return Curve(role, tuple(tuple(run) for run in runs if run), series.right)


def chart_lines(
    series: Sequence[Series], now: float, width: int, height: int, unit: str, ascii_only: bool
) -> list[Line]:
    """The chart in exactly `height` lines; a sentence where there is nothing to draw yet."""
    sides = 2 if any(each.right for each in series) else 1
    columns = max(10, (width - 9 * sides) * (1 if ascii_only else 2))
    curves = tuple(buckets(each, now, columns, role) for each, role in zip(series, _ROLES, strict=False))
    curves = tuple(each for each in curves if each.runs)
    if not curves or height < 3 or width < 20:
        return [line(Span("  no value in these 15 minutes", "dim"))] if not curves else []
    return list(_drawn(curves, columns, width, height, unit, ascii_only))


def legend(series: Sequence[Series]) -> tuple[Span, ...]:
    """Each curve's sign, name and newest number."""
    return tuple(
        piece
        for each, role in zip(series, _ROLES, strict=False)
        for piece in (Span("  — ", f"{role}"), Span(each.name + " ", "dim"), Span(each.now, each.role))
    )


@lru_cache(maxsize=8)
def _drawn(
    curves: tuple[Curve, ...], columns: int, width: int, height: int, unit: str, ascii_only: bool
) -> tuple[Line, ...]:
    from textual_plotext.plot import Plot

    plot: Any = Plot()
    plot.plotsize(width, height)
    for curve in curves:
        for run in curve.runs:
            colour = _COLOURS[_ROLES.index(curve.role)]
            style: dict[str, Any] = {"marker": "*" if ascii_only else "braille", "color": colour}
            style["yside"] = "right" if curve.right else "left"
            draw = plot.plot if len(run) > 1 else plot.scatter
            draw([x for x, _ in run], [y for _, y in run], **style)
    for side in ("left", "right"):
        values = [y for curve in curves if curve.right is (side == "right") for run in curve.runs for _, y in run]
        if values:
            _scale_axis(plot, side, max(values), unit, height)
    _time_axis(plot, columns)
    made = [Line(_spans(each)) for each in plot.build().split("\n")[:height]]
    return tuple(made)


def _scale_axis(plot: Any, side: str, highest: float, unit: str, height: int) -> None:
    top, words = _scale(highest, unit)
    plot.ylim(0, top, yside=side)
    count = 2 if height < 8 else 4
    ticks = [top * i / count for i in range(count + 1)]
    align = ">" if side == "left" else "<"
    plot.yticks(ticks, [f"{words(tick):{align}8}" for tick in ticks], yside=side)


def _time_axis(plot: Any, columns: int) -> None:
    plot.xlim(-columns, 0)
    plot.xticks([-columns, -columns * 2 / 3, -columns / 3, 0], ["-15 min", "-10", "-5", "now"])
    plot.frame(False)
    for colour in (plot.canvas_color, plot.axes_color, plot.ticks_color):
        colour("default")


def _scale(highest: float, unit: str) -> tuple[float, Callable[[float], str]]:
    """A round upper end above `highest`, and how a tick is written."""
    if unit == "bytes":
        top = 2.0 ** math.ceil(math.log2(max(highest, 1024.0) * 1.05))
        return top, size
    steps = (1, 2, 4, 10, 20, 40, 60, 120, 240, 480, 1200, 2400, 3600, 7200, 14400, 43200, 86400)
    fitting = next((step for step in steps if step >= highest * 1.05), None)
    return float(fitting if fitting else math.ceil(highest / 86400) * 86400), _seconds


def _seconds(value: float) -> str:
    return "0" if value == 0 else duration(value)


def _spans(text: str) -> tuple[Span, ...]:
    """plotext's coloured line as spans; colour numbers become roles, everything else is dim."""
    spans: list[Span] = []
    role, position = "dim", 0
    for match in _SGR.finditer(text):
        _add(spans, text[position : match.start()], role)
        role = _role(match.group(1), role)
        position = match.end()
    _add(spans, text[position:], role)
    return tuple(spans)


def _add(spans: list[Span], text: str, role: str) -> None:
    if text:
        if spans and spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + text, role)
        else:
            spans.append(Span(text, role))


def _role(codes: str, role: str) -> str:
    if codes in ("", "0"):
        return "dim"
    if codes.startswith("38;5;"):
        number = int(codes.split(";")[2])
        return _ROLES[number - 1] if 1 <= number <= len(_ROLES) else role
    return role
