"""The comparison of a table in HBase with its copy in Bigtable, against a plain reading of each side in the same run.

The plain reading asks the same pages of one side alone and throws them away, once each side by itself and once both at
the same time: the comparison reads both at the same time and adds the comparing. Google's own data client reads the
Bigtable side too, for scale. Runs on the lab of HBase and Bigtable that is up (`make lab-bigtable`), else on one of its
own; the table is copied by the engine `ferry`, whose rate is printed as well.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench.machine import Skipped
from hbase_ferry.cluster.bigtable.connect import connect_instance
from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import connect
from hbase_ferry.cluster.wire import Wire
from hbase_ferry.migration.compare.copying import Copying, copy_piece
from hbase_ferry.migration.compare.pieces import CompareState, Comparison, compare_piece, compare_state
from hbase_ferry.migration.compare.reading import PAGE_ROWS, Reading, read_page
from hbase_ferry.migration.config import parse
from hbase_ferry.model.clock import SystemClock
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof
from lab import BigtableLab, LabError

ROWS = 50_000
ROUNDS = 3


@dataclass(frozen=True)
class Read:
    """What one way of reading took."""

    seconds: float
    rows: int
    cells: int


def run() -> None:
    """Prints every way of reading, and the comparison's ratios to them."""
    with _lab() as lab:
        name = f"bench{secrets.token_hex(3)}"
        work = lab.workload(name)
        work.create(4)
        with _sides(lab, work.table) as sides:
            try:
                work.load(ROWS)
                lab.emulator.instance.create(work.table, {"d": 0, "m": 0})
                measure(lab, sides, work.table)
            finally:
                sides[Side.SOURCE].call("table.disable", {"table": work.table})
                for side in sides.values():
                    side.call("table.drop", {"table": work.table})
                shutil.rmtree(lab.root / "workload" / name, ignore_errors=True)


def measure(lab: BigtableLab, sides: Mapping[Side, Cluster], table: str) -> None:
    """Copies the table, then reads it in every way, round by round: a loaded minute spoils all of them alike."""
    copied = _timed(lambda: _copy(sides, table))
    ways: dict[str, Callable[[], tuple[int, int]]] = {
        "HBase alone, through the agent": lambda: _plain(sides[Side.SOURCE], table),
        "Bigtable alone, through our client": lambda: _plain(sides[Side.TARGET], table),
        "Bigtable alone, Google's data client": lambda: _google(lab, table),
        "both at the same time, not compared": lambda: _both(sides, table),
        "compared": lambda: _compared(sides, table),
    }
    took: dict[str, list[Read]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, read in ways.items():
            took[way].append(_timed(read))
    _print(copied, {way: sorted(reads, key=lambda read: read.seconds)[len(reads) // 2] for way, reads in took.items()})


def _print(copied: Read, took: Mapping[str, Read]) -> None:
    compared = took["compared"]
    print(f"\n{'':40}{'seconds':>9}{'rows/s':>10}{'cells/s':>10}{'comparison takes':>19}")
    for way, read in took.items():
        rates = f"{read.rows / read.seconds:>10,.0f}{read.cells / read.seconds:>10,.0f}"
        print(f"{way:40}{read.seconds:>9.1f}{rates}{compared.seconds / read.seconds:>17.2f} x")
    rates = f"{copied.rows / copied.seconds:>10,.0f}{copied.cells / copied.seconds:>10,.0f}"
    print(f"{'copied, once, by the engine ferry':40}{copied.seconds:>9.1f}{rates}")


def _timed(read: Callable[[], tuple[int, int]]) -> Read:
    begun = time.monotonic()
    rows, cells = read()
    return Read(time.monotonic() - begun, rows, cells)


def _plain(side: Cluster, table: str) -> tuple[int, int]:
    """Rows and cells of one side, page after page."""
    rows = cells = 0
    start: str | None = ""
    while start is not None:
        page = read_page(side, Reading(table), start, "", PAGE_ROWS)
        rows, cells = rows + len(page.rows), cells + sum(len(inside) for _, inside in page.rows)
        start = page.next
    return rows, cells


def _both(sides: Mapping[Side, Cluster], table: str) -> tuple[int, int]:
    with ThreadPoolExecutor(len(sides)) as pool:
        return max(pool.map(lambda side: _plain(side, table), sides.values()))


def _google(lab: BigtableLab, table: str) -> tuple[int, int]:
    rows = cells = 0
    for _, inside in lab.emulator.instance.rows(table):
        rows, cells = rows + 1, cells + len(inside)
    return rows, cells


def _compared(sides: Mapping[Side, Cluster], table: str) -> tuple[int, int]:
    families = sides[Side.SOURCE].call("tables.list", {"max": 1, "names": [table]}).items[0].families
    job, proofs = Comparison("bench", table, families), list[Proof]()
    while (work := compare_piece(job, proofs)) is not None:
        proofs = [work.run(sides)]
    state: CompareState = compare_state(proofs, "bench")
    if not state.clean:
        raise RuntimeError(f"the copy of {table} is not equal: {proofs[0].note}")
    return state.result.rows, state.result.cells


def _copy(sides: Mapping[Side, Cluster], table: str) -> tuple[int, int]:
    proofs: list[Proof] = []
    while (work := copy_piece(Copying("bench", table), proofs)) is not None:
        proofs = [work.run(sides)]
    return int(proofs[0].basis["rows"]), int(proofs[0].basis["cells"])


@contextmanager
def _lab() -> Iterator[BigtableLab]:
    """The lab that is up, else one of this run. Raises Skipped."""
    try:
        yield BigtableLab.attach()
        return
    except LabError:
        pass
    try:
        own = BigtableLab.up(owned=True)
    except LabError as error:
        raise Skipped(str(error)) from error
    try:
        yield own
    finally:
        own.down()


@contextmanager
def _sides(lab: BigtableLab, table: str) -> Iterator[Mapping[Side, Cluster]]:
    settings = parse(lab.config_yaml(tables=[table], name="bench-verify"), "bench-verify.yaml")
    assert settings.target.bigtable is not None
    connectors: dict[Side, Callable[[], Wire]] = {
        Side.SOURCE: partial(connect, settings.source),
        Side.TARGET: partial(connect_instance, settings.target.name, settings.target.bigtable),
    }
    sides = {side: Cluster(side, settings.side(side).name, connectors[side], SystemClock()) for side in Side}
    try:
        for cluster in sides.values():
            cluster.pin(cluster.call("cluster.identity", {"settings": []}).cluster_id)
        yield sides
    finally:
        for cluster in sides.values():
            cluster.close()
