"""The wire in front of the simulated clusters: typed answers, HBase's refusals, deadlines, faults, determinism."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from simulated_pair import ORDERS, SOURCE, START, TARGET, Pair

from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, demo_settings, embedded_pair
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.cluster.wire import METHODS
from hbase_ferry.errors import AgentError, DeadlineExceeded, Unreachable
from hbase_ferry.migration.settings import TransportKind
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json

HB = "org.apache.hadoop.hbase."


def refusal(pair: Pair, side: Side, method: str, **params: Any) -> AgentError:
    with pytest.raises(AgentError) as refused:
        pair.call(side, method, **params)
    return refused.value


def test_every_method_of_the_wire_is_answered() -> None:
    answered = {**SimulatedWire.call.__globals__["_ALL_READS"], **SimulatedWire.call.__globals__["_ALL_CHANGES"]}
    assert answered.keys() == {name for name, method in METHODS.items() if "hbase" in method.kinds}


def test_the_pair_is_what_the_demo_shows() -> None:
    pair = Pair()
    identity = pair.call(SOURCE, "cluster.identity", settings=["hbase.master.logcleaner.ttl", "nothing"])
    assert (identity.hbase_version, len(identity.servers), identity.major) == ("2.4.17", 3, 2)
    assert identity.settings == {"hbase.master.logcleaner.ttl": "60000"}
    assert pair.call(TARGET, "cluster.identity").cluster_id != identity.cluster_id
    orders = pair.call(SOURCE, "tables.list", max=10, names=[ORDERS]).items[0]
    assert (orders.regions, [f.name for f in orders.families], orders.enabled) == (8, ["d", "m"], True)
    assert [peer.id for peer in pair.call(SOURCE, "peers.list", max=10).items] == ["dr_backup"]
    pair.wait(60)
    assert all(queue.lag_ms == 0 for queue in pair.queues("dr_backup"))
    settings = demo_settings()
    assert settings.source.transport is settings.target.transport is TransportKind.SIMULATED
    assert [table.name for table in settings.tables] == [ORDERS]


def test_listings_are_cut_and_say_so() -> None:
    found = Pair(tables=50).call(SOURCE, "tables.list", max=7)
    assert (len(found.items), found.total) == (7, 56)


def test_nothing_the_caller_keeps_changes_the_world() -> None:
    pair = Pair()
    raw: Any = pair.wires[SOURCE].call("tables.list", {"max": 100}, 5)
    raw["items"][0]["name"] = "changed"
    raw["items"].clear()
    assert pair.call(SOURCE, "tables.list", max=100).total == 6


def test_a_change_needs_the_clusters_own_id() -> None:
    pair = Pair()
    other = pair.world.clusters[TARGET].cluster_id
    assert refusal(pair, SOURCE, "namespace.create", name="x", expect_cluster_id=other).kind == (
        "hbase_ferry.WrongCluster"
    )
    assert refusal(pair, SOURCE, "namespace.create", name="x", expect_cluster_id=None).kind == (
        "hbase_ferry.WrongCluster"
    )
    assert "x" not in pair.call(SOURCE, "namespaces.list", max=10).items


def test_unknown_methods_and_wrong_parameters_are_refused_by_the_agent() -> None:
    pair = Pair()
    wire = pair.wires[SOURCE]
    for method, params, kind in (
        ("no.method", {}, "hbase_ferry.UnknownMethod"),
        ("snapshots.stats", {"names": "s"}, "hbase_ferry.BadRequest"),
        ("snapshots.stats", {}, "hbase_ferry.BadRequest"),
    ):
        with pytest.raises(AgentError) as refused:
            wire.call(method, params, 5)  # type: ignore[arg-type]
        assert refused.value.kind == kind


def test_a_second_effect_is_said_to_be_none() -> None:
    pair = Pair()
    pair.cross()
    for side, method, params in (
        (TARGET, "namespace.create", {"name": "shop"}),
        (SOURCE, "peer.enable", {"id": "f"}),
        (SOURCE, "table.scope", {"table": ORDERS, "scopes": {"d": 1}}),
        (TARGET, "table.enable", {"table": ORDERS}),
        (SOURCE, "peer.remove", {"id": "gone"}),
        (SOURCE, "snapshot.delete", {"name": "gone"}),
        (TARGET, "table.drop", {"table": "shop:gone"}),
        (TARGET, "namespace.delete", {"name": "gone"}),
        (SOURCE, "switch.split_merge", {"split": True, "merge": True}),
        (SOURCE, "table.major_compaction", {"table": ORDERS, "value": None}),
    ):
        assert not pair.call(side, method, **params).changed, method


def test_hbase_refuses_with_its_own_classes_and_texts() -> None:
    pair = Pair()
    pair.add_peer()
    pair.snapshot()
    target_key = pair.key(TARGET)
    peer = {"table_cfs": {ORDERS: []}, "bandwidth": 0, "serial": False, "window_ok": False, "cluster_key": target_key}
    for side, method, params, kind, text in (
        (SOURCE, "peer.add", {"id": "f", **peer}, "DoNotRetryIOException", "Replication peer f already exists"),
        (SOURCE, "peer.add", {"id": "a-b", **peer}, "DoNotRetryIOException", "Found invalid peer name: a-b"),
        (SOURCE, "peer.add", {"id": "x", **peer, "cluster_key": pair.key(SOURCE)}, "DoNotRetryIOException",
         f"Invalid cluster key: {pair.key(SOURCE)}, should not replicate to itself for "
         "HBaseInterClusterReplicationEndpoint"),
        (SOURCE, "peer.enable", {"id": "y"}, "DoNotRetryIOException", "Replication peer y does not exist"),
        (TARGET, "peer.disable", {"id": "y"}, "ReplicationPeerNotFoundException", "y"),
        (SOURCE, "table.scope", {"table": "shop:no", "scopes": {"d": 1}}, "TableNotFoundException", "shop:no"),
        (SOURCE, "table.scope", {"table": ORDERS, "scopes": {"x": 1}},
         "regionserver.NoSuchColumnFamilyException", f"table {ORDERS} has no family x"),
        (SOURCE, "table.drop", {"table": ORDERS}, "TableNotDisabledException", ORDERS),
        (SOURCE, "snapshot.create", {"name": "s", "table": ORDERS}, "snapshot.SnapshotExistsException",
         "Snapshot 's' already stored on the filesystem."),
        (SOURCE, "snapshot.restore", {"name": "s"}, "TableNotDisabledException", ORDERS),
        (TARGET, "snapshot.restore", {"name": "s"}, "snapshot.RestoreSnapshotException",
         "Unable to find the table name for snapshot=s"),
        (SOURCE, "namespace.delete", {"name": "shop"}, "constraint.ConstraintException",
         "Only empty namespaces can be removed. Namespace shop has 2 tables"),
        (TARGET, "canary.write", {"table": ORDERS, "family": "d", "id": "c"}, "TableNotFoundException", ORDERS),
    ):  # fmt: skip
        refused = refusal(pair, side, method, **params)
        assert (refused.kind, refused.text) == (HB + kind, text)


def test_a_restore_without_its_namespace_is_refused() -> None:
    pair = Pair()
    pair.snapshot()
    assert pair.export().succeeded
    refused = refusal(pair, TARGET, "snapshot.restore", name="s")
    assert (refused.kind, refused.text) == (HB + "NamespaceNotFoundException", "shop")


def test_a_restored_absent_table_is_enabled_and_carries_the_scope() -> None:
    pair = Pair()
    pair.cross()
    table = pair.call(TARGET, "tables.list", max=10, names=[ORDERS]).items[0]
    assert table.enabled
    assert [family.scope for family in table.families] == [1, 1]
    assert table.regions == 8


def test_a_peer_to_an_unreachable_cluster_takes_eighteen_seconds_to_be_refused() -> None:
    pair = Pair()
    key = pair.key(TARGET)
    pair.world.fault(TARGET, "network")
    begun = pair.clock.now()
    with pytest.raises(AgentError) as refused:
        pair.call(SOURCE, "peer.add", id="f", cluster_key=key, table_cfs={ORDERS: []}, bandwidth=0, serial=False,
                  window_ok=False)  # fmt: skip
    assert refused.value.text == f"Can't get peerClusterId for clusterKey={key}"
    assert 18 < pair.clock.now() - begun < 19


def test_a_call_that_outlives_its_deadline_still_has_its_effect() -> None:
    pair = Pair()
    with pytest.raises(DeadlineExceeded):
        pair.call(SOURCE, "table.scope", within=0.5, table=ORDERS, scopes={"d": 1, "m": 1})
    assert {region.scopes for region in pair.world.clusters[SOURCE].tables[ORDERS].regions} == {0, 3}
    pair.wait(3)
    assert {region.scopes for region in pair.world.clusters[SOURCE].tables[ORDERS].regions} == {3}


def test_operations_take_as_long_as_on_real_servers() -> None:
    pair = Pair()
    took = {}
    for method, params in (
        ("table.scope", {"table": ORDERS, "scopes": {"d": 1}}),
        ("snapshot.create", {"name": "s", "table": ORDERS}),
        ("peer.disable", {"id": "dr_backup"}),
    ):
        begun = pair.clock.now()
        pair.call(SOURCE, method, **params)
        took[method] = pair.clock.now() - begun
    assert 1.9 < took["table.scope"] < 2.1
    assert 1.3 < took["snapshot.create"] < 4.2
    assert 0.2 < took["peer.disable"] < 4.2


class Wall:
    """A clock that is not simulated and counts how long it was asked to sleep."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> float:
        return START + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_a_suspended_demo_wakes_up_quickly_and_consistent() -> None:
    clock = Wall()
    world = embedded_pair(7, clock)
    wire = SimulatedWire(world, SOURCE)
    clock.slept = 4 * 3600.0
    begun = time.thread_time()
    identity: Any = wire.call("cluster.identity", {}, 20)
    assert time.thread_time() - begun < 6
    assert identity["time_ms"] == round(clock.now() * 1000)
    assert 0 < world.writers[0].written < 20_000


