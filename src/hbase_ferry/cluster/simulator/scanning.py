"""A simulated table's rows in key order, and pages of them: HBase's side of `rows.scan`.

Rows are made from what `rows.Rows` keeps, one column a family and one version each, so that two tables that took the
same writes show the same cells. Invariant: a page looks at no more rows than it answers, and at those without a live
cell between them. Called by `reads`, and by whatever copies a table's rows to another store.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from hbase_ferry.cluster.pages import Page, size_of
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.model.event import Json


def page_of(table: SimTable, asked: Mapping[str, Any]) -> dict[str, Json]:
    """The answer of `rows.scan` with checked parameters."""
    start, stop = bytes.fromhex(asked["start"]), bytes.fromhex(asked["stop"])
    page = Page({**asked, "stop": stop})
    for key, row in ordered(table, start, stop):
        cells = [(f, q, ms * 1000, value) for f, q, ms, value in table.rows.shown(row, asked["families"])]
        if cells:
            page.add(key, cells, size_of(key, cells))
            if page.full:
                break
    return page.answer()


def ordered(table: SimTable, start: bytes = b"", stop: bytes = b"") -> Iterator[tuple[bytes, int]]:
    """Key and id of every row that was ever written, from `start` to before `stop` (empty: the end), in key order."""
    for key, row in merge(_loaded(table, start), _written(table, start)):
        if stop and key >= stop:
            return
        yield key, row


def _loaded(table: SimTable, start: bytes) -> Iterator[tuple[bytes, int]]:
    """The rows of the loaded base: their keys are their ids in eight digits."""
    base = table.rows.base
    rows = range(base.rows if base is not None else 0)
    for row in rows[bisect_left(rows, start, key=lambda row: b"%08d" % row) :]:
        yield b"%08d" % row, row


def _written(table: SimTable, start: bytes) -> Iterator[tuple[bytes, int]]:
    """The other rows, sorted anew only after one more was written."""
    rows = table.rows
    if rows.sorted_for != len(rows.over):
        base = rows.base.rows if rows.base is not None else 0
        rows.by_key = sorted((table.keys.key_of(row, table.loaded), row) for row in rows.over if row >= base)
        rows.sorted_for = len(rows.over)
    yield from rows.by_key[bisect_left(rows.by_key, (start, -1)) :]
