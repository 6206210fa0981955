"""Every cell of a table on both sides, compared: family, qualifier, timestamp and value, all versions.

HBase's side is dumped by lab/java/Cells.java, the emulator's read by `instance`; both come in key order and are
compared row by row, so memory holds one row of each. Called as `lab.bigtable.compare_cells`.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from lab.cluster import Cluster
from lab.places import LabError

if TYPE_CHECKING:
    from lab.bigtable import BigtableLab
    from lab.instance import Cells

Digests = dict[tuple[str, bytes, int], str]
"one row: (family, qualifier, time in us) -> SHA-1 of the value"

_NOTHING: Digests = {}


@dataclass(frozen=True)
class Difference:
    """One cell. problem: missing (only in HBase) | extra (only in Bigtable) | value (in both, not the same)."""

    row: bytes
    family: str
    qualifier: bytes
    time_us: int
    problem: str


@dataclass(frozen=True)
class Compared:
    """What a comparison saw. `cells`: of HBase's side."""

    differences: tuple[Difference, ...]
    rows: int
    cells: int

    def __str__(self) -> str:
        head = f"{self.rows} rows, {self.cells} cells in HBase, {len(self.differences)} cells differ"
        named = (f"{d.row!r} {d.family}:{d.qualifier!r} {d.time_us} {d.problem}" for d in self.differences[:20])
        return "\n".join([head, *named])


def compare_cells(lab: BigtableLab, table: str, most: int = 1000) -> Compared:
    """Compare `table` of the source with the emulator's. Stop the writers and let the queues drain first.

    Only the newest versions of a column count, as many as HBase's family keeps: Bigtable collects its garbage later.
    At most `most` differences are named. Raises LabError where a side cannot be read.
    """
    found: list[Difference] = []
    rows = cells = 0
    with _dump(lab.source, table) as (versions, source):
        for row, here, there in _side_by_side(source, _of_emulator(lab, table, versions)):
            rows, cells = rows + bool(here), cells + len(here)
            if here != there:
                found += _differences(row, here, there)
            if len(found) >= most:
                break
    return Compared(tuple(found[:most]), rows, cells)


def _differences(row: bytes, here: Digests, there: Digests) -> Iterator[Difference]:
    for cell in sorted(here.keys() | there.keys()):
        if cell not in there or cell not in here:
            yield Difference(row, *cell, "missing" if cell in here else "extra")
        elif here[cell] != there[cell]:
            yield Difference(row, *cell, "value")


def _side_by_side(
    source: Iterator[tuple[bytes, Digests]], target: Iterator[tuple[bytes, Digests]]
) -> Iterator[tuple[bytes, Digests, Digests]]:
    """Rows of two streams in key order; an absent row is empty."""
    here, there = next(source, None), next(target, None)
    while here or there:
        if there is None or (here and here[0] < there[0]):
            assert here is not None
            yield here[0], here[1], _NOTHING
            here = next(source, None)
        elif here is None or there[0] < here[0]:
            yield there[0], _NOTHING, there[1]
            there = next(target, None)
        else:
            yield here[0], here[1], there[1]
            here, there = next(source, None), next(target, None)


def _of_emulator(lab: BigtableLab, table: str, versions: Mapping[str, int]) -> Iterator[tuple[bytes, Digests]]:
    for row, cells in lab.emulator.instance.rows(table):
        kept = {cell: hashlib.sha1(cells[cell]).hexdigest() for cell in _newest(cells, versions)}
        if kept:
            yield row, kept


def _newest(cells: Cells, versions: Mapping[str, int]) -> Iterator[tuple[str, bytes, int]]:
    columns: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for family, qualifier, time in cells:
        columns[family, qualifier].append(time)
    for (family, qualifier), times in columns.items():
        for time in sorted(times, reverse=True)[: versions.get(family, len(times))]:
            yield family, qualifier, time


@contextmanager
def _dump(cluster: Cluster, table: str) -> Iterator[tuple[dict[str, int], Iterator[tuple[bytes, Digests]]]]:
    """Versions that each family keeps, and the rows."""
    java, *arguments = cluster.java("-Xmx256m", "Cells", table)
    log = cluster.root / "logs" / "cells.err"
    with log.open("wb") as errors, subprocess.Popen(
        [java, "-Dlab.root.logger=ERROR", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        try:
            yield _read(program.stdout)
        except _Unfinished as error:
            program.wait()
            raise LabError(f"{cluster.name} could not be read:\n{log.read_text()[-2000:]}") from error
        finally:
            program.kill()


class _Unfinished(Exception):
    """The dump ended without saying so."""


def _read(lines: IO[str]) -> tuple[dict[str, int], Iterator[tuple[bytes, Digests]]]:
    versions: dict[str, int] = {}
    for line in lines:
        word, *rest = line.split()
        if word != "family":
            return versions, _rows(itertools.chain((line,), lines))
        versions[rest[0]] = int(rest[1])
    raise _Unfinished


def _rows(lines: Iterable[str]) -> Iterator[tuple[bytes, Digests]]:
    key, cells = "", Digests()
    for line in lines:
        words = line.split()
        if words[0] != key and key:
            yield bytes.fromhex(key[1:]), cells
            cells = {}
        if words[0] == "end":
            return
        key, family, qualifier, time, digest = words
        cells[family, bytes.fromhex(qualifier[1:]), int(time) * 1000] = digest[1:]
    raise _Unfinished
