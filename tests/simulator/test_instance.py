"""The simulated instance beyond the contract: garbage collection, deletes, applications, faults of the real service."""

from __future__ import annotations

import pytest
from instance_pair import SOURCE, TARGET, InstancePair

from hbase_ferry.cluster.simulator.instance import InstanceTable
from hbase_ferry.errors import AgentError
from hbase_ferry.model.bigtable.retention import parse

SECOND = 1_000_000


def table_with(rule: str, *times: int) -> InstanceTable:
    table = InstanceTable("t", {"d": parse(rule)})
    for time in times:
        table.put(b"k", "d", b"q", time * SECOND, b"%d" % time)
    return table


def kept(table: InstanceTable) -> list[int]:
    return [time // SECOND for _, cells in table.scan(b"", b"", (), 0) for _, _, time, _ in cells]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("never", [9, 8, 7, 1]),
        ("maxversions=2", [9, 8]),
        ("maxage=3s", [9, 8, 7]),
        ("maxage=3s or maxversions=2", [9, 8]),
        ("maxage=1s and maxversions=3", [9, 8, 7]),
        ("(maxage=1s and maxversions=1) or maxversions=3", [9]),
    ],
)
def test_garbage_collection_drops_what_the_rule_drops_and_only_when_it_runs(rule: str, left: list[int]) -> None:
    table = table_with(rule, 1, 7, 8, 9)
    assert kept(table) == [9, 8, 7, 1]
    table.collect(10 * SECOND)
    assert kept(table) == left


def test_a_row_whose_last_cell_is_dropped_is_gone() -> None:
    table = table_with("maxage=1s", 1)
    table.collect(10 * SECOND)
    assert table.rows == {} and list(table.scan(b"", b"", (), 0)) == []


def test_a_delete_does_not_hide_an_older_put_that_arrives_later() -> None:
    """In HBase it would stay hidden until a major compaction."""
    table = table_with("never", 5)
    table.delete(b"k", "d")
    assert kept(table) == []
    table.put(b"k", "d", b"q", 3 * SECOND, b"late")
    assert kept(table) == [3]


def test_rows_stay_in_key_order_whatever_order_they_come_in() -> None:
    table = InstanceTable("t", {"d": parse("never")})
    for key in (b"b", b"a", b"c", b"\xff", b"aa", b"a\0"):
        table.put(key, "d", b"q", 1000, b"")
    table.delete(b"c", "d")
    assert [key for key, _ in table.scan(b"", b"", (), 0)] == [b"a", b"a\0", b"aa", b"b", b"\xff"]


def test_a_permission_that_is_missing_shows_and_refuses() -> None:
    pair = InstancePair()
    pair.create()
    pair.world.fault(TARGET, "permission", names=["bigtable.tables.mutateRows"])
    settings = pair.call(TARGET, "cluster.identity", settings=None).settings
    assert settings["permission.bigtable.tables.mutateRows"] == "missing"
    assert settings["permission.bigtable.tables.readRows"] == "granted"
    row = ["61", [["d", "71", 1000, "01"]]]
    with pytest.raises(AgentError) as caught:
        pair.call(TARGET, "rows.write", table="orders", rows=[row])
    assert caught.value.kind == "google.api_core.exceptions.PermissionDenied"
    assert "bigtable.tables.mutateRows" in caught.value.text
    pair.world.heal(TARGET, "permission")
    assert pair.call(TARGET, "rows.write", table="orders", rows=[row]).changed


def test_a_profile_routed_to_any_cluster_shows_as_such() -> None:
    pair = InstancePair()

    def routing() -> str:
        return str(pair.call(TARGET, "cluster.identity", settings=None).settings["profile.ferry.routing"])

    assert routing() == "single:asia-east1-b"
    pair.world.fault(TARGET, "routing", profile="ferry")
    assert routing() == "multi"
    pair.world.heal(TARGET, "routing")
    assert routing() == "single:asia-east1-b"


def test_applications_that_were_switched_write_to_the_instance_and_not_to_hbase() -> None:
    pair = InstancePair()
    pair.create()
    before = pair.rows(SOURCE)
    pair.world.start_writers(TARGET, "orders")
    pair.wait(5)
    found = pair.rows(TARGET)
    assert len(found) > 500 and pair.rows(SOURCE) == before
    assert {cell[0] for _, cells in found.values() for cell in cells} == {"d", "m"}
    writes = pair.call(SOURCE, "tables.writes", names=["orders"]).items[0].total
    pair.wait(5)
    assert pair.call(SOURCE, "tables.writes", names=["orders"]).items[0].total == writes