def test_a_live_demo_waits_at_most_a_second_for_an_operation() -> None:
    clock = Wall()
    world = embedded_pair(7, clock)
    wire = SimulatedWire(world, SOURCE)
    own = world.clusters[SOURCE].cluster_id
    key = world.clusters[TARGET].cluster_key
    world.fault(TARGET, "network")
    with pytest.raises(AgentError):
        wire.call("peer.add", {"id": "f", "cluster_key": key, "table_cfs": {ORDERS: []}, "bandwidth": 0,
                               "serial": False, "window_ok": False, "expect_cluster_id": own}, 60)  # fmt: skip
    assert clock.slept <= 1.01


def test_faults_reach_the_caller_as_the_agent_would_show_them() -> None:
    pair = Pair()
    pair.world.fault(SOURCE, "unreachable")
    with pytest.raises(Unreachable):
        pair.call(SOURCE, "ping")
    pair.world.heal(SOURCE, "unreachable")
    pair.world.fault(SOURCE, "hung")
    begun = pair.clock.now()
    with pytest.raises(DeadlineExceeded):
        pair.call(SOURCE, "peers.list", max=10)
    assert pair.clock.now() - begun == METHODS["peers.list"].deadline
    pair.world.heal(SOURCE, "hung")
    pair.world.fault(SOURCE, "slow", method="peers.list", seconds=4)
    begun = pair.clock.now()
    pair.call(SOURCE, "tables.list", max=10)
    assert pair.clock.now() == begun
    pair.call(SOURCE, "peers.list", max=10)
    assert pair.clock.now() - begun == 4
    pair.world.heal(SOURCE, "slow")
    pair.world.fault(SOURCE, "error", method="ping", cls="java.io.IOException", text="broken")
    assert refusal(pair, SOURCE, "ping").text == "broken"
    pair.world.heal(SOURCE, "error")
    with pytest.raises(ValueError, match="unknown fault lightning"):
        pair.world.fault(SOURCE, "lightning")


