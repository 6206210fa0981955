"""Whole crossings on the embedded pair: in the safe order nothing is lost, in a wrong one the verification says so."""

from __future__ import annotations

import pytest
from simulated_pair import ORDERS, SOURCE, TARGET, Pair

from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, create_table
from hbase_ferry.cluster.simulator.rows import compare
from hbase_ferry.errors import AgentError


def assert_equal(pair: Pair, table: str = ORDERS) -> None:
    assert not pair.differences(table).rows
    sync = pair.sync(f"sync-{table.replace(':', '-')}", table)
    assert sync.succeeded
    assert "ROWSWITHDIFFS" not in sync.counters
    assert sync.counters["HASHES_MATCHED"] == sync.counters["BATCHES"] > 100


def test_the_safe_order_brings_every_row_across_while_writers_write() -> None:
    pair = Pair()
    pair.wait(30)
    pair.cross()
    pair.wait(30)
    assert pair.world.writers[0].written > 30_000
    pair.stop_and_drain()
    assert_equal(pair)
    assert pair.count(SOURCE, "count") == pair.count(TARGET, "count") > 200_000
    verify = pair.verify()
    assert "BADROWS" not in verify.counters
    assert verify.counters["GOODROWS"] > 200_000


def test_two_tables_cross_side_by_side() -> None:
    pair = Pair()
    pair.add_peer(table_cfs={ORDERS: [], CUSTOMERS: ["d", "m"]})
    for table, name in ((ORDERS, "o"), (CUSTOMERS, "c")):
        pair.scope(table)
        pair.snapshot(name, table)
        assert pair.export(f"export-{name}", name).succeeded
        pair.restore(name)
    pair.call(SOURCE, "peer.enable", id="f")
    pair.stop_and_drain()
    assert_equal(pair)
    assert_equal(pair, CUSTOMERS)


def test_one_family_alone_crosses_and_is_compared_alone() -> None:
    pair = Pair()
    pair.add_peer(table_cfs={ORDERS: ["d"]})
    pair.call(SOURCE, "table.scope", table=ORDERS, scopes={"d": 1})
    pair.snapshot()
    assert pair.export().succeeded
    pair.restore()
    assert pair.call(TARGET, "table.delete_families", table=ORDERS, families=["m"]).changed
    pair.call(SOURCE, "peer.enable", id="f")
    pair.stop_and_drain()
    assert not pair.differences(families=["d"]).rows
    assert len(pair.differences().different) > 190_000


def test_a_snapshot_taken_before_the_peer_exists_loses_what_was_written_in_between() -> None:
    pair = Pair()
    pair.scope()
    pair.snapshot()
    pair.wait(120)
    pair.add_peer()
    assert pair.export().succeeded
    pair.restore()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.stop_and_drain()
    lost = len(pair.differences().rows)
    assert lost > 100
    assert pair.sync().counters["ROWSWITHDIFFS"] == lost


def test_a_snapshot_taken_before_the_scope_is_on_loses_the_unscoped_edits() -> None:
    pair = Pair()
    pair.add_peer()
    pair.snapshot()
    pair.wait(20)
    pair.scope()
    assert pair.export().succeeded
    pair.restore()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.stop_and_drain()
    lost = len(pair.differences().rows)
    assert lost > 100
    assert pair.sync().counters["ROWSWITHDIFFS"] == lost
    assert pair.verify().counters["BADROWS"] > 0


def test_removing_the_peer_before_it_drained_loses_the_backlog() -> None:
    pair = Pair()
    pair.add_peer()
    pair.scope()
    pair.snapshot()
    assert pair.export().succeeded
    pair.restore()
    pair.world.stop_writers()
    pair.call(SOURCE, "peer.remove", id="f")
    pair.add_peer()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(60)
    assert len(pair.differences().rows) > 1_000
    assert pair.sync().counters["ROWSWITHDIFFS"] > 1_000


def test_a_restore_wipes_what_replication_had_already_applied() -> None:
    pair = Pair()
    create_table(pair.world, TARGET, pair.world.clusters[SOURCE].tables[ORDERS])
    pair.add_peer()
    pair.scope()
    pair.snapshot()
    assert pair.export().succeeded
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(60)
    with pytest.raises(AgentError) as refused:
        pair.call(TARGET, "snapshot.restore", name="s")
    assert refused.value.kind == "org.apache.hadoop.hbase.TableNotDisabledException"
    assert refused.value.text == ORDERS
    pair.stop_and_drain()
    pair.call(TARGET, "table.disable", table=ORDERS)
    pair.call(TARGET, "snapshot.restore", name="s")
    assert not pair.world.clusters[TARGET].tables[ORDERS].enabled
    pair.call(TARGET, "table.enable", table=ORDERS)
    pair.wait(60)
    assert len(pair.differences().rows) > 1_000


def test_writes_that_went_to_the_target_alone_show_as_differences() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    pair.world.start_writers(TARGET)
    pair.wait(10)
    found = compare(*(pair.world.clusters[side].tables[ORDERS].rows for side in (SOURCE, TARGET)))
    assert len(found.rows) > 1_000


def test_a_late_major_compaction_lets_a_replayed_put_come_back() -> None:
    pair = Pair()
    pair.cross()
    pair.stop_and_drain()
    pair.call(SOURCE, "peer.disable", id="f")
    pair.world.fault(TARGET, "major_compaction", table=ORDERS)
    assert not pair.differences().rows
    source, target = (pair.world.clusters[side].tables[ORDERS] for side in (SOURCE, TARGET))
    deleted = next(row for row, cells in source.rows.over.items() if not source.rows.exists(row) and cells[0])
    target.rows.put(deleted, 1, source.rows.row(deleted)[0], 1)
    assert target.rows.exists(deleted), "the delete marker that hid the older put is gone"
