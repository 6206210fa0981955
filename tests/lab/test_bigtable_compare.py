"""The comparison on real servers: ten planted differences of five classes are found under live writes, and no other."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from google.cloud.bigtable.data import BigtableDataClient, DeleteAllFromRow, DeleteRangeFromColumn, Mutation, SetCell
from lab.bigtable import BigtableLab
from lab.workload import Workload
from waiting import wait_until

from hbase_ferry.cluster.bigtable.connect import connect_instance
from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import connect
from hbase_ferry.migration.compare.copying import Copying, copy_piece, copy_state
from hbase_ferry.migration.compare.pieces import CompareState, Comparison, compare_piece, compare_state
from hbase_ferry.migration.compare.repair import Repair
from hbase_ferry.migration.config import parse
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.model.clock import SystemClock
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import Proof

pytestmark = pytest.mark.lab

ROWS, QUIET = 30_000, 20_000
"""Rows, and those of them that the writer writes over: it puts new ones behind these, fewer than 5,000 here."""
PEER = "planted"
TABLE, V = "lab_planted", ("d", b"v")
SPREAD = 0x9E3779B1


def quiet_key(number: int) -> str:
    """Hex of a row that the writer leaves alone (lab/java/Ledger.java, `key`)."""
    return (b"%08x" % ((ROWS - 1 - number) * SPREAD & 0xFFFFFFFF)).hex()


@pytest.fixture(scope="module")
def live(bigtable_lab: BigtableLab) -> Iterator[Workload]:
    """A table in both, a writer at 500 operations a second, and a peer that ships them."""
    lab = bigtable_lab
    quiet, work = lab.workload("quiet", table=TABLE), lab.workload("planted", table=TABLE)
    work.create(regions=4)
    lab.emulator.instance.create(work.table, {"d": 0, "m": 0})
    lab.add_peer(PEER, work.table)
    lab.set_scope(work.table)
    quiet.load(ROWS)
    work.load(QUIET)
    work.start(rate=500)
    try:
        yield work
    finally:
        work.kill()
        lab.set_peer(PEER, "remove")


@pytest.fixture(scope="module")
def both(bigtable_lab: BigtableLab) -> Iterator[Mapping[Side, Cluster]]:
    """The two sides behind their wires."""
    settings = parse(bigtable_lab.config_yaml(tables=[TABLE], name="planted"), "planted.yaml")
    assert settings.target.bigtable is not None
    connectors = {
        Side.SOURCE: partial(connect, settings.source),
        Side.TARGET: partial(connect_instance, settings.target.name, settings.target.bigtable),
    }
    sides = {side: Cluster(side, settings.side(side).name, connectors[side], SystemClock()) for side in Side}
    try:
        for side in sides.values():
            side.pin(side.call("cluster.identity", {"settings": []}).cluster_id)
        yield sides
    finally:
        for side in sides.values():
            side.close()


def compared(both: Mapping[Side, Cluster], subject: str) -> CompareState:
    """To its end, every row, differences rechecked for 15 seconds."""
    table = both[Side.SOURCE].call("tables.list", {"max": 1, "names": [TABLE]}).items[0]
    job = Comparison(subject, table.name, table.families, rows_per_range=2_000, recheck_seconds=15)
    proofs: list[Proof] = []
    while (work := compare_piece(job, proofs)) is not None:
        proofs = [work.run(both)]
    return compare_state(proofs, subject)


def test_the_history_is_copied_and_the_peer_brings_the_rest_without_one_difference(
    bigtable_lab: BigtableLab, live: Workload, both: Mapping[Side, Cluster]
) -> None:
    proofs: list[Proof] = []
    while (work := copy_piece(Copying("copy", live.table), proofs)) is not None:
        proofs = [work.run(both)]
    copied = copy_state(proofs, "copy")
    assert copied.rows > ROWS - QUIET and not copied.skipped  # the writer deletes rows too
    bigtable_lab.set_peer(PEER, "enable")
    wait_until(lambda: shipped(bigtable_lab), 30, "operations shipped")
    state = compared(both, "before")
    assert live.running
    assert (state.result.different, state.result.faults) == (0, {}), state.result.examples
    assert state.result.rows > ROWS - QUIET


def shipped(lab: BigtableLab) -> int:
    beans = (lab.replication_bean(server) for server in ("server1", "server2"))
    return sum(int(bean.get(f"source.{PEER}.shippedOps", 0)) for bean in beans)


@pytest.mark.filterwarnings("ignore:Connecting to Bigtable emulator")
def test_ten_planted_differences_are_found_under_live_writes_and_none_else(
    bigtable_lab: BigtableLab, live: Workload, both: Mapping[Side, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", bigtable_lab.emulator.address)
    planted = plant(bigtable_lab, both)
    with restless(bigtable_lab) as pending:
        state = compared(both, "planted")
    assert live.running
    assert state.result.pending_keys == (pending,) and not state.clean
    assert {(e.key, f"{e.family}:{e.qualifier}", e.fault) for e in state.result.examples} == planted
    assert len(planted) + state.pending == 10 and {fault for *_, fault in planted} == set(Fault)
    assert state.result.different == len({key for key, _, _ in planted}) == 7
    for key in {key for key, _, fault in planted if fault in (Fault.MISSING, Fault.VALUE)}:
        Repair(TABLE).row(both, key)
    left = compared(both, "repaired").result
    assert {(e.key, e.fault) for e in left.examples} == {
        (key, fault) for key, _, fault in planted if fault in (Fault.EXTRA, Fault.TIMESTAMP)
    }


def plant(lab: BigtableLab, both: Mapping[Side, Cluster]) -> set[tuple[str, str, Fault]]:
    """Nine differences that stay: of the target's rows one lacks a cell and one is missing whole, one has a cell too
    many and one should not be there, in one a value is spoilt and in two a time."""
    keys = [quiet_key(number) for number in range(6)]
    cells = {key: cells_of(both[Side.TARGET], key) for key in keys}
    time = {key: next(at for family, name, at in cells[key] if (family, name) == V) for key in keys}
    stray, late = b"zz-stray".hex(), [SetCell(*V, cells[key][(*V, time[key])], time[key] + 1_000) for key in keys[:2]]
    changes: dict[str, list[Mutation]] = {
        keys[0]: [DeleteRangeFromColumn(*V), late[0]],
        keys[1]: [DeleteRangeFromColumn(*V), late[1]],
        keys[2]: [SetCell(*V, b"spoilt", time[keys[2]])],
        keys[3]: [SetCell("d", b"more", b"x", 1_000_000)],
        stray: [SetCell("m", b"more", b"x", 1_000_000)],
        keys[4]: [DeleteRangeFromColumn(*V)],
        keys[5]: [DeleteAllFromRow()],
    }
    with BigtableDataClient(project=lab.project) as client, client.get_table(lab.instance, TABLE) as table:
        for key, mutations in changes.items():
            table.mutate_row(bytes.fromhex(key), mutations)
    column, more = f"d:{V[1].hex()}", b"more".hex()
    return {
        *((key, column, Fault.TIMESTAMP) for key in keys[:2]),
        (keys[2], column, Fault.VALUE),
        (keys[3], f"d:{more}", Fault.EXTRA),
        (stray, f"m:{more}", Fault.EXTRA),
        (keys[4], column, Fault.MISSING),
        *((keys[5], f"{family}:{name.hex()}", Fault.MISSING) for family, name, _ in cells[keys[5]]),
    }


@contextlib.contextmanager
def restless(lab: BigtableLab) -> Iterator[str]:
    """One row of the target, its key in hex, that is another one at every look: nobody can say yet what it will be."""
    key, there, stop = b"zz-restless", threading.Event(), threading.Event()

    def write() -> None:
        with BigtableDataClient(project=lab.project) as client, client.get_table(lab.instance, TABLE) as table:
            for number in itertools.count():
                table.mutate_row(key, [DeleteAllFromRow(), SetCell("d", b"%06d" % number, b"x", 1_000_000)])
                there.set()
                if stop.wait(0.05):
                    break
            table.mutate_row(key, [DeleteAllFromRow()])

    with ThreadPoolExecutor(1, "restless") as pool:
        writing = pool.submit(write)
        try:
            assert there.wait(30), "the row was never written"
            yield key.hex()
        finally:
            stop.set()
            writing.result()


def cells_of(side: Cluster, key: str) -> dict[tuple[str, bytes, int], bytes]:
    """Every version of one row."""
    limits = {"max_rows": 1, "max_bytes": 1_000_000, "versions": 0}
    asked = {"table": TABLE, "families": [], "start": key, "stop": f"{key}00", "values": "full", **limits}
    page = side.call("rows.scan", asked)
    return {(f, bytes.fromhex(q), time): bytes.fromhex(value) for _, row in page.rows for f, q, time, value in row}
