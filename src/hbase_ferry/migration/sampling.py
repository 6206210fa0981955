"""Row samples: some rows of a table, read on both sides and compared cell by cell. Changes nothing.

A sample is a plausibility check for people, never the proof: rows that are only on the target are not looked for, and
older versions of a cell are not read. Invariant: a row counts as different only if it still differs after the time that
a write may be under way, in a cell that stood still on the source meanwhile. Timestamps decide nothing: applications
set them too. Called by `cli.commands.sample`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hbase_ferry.errors import Unreachable
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.text import safe_text

BATCH = 50
"""Rows read by one call."""
RECHECK_SECONDS = 2.0
"""Pause before differing rows are read again."""
LIMIT_SECONDS = 300.0
"""How long one sample may take altogether."""
CANARY = b"\x00hbase-ferry-canary-"
"""Part of the keys of canary rows: they come and go by design."""

_PIECES = re.compile(r"\\x([0-9A-Fa-f]{2})|.", re.DOTALL)

Cells = Mapping[bytes, tuple[bytes, int]]
"""`family:qualifier` -> (value, timestamp in ms), newest version only."""
Rows = Mapping[bytes, Cells]


class RowReader(Protocol):
    """One side's rows; `cluster.thrift.ThriftRows` is it. Raises Unreachable and AgentError."""

    name: str

    @property
    def told(self) -> str:
        """Where it reads and how, for people."""
        ...

    def regions(self, table: str) -> tuple[tuple[bytes, bytes], ...]: ...

    def keys(
        self, table: str, start: bytes, stop: bytes, limit: int, families: Sequence[str] = ()
    ) -> tuple[bytes, ...]: ...

    def last(self, table: str, families: Sequence[str] = ()) -> bytes | None: ...

    def rows(self, table: str, keys: Sequence[bytes], families: Sequence[str] = ()) -> Rows: ...


class Fault(StrEnum):
    """How a cell differs, the worst first."""

    MISSING = "missing"
    "on the source, not on the target"
    EXTRA = "extra"
    "on the target, not on the source"
    VALUE = "value"
    "other bytes"
    TIMESTAMP = "timestamp"
    "the same bytes with another timestamp"


@dataclass(frozen=True)
class Different:
    """One row that differs: which cells, and whether the whole row is on one side only."""

    key: bytes
    cells: Mapping[bytes, Fault]
    whole: bool = False
    moving: frozenset[bytes] = frozenset()
    "cells that changed on the source between the first and the last look"

    def settled(self) -> Different | None:
        """The row without its moving cells; None: they were all that differs."""
        cells = {name: fault for name, fault in self.cells.items() if name not in self.moving}
        return Different(self.key, cells, self.whole) if cells else None

    @property
    def fault(self) -> Fault:
        """The worst of its cells."""
        return min(self.cells.values(), key=list(Fault).index)


@dataclass(frozen=True)
class Sample:
    """What a sample of one table found. `pending`: rows that differed because a write was under way."""

    table: str
    regions: int
    rows: int
    cells: int
    pending: int = 0
    different: tuple[Different, ...] = field(default=())

    @property
    def equal(self) -> int:
        return self.rows - self.pending - len(self.different)

    def counts(self) -> dict[Fault, int]:
        """Different rows by their worst cell."""
        return {fault: sum(row.fault is fault for row in self.different) for fault in Fault}


