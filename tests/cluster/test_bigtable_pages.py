"""Rows out of ReadRows' chunks, and pages out of rows."""

from __future__ import annotations

from typing import Any

from google.cloud.bigtable_v2.types import ReadRowsResponse
from hypothesis import given
from hypothesis import strategies as st

from hbase_ferry.cluster.bigtable.merging import RowMerger
from hbase_ferry.cluster.pages import Page, ReadCell, size_of

Rows = list[tuple[bytes, list[ReadCell]]]


def chunk(**fields: Any) -> Any:
    return ReadRowsResponse.CellChunk.pb(ReadRowsResponse.CellChunk(**fields))


def merged(limit: int, *chunks: Any) -> list[tuple[bytes, list[ReadCell] | None, int]]:
    merger = RowMerger(limit)
    return [row for one in chunks if (row := merger.take(one)) is not None]


cells = st.lists(
    st.tuples(st.sampled_from(["", "d", "m"]), st.binary(max_size=3), st.integers(0, 9).map(lambda n: n * 1000),
              st.binary(max_size=9)),
    min_size=1, max_size=5,
)  # fmt: skip
tables = st.lists(st.tuples(st.binary(min_size=1, max_size=4), cells), max_size=5)


@given(tables, st.integers(1, 9), st.booleans())
def test_rows_come_out_as_they_went_in_however_they_are_cut(rows: Rows, piece: int, repeats: bool) -> None:
    """A chunk leaves out what has not changed since the one before (or repeats it); values are cut into pieces."""
    chunks: list[Any] = []
    for key, row in rows:
        before: tuple[Any, Any] = (None, None)
        for at, (family, qualifier, time, value) in enumerate(row):
            head: dict[str, Any] = {"timestamp_micros": time}
            if at == 0 or repeats:
                head["row_key"] = key
            if family != before[0] or repeats:
                head["family_name"] = family
            if (family, qualifier) != before or repeats:
                head["qualifier"] = qualifier
            before = family, qualifier
            parts = [value[i : i + piece] for i in range(0, len(value), piece)] or [b""]
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                more = {} if last else {"value_size": len(value)}
                done = {"commit_row": True} if last and at == len(row) - 1 else {}
                chunks.append(chunk(**(head if index == 0 else {}), value=part, **more, **done))
    assert merged(10**6, *chunks) == [(key, row, size_of(key, row)) for key, row in rows]


def test_a_row_that_is_reset_is_read_from_its_beginning() -> None:
    first = chunk(row_key=b"k", family_name="d", qualifier=b"old", timestamp_micros=1000, value=b"par", value_size=9)
    again = chunk(row_key=b"k", family_name="m", qualifier=b"q", timestamp_micros=2000, value=b"v", commit_row=True)
    assert merged(99, first, chunk(reset_row=True), again) == [(b"k", [("m", b"q", 2000, b"v")], 3)]


def test_a_row_above_the_limit_is_not_held_and_the_next_one_is_whole() -> None:
    merger = RowMerger(limit=100)
    head = chunk(row_key=b"big", family_name="d", qualifier=b"q", timestamp_micros=1000, value=b"x" * 60, value_size=9)
    assert merger.take(head) is None
    for _ in range(50):
        assert merger.take(chunk(value=b"x" * 60, value_size=9)) is None
        assert sum(map(len, merger._parts)) + sum(len(cell[3]) for cell in merger._cells) <= 100
    key, held, size = merger.take(chunk(value=b"", commit_row=True)) or (b"", [], 0)
    assert (key, held, size) == (b"big", None, 3 + 1 + 51 * 60)
    small = chunk(row_key=b"l", family_name="d", qualifier=b"q", timestamp_micros=1000, value=b"v", commit_row=True)
    assert merger.take(small) == (b"l", [("d", b"q", 1000, b"v")], 3)


def test_cells_are_sorted_by_family_qualifier_and_falling_time() -> None:
    page = Page({"stop": b"", "max_rows": 9, "max_bytes": 99, "values": "full"})
    row = [("m", b"a", 1, b""), ("d", b"b", 1, b"1"), ("d", b"a", 1, b"2"), ("d", b"a", 7, b"3"), ("d", b"ab", 1, b"4")]
    page.add(b"k", row, 9)
    answer: Any = page.answer()
    ((_, cells),) = answer["rows"]
    assert [cell[3] for cell in cells] == ["33", "32", "34", "31", ""]
