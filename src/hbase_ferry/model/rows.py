"""Rows as both sides answer them: one shape whatever store they lie in, so that a comparison needs no translation.

Keys and qualifiers are lower-case hex (any bytes). Times are microseconds: Bigtable's own unit, and HBase's
milliseconds times 1000. Made by the wire's `rows.scan`, read by `migration.compare` and the copy of small tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

GREATEST_US = 9_223_372_036_854_775_000
"""The last whole millisecond that a 64-bit count of microseconds holds. HBase counts milliseconds and has later ones:
what is kept in microseconds collapses them into this one."""

CELL_BYTES = 64
"""What a cell costs an answer beside its qualifier and value, about: its family, time, digest and brackets."""
FREE_CELLS = 1_024
"""So many cells of a row or a page cost nothing: 64 KiB more harm no answer, however little was asked for."""

Cell: TypeAlias = tuple[str, str, int, str]
"""Family, qualifier in hex, time in microseconds, value: its bytes in hex, or their MD5 in hex where only digests
were asked for. Cells of a row are sorted by family, qualifier and falling time."""
Row: TypeAlias = tuple[str, tuple[Cell, ...]]
"""Row key in hex, and its cells."""


def measured(size: int, cells: int) -> int:
    """What is held against `max_bytes` of `rows.scan`, of a row or a page with `size` bytes of keys and values.

    Keys and values alone would let a row of 900 000 empty cells become an answer ten times its size.
    """
    return size + CELL_BYTES * max(0, cells - FREE_CELLS)


@dataclass(frozen=True)
class Limits:
    """What a store takes at most, in bytes; 0: no limit of its own."""

    key: int = 0
    qualifier: int = 0
    value: int = 0

    def takes_key(self, key: str) -> bool:
        """Whether a row may have this key (hex)."""
        return _within(key, self.key)

    def takes_qualifier(self, qualifier: str) -> bool:
        """Whether a cell may have this qualifier (hex)."""
        return _within(qualifier, self.qualifier)

    def takes(self, cell: Cell) -> bool:
        """Whether the cell, read with its whole value, may be written."""
        return self.takes_qualifier(cell[1]) and _within(cell[3], self.value)


def _within(digits: str, limit: int) -> bool:
    return not limit or len(digits) <= 2 * limit


@dataclass(frozen=True)
class RowPage:
    """A run of whole rows in key order."""

    rows: tuple[Row, ...]
    next: str | None
    "first key, in hex, of what was not read yet; None: the range is read to its end"
    bytes: int
    "of keys and values in the rows answered, as the store holds them"
    skipped: tuple[str, ...] = ()
    "keys, in hex, of rows too large for one answer: they are known to exist, and nothing else is known of them"
