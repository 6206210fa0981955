"""A page of whole rows as the wire answers it: cells in order, digests, sizes, where it ends, what was too large.

The Bigtable client, the simulated instance and the simulated clusters build their `rows.scan` answers with this. A
row's size is its key plus qualifier and value of each of its cells. Invariant: a page holds at most `max_rows` rows and
ends with the row that brings it, its cells counted in (`model.rows.measured`), to `max_bytes`; a row above `SKIP` times
that is only named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import measured

SKIP = 4
ReadCell: TypeAlias = tuple[str, bytes, int, bytes]
"""Family, qualifier, time in microseconds, value."""


class Page:
    """One page being filled, row by row in key order. `limit`: the size above which a row is not held."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        """`asked`: the checked parameters of `rows.scan`."""
        self._stop: bytes = asked["stop"]
        self._max_rows: int = asked["max_rows"]
        self._max_bytes: int = asked["max_bytes"]
        self._digest = asked["values"] == "digest"
        self._rows: list[Json] = []
        self._skipped: list[Json] = []
        self._bytes = self._count = 0
        self._last = b""
        self.limit: int = SKIP * self._max_bytes
        self.ended = False
        "set by whoever fills it and cannot go on for now"

    @property
    def full(self) -> bool:
        long = measured(self._bytes, self._count) >= self._max_bytes
        return self.ended or long or len(self._rows) + len(self._skipped) >= self._max_rows

    def add(self, key: bytes, cells: Sequence[ReadCell] | None, size: int) -> None:
        """The next row. `cells` None: it is too large."""
        self._last = key
        if cells is None or measured(size, len(cells)) > self.limit:
            self._skipped.append(key.hex())
            return
        ordered = sorted(cells, key=lambda cell: (cell[0], cell[1], -cell[2]))
        self._rows.append([key.hex(), [[f, q.hex(), time, self._shown(value)] for f, q, time, value in ordered]])
        self._bytes += size
        self._count += len(cells)

    def _shown(self, value: bytes) -> str:
        return hashlib.md5(value, usedforsecurity=False).hexdigest() if self._digest else value.hex()

    def answer(self) -> dict[str, Json]:
        """A page that ended full goes on behind its last row."""
        following = self._last + b"\0"
        more = self.full and not (self._stop and following >= self._stop)
        return {
            "rows": self._rows,
            "next": following.hex() if more else None,
            "bytes": self._bytes,
            "skipped": self._skipped,
        }


def size_of(key: bytes, cells: Sequence[ReadCell]) -> int:
    """Of a row, as a page counts it."""
    return len(key) + sum(len(qualifier) + len(value) for _, qualifier, _, value in cells)
