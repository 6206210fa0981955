"""What simulated servers say of themselves, and pages of rows: the same writes show the same cells on both sides."""

from __future__ import annotations

from typing import Any

from simulated_pair import ORDERS, SOURCE, TARGET, Pair

from hbase_ferry.cluster.simulator.cluster import BEAN_MS, Pages
from hbase_ferry.cluster.simulator.replication import SimPeer, Source
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.rows import Row

ENDPOINT = "com.example.Endpoint"


def scan(pair: Pair, side: Side, **changes: Any) -> Any:
    usual = {"table": ORDERS, "families": [], "start": "", "stop": "", "max_rows": 1000, "max_bytes": 1_000_000,
             "versions": 0, "values": "full"}  # fmt: skip
    return pair.call(side, "rows.scan", **{**usual, **changes})


def everything(pair: Pair, side: Side) -> tuple[Row, ...]:
    """Every row of a side's first tenth, page by page."""
    rows: list[Row] = []
    following: str | None = ""
    while following is not None:
        page = scan(pair, side, start=following, stop=b"00020000".hex())
        rows += page.rows
        following = page.next
    return tuple(rows)


def facts(pair: Pair, **changes: Any) -> Any:
    asked = {"settings": [], "metrics": [], "jars": [], "max": 10}
    return {item.server: item for item in pair.call(SOURCE, "servers.read", **{**asked, **changes}).items}


# ---- pages of rows


def test_both_sides_show_the_same_cells_after_a_crossing_and_one_lost_write_is_one_difference() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    ours, theirs = everything(pair, SOURCE), everything(pair, TARGET)
    assert len(ours) > 19_000 and any(len(row[0]) > 16 for row in ours)
    assert ours == theirs and [key for key, _ in ours] == sorted(key for key, _ in ours)
    pair.world.fault(TARGET, "corrupt_row", table=ORDERS, row=77)
    different = [a[0] for a, b in zip(ours, everything(pair, TARGET), strict=True) if a != b]
    assert different == [b"00000077".hex()]
    pair.world.fault(TARGET, "corrupt_row", table=ORDERS, row=78, delete=True)
    assert {row[0] for row in ours} - {row[0] for row in everything(pair, TARGET)} == {b"00000078".hex()}


def test_a_row_that_was_written_in_between_is_in_its_place() -> None:
    pair = Pair(busy=False)
    pair.world.writers = []
    before = scan(pair, SOURCE, max_rows=3).rows
    written = pair.call(SOURCE, "canary.write", table=ORDERS, family="m", id="x").items
    (first,) = [row for row in written if row.row_hex.startswith("00")]
    rows = scan(pair, SOURCE, max_rows=4).rows
    assert rows[1:] == before and rows[0][0] == first.row_hex and [cell[0] for cell in rows[0][1]] == ["m"]


# ---- the servers' own pages


def test_one_server_runs_with_other_settings_and_jars_than_the_rest() -> None:
    pair = Pair()
    cluster = pair.world.clusters[SOURCE]
    cluster.pages = Pages({"google.bigtable.project.id": "p"}, ["bigtable-hbase-2.20.0.jar"])
    cluster.own_pages["rs2.prod-bj"] = Pages({}, ["bigtable-hbase-1.jar"])
    cluster.own_pages["rs3.prod-bj"] = Pages(error="connection refused")
    found = facts(pair, settings=["?google.bigtable.project.id", "dfs.replication"], jars=["bigtable", "hbase"])
    master, first, second, third = found.values()
    assert (master.role, master.server, first.role) == ("master", cluster.master, "region server")
    for item in (master, first):
        assert item.settings == {"?google.bigtable.project.id": "(set)", "dfs.replication": "3"}
        assert item.jars == ("bigtable-hbase-2.20.0.jar",)
    assert (second.settings, second.jars) == ({"dfs.replication": "3"}, ("bigtable-hbase-1.jar",))
    assert third.error == f"the information pages of region server {third.server} could not be read: connection refused"
    assert (third.settings, third.metrics, third.jars) == ({}, {}, ())


def test_a_dead_server_has_no_pages_at_all() -> None:
    pair = Pair()
    pair.world.fault(SOURCE, "server_dies", server=1)
    assert [name.split(",")[0] for name in facts(pair)] == ["master1.prod-bj", "rs1.prod-bj", "rs3.prod-bj"]


