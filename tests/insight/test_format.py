from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.insight import format as people

ANY = st.one_of(st.none(), st.floats(), st.integers())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (49_387_929, "47.1 MB"),
        (-5000, "-4.9 KB"),
        (1000 * 1024, "1.0 MB"),
        (102_400, "100 KB"),
        (5 * 10**12, "4.5 TB"),
        (None, "unknown"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(value: float | None, text: str) -> None:
    assert people.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.35, "350 ms"),
        (0.9999, "1 s"),
        (9, "9 s"),
        (59.7, "1 min"),
        (245, "4 min 5 s"),
        (720, "12 min"),
        (3600, "1 h"),
        (34_800, "9 h 40"),
        (3900, "1 h 05"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
        (-5, "-5 s"),
        (None, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_a_duration_has_at_most_two_units(value: float | None, text: str) -> None:
    assert people.duration(value) == text


def test_thousands_are_set_apart_by_a_blank() -> None:
    assert people.count(1_234_567) == "1 234 567"
    assert people.millis(5200) == "5 200 ms"


def test_a_rate_names_its_unit_and_bytes_become_a_size() -> None:
    assert people.rate(500, "rows") == "500 rows/s"
    assert people.rate(2.35) == "2.4/s"
    assert people.rate(4_404_019, "bytes") == "4.2 MB/s"
    assert people.rate(None, "rows") == "unknown"


def test_an_age_never_lies_in_the_future() -> None:
    assert people.age(1.2) == "1 s old"
    assert people.age(-30) == "0 s old"
    assert people.age(None) == "never seen"


def test_a_hundred_percent_is_said_of_the_whole_alone() -> None:
    assert people.percent(0.625) == "62 %"
    assert people.percent(0.99999) == "99 %"
    assert people.percent(1) == "100 %"


def test_a_plural_follows_its_number() -> None:
    assert [people.plural(n, "WAL") for n in (0, 1, 2000)] == ["0 WALs", "1 WAL", "2 000 WALs"]
    assert people.plural(2, "family", "families") == "2 families"


@given(ANY)
def test_every_number_has_a_short_printable_text(value: float | None) -> None:
    shown = [
        people.size(value),
        people.duration(value),
        people.count(value),
        people.age(value),
        people.moment(value),
        people.rate(value),
        people.rate(value, "bytes"),
        people.millis(value),
        people.percent(value),
    ]
    assert all(text.isascii() and text.isprintable() and 0 < len(text) <= 40 for text in shown)


@given(st.floats(min_value=0, max_value=1e15), st.floats(min_value=0, max_value=1e15))
def test_a_size_never_reads_smaller_than_a_smaller_one(first: float, second: float) -> None:
    def weight(text: str) -> float:
        number, unit = text.rsplit(" ", 1)
        return float(number.replace(" ", "")) * 1024 ** ["B", "KB", "MB", "GB", "TB", "PB"].index(unit)

    low, high = sorted((first, second))
    assert weight(people.size(low)) <= weight(people.size(high))
