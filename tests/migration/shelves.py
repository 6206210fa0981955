"""Two sides in memory that answer `rows.scan` and `rows.write` as the wire says, for tests of comparison and copy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import md5
from typing import Any

from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.migration.compare.copying import Copying, CopyState, copy_piece, copy_state
from hbase_ferry.migration.compare.pieces import CompareState, Comparison, compare_piece, compare_state
from hbase_ferry.migration.core import Work
from hbase_ferry.model.cluster import Family, Side
from hbase_ferry.model.rows import RowPage, measured
from hbase_ferry.model.view import Proof

NOW = 1_750_000_000
WRITTEN = (NOW - 86_350) * 1_000_000
"""Time of the cells of `plain`."""
FOREVER = 2_147_483_647
Column = tuple[str, bytes]
Rows = dict[bytes, dict[Column, dict[int, bytes]]]
"""Key -> column -> time in microseconds -> value."""


def family(name: str, versions: int = 3, ttl: int = FOREVER, least: int = 0) -> Family:
    return Family(name, 1, "NONE", "NONE", versions, ttl, "FALSE", False, least)


class Shelf:
    """One side. `scanned` is called before every page; `cut` makes pages shorter than asked for."""

    def __init__(self, name: str, rows: Rows, *, cut: Callable[[int], int] = lambda most: most) -> None:
        self.name, self.rows, self.cut = name, rows, cut
        self.scanned: Callable[[str, str], None] = lambda start, stop: None
        self.made: Callable[[RowPage], RowPage] = lambda page: page
        self.scans: list[tuple[str, str, int]] = []
        self.writes: list[int] = []
        self.lock = threading.RLock()

    def put(self, key: bytes, column: Column, time_us: int, value: bytes) -> None:
        self.rows.setdefault(key, {}).setdefault(column, {})[time_us] = value

    def drop(self, key: bytes, column: Column, time_us: int) -> None:
        del self.rows[key][column][time_us]
        if not self.rows[key][column]:
            del self.rows[key][column]
        if not self.rows[key]:
            del self.rows[key]

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        with self.lock:
            return self._scan(**params) if method == "rows.scan" else self._write(**params)

    def _scan(
        self,
        table: str,
        families: list[str],
        start: str,
        stop: str,
        max_rows: int,
        max_bytes: int,
        versions: int,
        values: str,
    ) -> RowPage:
        self.scanned(start, stop)
        self.scans.append((start, stop, max_rows))
        most = max(1, self.cut(max_rows))
        found, skipped, used, count, last = [], [], 0, 0, b""
        keys = [k for k in sorted(self.rows) if k.hex() >= start and (not stop or k.hex() < stop)]
        for key in keys:
            if len(found) + len(skipped) >= most or measured(used, count) >= max_bytes:
                break
            cells, size = self._cells(key, families, versions, values)
            if measured(size, len(cells)) > 4 * max_bytes:
                skipped.append(key.hex())
            elif cells:
                found.append((key.hex(), cells))
                used, count = used + size, count + len(cells)
            last = key
        full = len(found) + len(skipped) >= most or measured(used, count) >= max_bytes
        following = last.hex() + "00" if full else None
        return self.made(RowPage(tuple(found), None if following == stop else following, used, tuple(skipped)))

    def _cells(self, key: bytes, families: list[str], versions: int, values: str) -> tuple[Any, int]:
        cells, size = [], 0
        for (name, qualifier), times in sorted(self.rows[key].items()):
            if families and name not in families:
                continue
            newest = sorted(times.items(), reverse=True)
            for time_us, value in newest[: versions or None]:
                shown = value.hex() if values == "full" else md5(value).hexdigest()
                cells.append((name, qualifier.hex(), time_us, shown))
                size += len(key) + len(qualifier) + len(value)
        return tuple(cells), size

    def _write(self, table: str, rows: list[Any]) -> None:
        size = 0
        for key, cells in rows:
            for name, qualifier, time_us, value in cells:
                self.put(bytes.fromhex(key), (name, bytes.fromhex(qualifier)), time_us, bytes.fromhex(value))
                size += len(value) // 2
        self.writes.append(size)


def copy_of(rows: Rows) -> Rows:
    return {key: {column: dict(times) for column, times in columns.items()} for key, columns in rows.items()}


def plain(count: int, families: tuple[str, ...] = ("d",)) -> Rows:
    """`count` rows with one cell a family, all of one age."""
    return {
        b"%06d" % n: {(name, b"q"): {WRITTEN: b"%s-%d" % (name.encode(), n)} for name in families} for n in range(count)
    }


def sides(source: Shelf, target: Shelf) -> dict[Side, Any]:
    return {Side.SOURCE: source, Side.TARGET: target}


def job(**changes: Any) -> Comparison:
    clock = changes.pop("clock", SteppingClock(NOW))
    return replace(Comparison("run-final-1", "orders", (family("d"), family("m")), clock=clock), **changes)


def journaled(proof: Proof) -> Proof:
    """As the journal gives it back."""
    return replace(proof, basis={key: str(value) for key, value in proof.basis.items()}, note="")


def steps(
    piece: Callable[[list[Proof]], Work | None], both: Mapping[Side, Any], seen: Callable[[Work, Proof], None]
) -> list[Proof]:
    """Does piece after piece to the end."""
    proofs: list[Proof] = []
    for _ in range(20_000):
        if (work := piece(proofs)) is None:
            return proofs
        proof = work.run(both)
        seen(work, proof)
        proofs = [journaled(proof)]
    raise AssertionError("it does not end")


def compared(
    what: Comparison, source: Shelf, target: Shelf, seen: Callable[[Work, Proof], None] = lambda work, proof: None
) -> CompareState:
    proofs = steps(lambda proofs: compare_piece(what, proofs), sides(source, target), seen)
    return compare_state(proofs, what.subject)


def copied(
    what: Copying, source: Shelf, target: Shelf, seen: Callable[[Work, Proof], None] = lambda work, proof: None
) -> CopyState:
    proofs = steps(lambda proofs: copy_piece(what, proofs), sides(source, target), seen)
    return copy_state(proofs, what.subject)