def test_the_bean_is_up_to_ten_seconds_old_and_keeps_what_the_library_counted() -> None:
    pair = Pair()
    pair.add_peer()
    pair.wait(BEAN_MS / 1000)
    server = pair.world.clusters[SOURCE].servers[0].name
    wanted = ["sizeOfLogQueue", "shippedOps", "isInitializing", "numInitializing", "dropped"]
    assert facts(pair, metrics=wanted)[server].metrics["source.f.sizeOfLogQueue"] == 1
    pair.call(SOURCE, "wal.roll")
    pair.world.clusters[SOURCE].library_counters[server] = {"source.f.dropped": 3}
    old = facts(pair, metrics=wanted)[server].metrics
    assert old["source.f.sizeOfLogQueue"] == 1 and "source.f.dropped" not in old
    pair.wait(BEAN_MS / 1000)
    new = facts(pair, metrics=wanted)[server].metrics
    assert (new["source.f.sizeOfLogQueue"], new["source.f.dropped"], new["source.f.isInitializing"]) == (2, 3, 0)
    assert new["source.sizeOfLogQueue"] == sum(
        value for name, value in new.items() if name.startswith("source.") and name.count(".") == 2
        and name.endswith("sizeOfLogQueue")
    )  # fmt: skip
    assert new["source.numInitializing"] == 0
    pair.call(SOURCE, "peer.remove", id="f")
    pair.wait(BEAN_MS / 1000)
    assert [name for name in facts(pair, metrics=wanted)[server].metrics if ".f." in name] == ["source.f.dropped"]


def test_1x_names_what_all_queues_share_without_a_prefix() -> None:
    pair = Pair(source_version="1.4.13")
    pair.wait(BEAN_MS / 1000)
    server = pair.world.clusters[SOURCE].servers[0].name
    assert set(facts(pair, metrics=["shippedOps"])[server].metrics) == {"shippedOps", "source.dr_backup.shippedOps"}


# ---- endpoints of their own


class Recorder:
    """Starts when told to, takes edits while it may."""

    def __init__(self) -> None:
        self.up = self.takes = True
        self.edits: list[tuple[str, int, int]] = []

    def starts(self, cluster: Any, peer: SimPeer, source: Source) -> bool:
        return self.up

    def ship(
        self, cluster: Any, peer: SimPeer, source: Source, table: SimTable, row: int, op: int, mask: int, ts: int
    ) -> bool:
        if self.takes:
            self.edits.append((table.name, row, mask))
        return self.takes


def with_endpoint(**peer: Any) -> tuple[Pair, Recorder]:
    pair, recorder = Pair(rate=20.0), Recorder()
    pair.world.clusters[SOURCE].endpoints[ENDPOINT] = recorder
    pair.scope()
    pair.add_peer(cluster_key="", endpoint=ENDPOINT, **peer)
    return pair, recorder


def test_a_peer_with_an_endpoint_ships_to_it_what_its_table_cfs_name() -> None:
    pair, recorder = with_endpoint(table_cfs={ORDERS: ["m"]}, config={"a": "b"})
    peer = next(p for p in pair.call(SOURCE, "peers.list", max=10).items if p.id == "f")
    assert (peer.endpoint, peer.cluster_key, peer.enabled, peer.config) == (
        ENDPOINT, pair.key(SOURCE), False, {"a": "b"},
    )  # fmt: skip
    pair.wait(10)
    assert recorder.edits == []
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(10)
    assert recorder.edits and {(name, mask) for name, _, mask in recorder.edits} == {(ORDERS, 2)}
    assert sum(queue.ops_shipped or 0 for queue in pair.queues()) > 0


def test_an_endpoint_that_takes_nothing_holds_the_queue_at_that_edit() -> None:
    pair, recorder = with_endpoint()
    recorder.takes = False
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(30)
    assert recorder.edits == [] and all(queue.lag_ms > 10_000 for queue in pair.queues())
    recorder.takes = True
    pair.stop_and_drain()
    assert recorder.edits and {queue.lag_ms for queue in pair.queues()} == {0}


def test_an_endpoint_that_does_not_start_reads_nothing_and_says_it_does_not_run() -> None:
    pair, recorder = with_endpoint()
    recorder.up = False
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(30)
    assert {(queue.running, queue.lag_ms, queue.ops_shipped) for queue in pair.queues()} == {(False, 0, 0)}
    server = pair.world.clusters[SOURCE].servers[0].name
    assert facts(pair, metrics=["isInitializing"])[server].metrics["source.f.isInitializing"] == 1
