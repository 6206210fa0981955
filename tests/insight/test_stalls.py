from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from insight_views import RS1, RS2, T0, family, identity, peer, queue, source, table

from hbase_ferry.insight.stalls import causes, covered_tables, same_key
from hbase_ferry.model.cluster import ClusterView, Observed, Side

KEY = "zk9:2181:/hbase"


def target(**parts: Any) -> ClusterView:
    fields: dict[str, Any] = {
        "identity": Observed(identity(cluster_id="id-target", cluster_key=KEY), T0),
        "namespaces": Observed(("default", "shop"), T0),
        "tables": Observed((table(),), T0),
    }
    return ClusterView(Side.TARGET, "emr6", **(fields | parts))


def src(*queues: object, **parts: Any) -> list[ClusterView]:
    parts.setdefault("tables", Observed((table(),), T0))
    return [source(s, *(queues or (queue(),)), **parts) for s in range(0, 16, 3)]


def names(history: list[ClusterView], there: ClusterView) -> list[str]:
    return [cause.name for cause in causes("ferry", history, there)]


def test_two_sides_that_fit_show_no_cause() -> None:
    assert names(src(), target()) == []


def test_a_missing_target_table_is_named_with_what_to_do() -> None:
    (cause,) = causes("ferry", src(), target(tables=Observed((), T0)))
    assert cause.name == "table missing" and "emr6 has no table orders" in cause.evidence
    assert "restore the snapshot of orders" in cause.remedy


def test_a_missing_namespace_comes_before_its_table() -> None:
    mine = peer(table_cfs={"other:t": ()})
    history = src(peers=(mine,), tables=Observed((table("other:t"),), T0))
    assert names(history, target()) == ["namespace missing"]


def test_a_disabled_target_table_and_a_missing_family_are_told_apart() -> None:
    assert names(src(), target(tables=Observed((table(enabled=False),), T0))) == ["table disabled"]
    other = table(families=[family("x")])
    assert names(src(), target(tables=Observed((other,), T0))) == ["family missing"]


def test_families_the_peer_does_not_ship_are_not_missed() -> None:
    two = table(families=[family("d"), family("meta"), family("local", scope=0)])
    history = src(peers=(peer(table_cfs={"orders": ("d",)}),), tables=Observed((two,), T0))
    assert names(history, target()) == []
    everything = src(peers=(peer(),), tables=Observed((two,), T0))
    assert causes("ferry", everything, target())[0].evidence.endswith("emr6 lacks family meta")


def test_tables_the_peer_does_not_cover_and_unscoped_ones_are_no_cause() -> None:
    others = Observed((table("a"), table("orders", families=[family(scope=0)])), T0)
    assert names(src(tables=others), target(tables=Observed((), T0))) == []


@pytest.mark.parametrize(
    "changes", [{"replicate_all": True, "table_cfs": {}}, {"namespaces": ("default",), "table_cfs": {}}]
)
def test_a_peer_for_everything_or_a_namespace_covers_its_tables(changes: dict[str, Any]) -> None:
    view = src()[-1]
    assert [t.name for t, _ in covered_tables(peer(**changes), view)] == ["orders"]


def test_an_unreachable_or_empty_target_is_the_first_cause() -> None:
    gone = target(identity=Observed(None, None, "no answer in 15 s"), tables=Observed((), T0))
    assert names(src(), gone)[0] == "target unreachable"
    empty = target(identity=Observed(identity(servers=(), dead=(RS1,), cluster_key=KEY), T0))
    assert names(src(), empty) == ["target has no region server"]
    one_dead = target(identity=Observed(identity(servers=(RS1,), dead=(RS2,), cluster_key=KEY), T0))
    assert names(src(), one_dead) == ["target lost region servers"]


def test_a_dark_server_a_stopped_endpoint_and_a_recovered_queue_are_named() -> None:
    assert names(src(queue(RS1), servers=(RS1, RS2)), target()) == ["region server dark"]
    assert names(src(queue(running=False)), target()) == ["endpoint not running"]
    orphan = queue(queue_id="ferry-rs9,16020,7", recovered=True, size=2)
    assert names(src(queue(), orphan), target()) == ["recovered queue"]


def test_a_recovered_queue_that_ships_is_no_cause() -> None:
    def orphan(second: int) -> object:
        return queue(queue_id="ferry-rs9,16020,7", recovered=True, size=2, ops_shipped=second)

    history = [source(s, queue(), orphan(s), tables=Observed((table(),), T0)) for s in range(0, 16, 3)]  # type: ignore[arg-type]
    assert names(history, target()) == []


def test_a_peer_that_points_elsewhere_is_said_to() -> None:
    history = src(peers=(peer(cluster_key="zk7:2181:/hbase"),))
    assert names(history, target()) == ["another cluster key"]


def test_a_bandwidth_limit_is_named_while_it_may_be_what_edits_wait_for() -> None:
    def waits(lag_ms: int = 9_000, limit: int = 20_000, **changes: object) -> list[ClusterView]:
        one = queue(lag_ms=lag_ms, last_shipped_ms=1, **changes)
        return src(one, peers=(peer(cluster_key=KEY, bandwidth=limit),))

    (told,) = causes("ferry", waits(), target())
    assert told.name == "bandwidth limit" and "may ship 19.5 KB/s from each region server" in told.evidence
    assert "pauses for up to 55 min" in told.evidence and "set_peer_bandwidth 'ferry', BYTES" in told.remedy
    assert names(waits(lag_ms=900), target()) == []
    assert names(waits(limit=0), target()) == [] == names(waits(limit=-1), target())
    assert names(waits(limit=50_000_000), target()) == [], "such a pause would be over"
    old = {"lag_ms": 191_000, "ops_shipped": None}
    assert names(waits(**old), target()) == [], "1.x shows such a lag with every row on the target"


def test_unobserved_parts_name_no_cause() -> None:
    blind = target(tables=Observed(None, None, "gone"), namespaces=Observed(None, None, "gone"))
    assert names(src(), blind) == []
    history = [dataclasses.replace(v, load=Observed(None, None, "gone")) for v in src()]
    assert names(history, target()) == []
    assert causes("ferry", [], target()) == () and causes("nobody", src(), target()) == ()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("zk1,zk2:2181:/hbase", "zk2,zk1:2181:/hbase", True),
        ("zk1:2181,zk2:2181:2181:/hbase", "zk1,zk2:2181:/hbase", True),
        ("ZK1:2181:/hbase/", "zk1:2181:/hbase", True),
        ("zk1:2181:/hbase", "zk1:2182:/hbase", False),
        ("zk1:2181:/hbase", "zk1:2181:/other", False),
        ("zk1:2181:/hbase", "zk1,zk2:2181:/hbase", False),
        ("", "zk1:2181:/hbase", False),
    ],
)
def test_cluster_keys_are_compared_by_servers_and_znode(first: str, second: str, same: bool) -> None:
    assert same_key(first, second) is same