def test_a_fault_can_be_set_for_later() -> None:
    pair = Pair()
    pair.world.faults.later(10, SOURCE, "unreachable")
    pair.wait(9)
    pair.call(SOURCE, "ping")
    pair.wait(1)
    with pytest.raises(Unreachable):
        pair.call(SOURCE, "ping")


def test_a_closed_wire_answers_nothing() -> None:
    pair = Pair()
    pair.wires[SOURCE].close()
    with pytest.raises(Unreachable):
        pair.call(SOURCE, "ping")


def test_ports_are_open_unless_the_target_is_cut_off() -> None:
    pair = Pair()
    targets: list[dict[str, Json]] = [
        {"host": "rs1.emr6", "port": 16020, "what": "region server"},
        {"host": "nowhere.example", "port": 1, "what": "x"},
    ]
    found = pair.call(SOURCE, "ports.check", targets=targets, timeout_ms=500).items
    assert [(port.open, port.error) for port in found] == [
        (True, ""),
        (False, "UnknownHostException: nowhere.example"),
    ]
    pair.world.fault(TARGET, "network")
    assert not pair.call(SOURCE, "ports.check", targets=targets[:1], timeout_ms=500).items[0].open


def test_clock_skew_is_seen_in_the_edge_nodes_time() -> None:
    pair = Pair()
    pair.world.fault(TARGET, "clock_skew", ms=90_000)
    skew = pair.call(TARGET, "cluster.identity").time_ms - pair.call(SOURCE, "cluster.identity").time_ms
    assert skew == 90_000


