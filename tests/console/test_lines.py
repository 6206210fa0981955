"""Lines, wrapping and charts: no text is lost or parsed, and only finite numbers are drawn."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.console.charts import buckets, chart_lines
from hbase_ferry.console.ink import Span, cut, fit, line, pad, row, width_of, wrap
from hbase_ferry.console.reading import Series

NOW = 1_750_000_000.0


@given(st.text(max_size=80), st.integers(8, 40))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    together = "".join(piece.text for each in lines for piece in each.spans)
    assert together.replace(" ", "") == "".join(piece.text for piece in line(text).spans).replace(" ", "")
    assert all(width_of(piece.text) <= width for each in lines for piece in each.spans)


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_fitted_line_is_exactly_as_wide_as_its_pane(text: str, width: int) -> None:
    assert sum(width_of(piece.text) for piece in fit(line(text), width)) == width


@given(st.text(max_size=40), st.integers(1, 30))
def test_cut_and_pad_hold_their_width_for_wide_characters(text: str, width: int) -> None:
    safe = "".join(piece.text for piece in line(text).spans)
    assert width_of(cut(safe, width)) <= width
    assert width_of(pad(safe, width)) == width


def test_control_and_bidi_characters_never_pass_the_one_helper() -> None:
    shown = "".join(piece.text for piece in row(("a\x1b[2Jb", Span("c\u202ed", "bad")), (20, 20)).spans)
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\\x1b[2Jb" in shown and "c\\u202ed" in shown


def test_ascii_only_replaces_our_signs_and_escapes_foreign_letters() -> None:
    shown = "".join(piece.text for piece in fit(line("│ … 订单"), 40, ascii_only=True))
    assert shown.isascii() and shown.startswith("| ~ \\u8ba2\\u5355")


def series(*values: float | None, apart: float = 30.0) -> Series:
    first = NOW - apart * (len(values) - 1)
    return Series("p", tuple((first + apart * n, value) for n, value in enumerate(values)), "")


def test_an_unknown_value_leaves_a_gap() -> None:
    curve = buckets(series(1.0, 2.0, None, 3.0, 4.0), NOW, 60, "chart1")
    assert [[y for _, y in run] for run in curve.runs] == [[1.0, 2.0], [3.0, 4.0]]


def test_only_finite_numbers_are_drawn() -> None:
    wild = series(1.0, math.nan, math.inf, -math.inf, 2.0)
    curve = buckets(wild, NOW, 60, "chart1")
    assert [[y for _, y in run] for run in curve.runs] == [[1.0], [2.0]]
    assert len(chart_lines([wild], NOW, 60, 9, "s", False)) == 9


def test_a_bucket_shows_its_largest_value_and_old_points_are_left_out() -> None:
    points = ((NOW - 5000, 99.0), (NOW - 1, 3.0), (NOW - 0.5, 7.0), (NOW, 5.0))
    curve = buckets(Series("p", points, ""), math.floor(NOW), 30, "chart1")
    assert max(y for run in curve.runs for _, y in run) == 7.0


def test_a_chart_that_did_not_change_is_not_drawn_again() -> None:
    curve = series(1.0, 2.0, 3.0)
    start = math.floor(NOW / 7.5) * 7.5
    once = chart_lines([curve], start, 69, 9, "s", False)
    again = chart_lines([curve], start + 1, 69, 9, "s", False)
    assert all(one is other for one, other in zip(once, again, strict=True))


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=12), st.integers(20, 90), st.integers(3, 14))
def test_any_numbers_make_a_chart_of_the_asked_size_or_a_sentence(
    values: list[float | None], width: int, height: int
) -> None:
    drawn = chart_lines([series(*values)], NOW, width, height, "s", False)
    assert len(drawn) in (1, height)