@dataclass(frozen=True)
class Sampler:
    """Compares samples of two sides. `under_way_seconds`: how old a write may be that has not arrived yet."""

    source: RowReader
    target: RowReader
    clock: Clock
    under_way_seconds: float = 10.0

    def sample(self, table: str, wanted: int, families: Sequence[str] = ()) -> Sample:
        """About `wanted` rows spread over the table's regions. Raises Unreachable, AgentError."""
        end = self.clock.now() + LIMIT_SECONDS
        regions = self.source.regions(table)
        keys = self._keys(table, regions, wanted, families, end)
        cells, first, differing = 0, dict[bytes, Cells](), list[bytes]()
        for batch in _batches(keys, BATCH):
            self._in_time(end, table)
            here, there = self._both(table, batch, families)
            cells += sum(map(len, here.values()))
            new = [key for key in batch if compare(key, here, there)]
            first.update({key: here.get(key, {}) for key in new})
            differing += new
        different = tuple(self._recheck(table, first, differing, families))
        return Sample(table, len(regions), len(keys), cells, len(differing) - len(different), different)

    def _both(self, table: str, keys: Sequence[bytes], families: Sequence[str]) -> tuple[Rows, Rows]:
        return self.source.rows(table, keys, families), self.target.rows(table, keys, families)

    def _in_time(self, end: float, table: str) -> None:
        if self.clock.now() > end:
            raise Unreachable(
                f"the sample of {table} took longer than {LIMIT_SECONDS:.0f} s: "
                f"{self.source.name} or {self.target.name} answers too slowly; ask for fewer rows"
            )

    # ---- which rows

    def _keys(
        self, table: str, regions: Sequence[tuple[bytes, bytes]], wanted: int, families: Sequence[str], end: float
    ) -> tuple[bytes, ...]:
        found: set[bytes] = set()
        for number, (start, stop) in enumerate(regions):
            share = wanted * (number + 1) // len(regions) - wanted * number // len(regions)
            if share:
                self._in_time(end, table)
                found |= self._keys_of(table, start, stop, share, families)
        return tuple(sorted(found))

    def _keys_of(self, table: str, start: bytes, stop: bytes, share: int, families: Sequence[str]) -> set[bytes]:
        """`share` keys of one region: rows that follow points evenly spread between its first row and its end, then,
        where the rows lie in a corner, the first ones."""
        first = self.source.keys(table, start, stop, 1, families)
        end = stop or self.source.last(table, families)
        if not first or not end:
            return set()
        found: set[bytes] = set()
        for point in points(first[0], end, min(share, BATCH)):
            found.update(self.source.keys(table, point, stop, 1 + share // BATCH, families))
        found = {key for key in found if CANARY not in key}
        if len(found) < share:
            more = self.source.keys(table, start, stop, 2 * share, families)
            found.update([key for key in more if key not in found and CANARY not in key][: share - len(found)])
        ordered = sorted(found)
        return {ordered[n * len(ordered) // share] for n in range(share)} if len(found) > share else found

    # ---- what may be under way

    def _recheck(self, table: str, first: Rows, keys: Sequence[bytes], families: Sequence[str]) -> list[Different]:
        """Of rows that differed those that still do, once a write has had its time to arrive.

        A cell that changed on the source meanwhile may be under way again; one that stood still is not.
        """
        until, left, found = self.clock.now() + self.under_way_seconds, list(keys), list[Different]()
        while left:
            self.clock.sleep(RECHECK_SECONDS)
            found = []
            for batch in _batches(left, BATCH):
                here, there = self._both(table, batch, families)
                found += [row for key in batch if (row := compare(key, here, there, first.get(key)))]
            left = [row.key for row in found]
            if self.clock.now() >= until:
                break
        return [still for row in found if (still := row.settled())]


def compare(key: bytes, source: Rows, target: Rows, first: Cells | None = None) -> Different | None:
    """How the row differs between two readings; None: it does not. `first`: an earlier reading of the source."""
    ours, theirs = source.get(key, {}), target.get(key, {})
    cells = {name: fault for name in sorted({*ours, *theirs}) if (fault := _fault(ours.get(name), theirs.get(name)))}
    moving = frozenset(name for name in cells if first is not None and first.get(name) != ours.get(name))
    return Different(key, cells, whole=not ours or not theirs, moving=moving) if cells else None


def _fault(ours: tuple[bytes, int] | None, theirs: tuple[bytes, int] | None) -> Fault | None:
    if ours is None or theirs is None:
        return Fault.EXTRA if ours is None else Fault.MISSING
    if ours[0] != theirs[0]:
        return Fault.VALUE
    return None if ours[1] == theirs[1] else Fault.TIMESTAMP


def points(start: bytes, stop: bytes, number: int) -> Iterator[bytes]:
    """`number` keys evenly spread from `start` (included) to `stop` (excluded)."""
    width = max(len(start), len(stop)) + 4
    low, high = (int.from_bytes(key.ljust(width, b"\x00"), "big") for key in (start, stop))
    for index in range(number):
        yield (low + (high - low) * index // number).to_bytes(width, "big") if index else start


def shown(key: bytes) -> str:
    """A key as HBase's shell shows it (Bytes.toStringBinary): harmless on any terminal."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02X}" for b in key)


def key_of(text: str) -> bytes:
    """The key that `shown` shows as `text`. Raises ValueError for text that it never shows."""
    found = bytearray()
    for piece in _PIECES.finditer(text):
        found += bytes.fromhex(piece[1]) if piece[1] else piece[0].encode("ascii", "strict")
    if shown(bytes(found)).lower() != text.lower():
        raise ValueError(f"{safe_text(text, 120)} is not a key as a report shows it: bytes beyond ASCII are \\xNN")
    return bytes(found)


def _batches(keys: Sequence[bytes], size: int) -> Iterable[Sequence[bytes]]:
    return (keys[at : at + size] for at in range(0, len(keys), size))