def test_canary_rows_cross_and_their_deletion_too() -> None:
    pair = Pair()
    pair.cross()
    pair.wait(30)
    rows = [row.row_hex for row in pair.call(SOURCE, "canary.write", table=ORDERS, family="d", id="c1").items]
    assert len({row.server for row in pair.call(SOURCE, "canary.read", table=ORDERS, rows=rows).items}) == 3
    pair.wait(2)
    assert all(row.present for row in pair.call(TARGET, "canary.read", table=ORDERS, rows=rows).items)
    assert pair.call(SOURCE, "canary.delete", table=ORDERS, rows=rows).note == "3 of 3 rows deleted"
    assert not pair.call(SOURCE, "canary.delete", table=ORDERS, rows=rows).changed
    pair.wait(2)
    assert not any(row.present for row in pair.call(TARGET, "canary.read", table=ORDERS, rows=rows).items)
    refused = refusal(pair, SOURCE, "canary.delete", table=ORDERS, rows=[b"00000001".hex()])
    assert refused.kind == "hbase_ferry.BadRequest"


def shown(pair: Pair) -> list[Json]:
    """Everything the wire shows of both sides."""
    seen: list[Json] = []
    for side in Side:
        for method, params in (
            ("cluster.identity", {}), ("tables.list", {"max": 999}), ("tables.writes", {"names": [ORDERS, CUSTOMERS]}),
            ("peers.list", {"max": 9}), ("replication.load", {"max": 9}), ("snapshots.list", {"max": 9}),
            ("hdfs.usage", {"paths": ["/hbase/archive/data/shop/orders"]}), ("job.list", {"prefix": ""}),
        ):  # fmt: skip
            seen.append(pair.wires[side].call(method, params, 30))  # type: ignore[arg-type]
    return seen


def state_of(pair: Pair) -> str:
    """The same and every row, as text."""
    tables = [pair.world.clusters[side].tables.get(ORDERS) for side in Side]
    return json.dumps([shown(pair), [table.rows.over if table else None for table in tables]])


def test_the_world_is_the_same_whatever_the_poll_pattern() -> None:
    states = []
    for step in (0.25, 1.0, 7.0):
        pair = Pair(seed=11)
        pair.cross()
        begun = pair.clock.now()
        while pair.clock.now() < begun + 40:
            shown(pair)
            pair.clock.sleep(min(step, begun + 40 - pair.clock.now()))
        states.append(state_of(pair))
    assert states[0] == states[1] == states[2]


def test_another_seed_is_another_world() -> None:
    first, second = Pair(seed=1), Pair(seed=2)
    for pair in (first, second):
        pair.wait(30)
    assert state_of(first) != state_of(second)


def test_calls_from_many_threads_leave_the_world_whole() -> None:
    pair = Pair()
    failures: list[Exception] = []

    def poll() -> None:
        try:
            for _ in range(30):
                pair.call(SOURCE, "replication.load", max=9)
                pair.call(SOURCE, "tables.writes", names=[ORDERS])
                pair.clock.sleep(0.2)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=poll) for _ in range(6)]
    for thread in threads:
        thread.start()
    pair.cross()
    for thread in threads:
        thread.join(60)
    pair.stop_and_drain()
    assert not failures
    assert not pair.differences().rows


def test_two_hundred_tables_a_side_cost_little_to_poll() -> None:
    clock = SteppingClock(START)
    world = embedded_pair(7, clock, tables=200)
    wires = [SimulatedWire(world, side) for side in Side]
    seconds = 60

    def poll() -> None:
        for wire in wires:
            for method, params in (
                ("cluster.identity", {}), ("namespaces.list", {"max": 999}), ("tables.list", {"max": 999}),
                ("tables.writes", {"names": [ORDERS]}), ("peers.list", {"max": 999}),
                ("replication.load", {"max": 999}), ("snapshots.list", {"max": 999}), ("hdfs.usage", {"paths": []}),
            ):  # fmt: skip
                wire.call(method, params, 30)  # type: ignore[arg-type]

    poll()
    begun = time.thread_time()
    for _ in range(seconds):
        clock.sleep(1)
        poll()
    share = (time.thread_time() - begun) / seconds
    assert share < 0.05, f"a live demo would spend {share:.1%} of a core in the simulator"
    print(f"{share:.2%} of a core")
