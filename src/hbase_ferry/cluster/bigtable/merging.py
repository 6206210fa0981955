"""Rows out of the chunks in which Bigtable sends them. Called by `rows`."""

from __future__ import annotations

from typing import Any

from hbase_ferry.cluster.pages import ReadCell
from hbase_ferry.model.rows import measured


class RowMerger:
    """Puts rows together from the chunks of ReadRows (google.bigtable.v2.ReadRowsResponse.CellChunk).

    A row that grows above `limit`, its cells counted in (`model.rows.measured`), is read on to its end without being
    held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clear()

    def _clear(self) -> None:
        self._key, self._family, self._qualifier = b"", "", b""
        self._cells: list[ReadCell] = []
        self._parts: list[bytes] = []
        self._time = 0
        self._size = self._count = 0

    def take(self, chunk: Any) -> tuple[bytes, list[ReadCell] | None, int] | None:
        """Key, cells (None: too large) and size of the row that this chunk completes; None while it goes on."""
        if chunk.reset_row:
            self._clear()
            return None
        if not self._parts:
            self._begin(chunk)
        self._size += len(chunk.value)
        kept = measured(self._size, self._count) <= self._limit
        self._parts.append(chunk.value if kept else b"")
        if not kept:
            self._cells = []
        if chunk.value_size:
            return None
        if kept:
            self._cells.append((self._family, self._qualifier, self._time, b"".join(self._parts)))
        self._parts = []
        if not chunk.commit_row:
            return None
        row = self._key, self._cells if kept else None, self._size
        self._clear()
        return row

    def _begin(self, chunk: Any) -> None:
        """The first chunk of a cell says what has changed since the cell before."""
        if not self._key:  # a chunk that goes on with a row may repeat its key
            self._key = chunk.row_key
            self._size = len(chunk.row_key)
        if chunk.HasField("family_name"):
            self._family = chunk.family_name.value
        if chunk.HasField("qualifier"):
            self._qualifier = chunk.qualifier.value
        self._time = chunk.timestamp_micros
        self._size += len(self._qualifier)
        self._count += 1
