from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insight_views import RS1, T0, disk, family, identity, load, peer, queue, table

from hbase_ferry.insight.preflight import SETTINGS_KEYS, Finding, TableWish, preflight
from hbase_ferry.model.cluster import PARTS, ClusterView, Observed, Side, Snapshot, Usage
from hbase_ferry.model.view import PortCheck, View

GB = 1 << 30
WISHES = (TableWish("orders"),)
NEVER_OK = {"ports-from-region-servers"}
PORTS = (PortCheck("t1", 2181, "zookeeper", True), PortCheck("t1", 16030, "region server web", True))


def seen(value: Any) -> Observed[Any]:
    return Observed(value, T0)


def side(which: Side, **changes: Any) -> ClusterView:
    """One side on which nothing is wrong; `changes` are identity's fields or the view's parts."""
    far = which is Side.TARGET
    known = {
        "servers": (RS1,), "version": "2.6.1", "cluster_id": f"id-{which}",
        "cluster_key": "zk9:2181:/hbase" if far else "zk1:2181:/hbase",
        "settings": {"mapreduce.framework.name": "yarn", "hbase.replication.bulkload.enabled": "true",
                     "hbase.replication.cluster.id": "a", "hbase.replication.conf.dir": "/c"},
    }  # fmt: skip
    named = {"rit", "dead", "replication", "time_ms"} | set(known)
    who = identity(**(known | {k: v for k, v in changes.items() if k in named}))
    if far:
        who = dataclasses.replace(who, rootdir="hdfs://far:8020/hbase")
    parts: dict[str, Any] = {
        "identity": seen(who),
        "namespaces": seen(("default",)),
        "tables": seen(() if far else (table(), table("other"))),
        "peers": seen(()),
        "load": seen(load(T0)),
        "snapshots": seen(()),
        "disk": seen(disk(10 * GB)),
    }
    return ClusterView(
        which, "emr6" if far else "prod", **(parts | {k: v for k, v in changes.items() if k in PARTS})
    )


def view(*, ports: Observed[Any] | None = None, target: ClusterView | None = None, **on_source: Any) -> View:
    here, there = side(Side.SOURCE, **on_source), target or side(Side.TARGET)
    return View(T0, here, there, ports=seen(PORTS) if ports is None else ports)


def target(**changes: Any) -> View:
    return view(target=side(Side.TARGET, **changes))


def checked(looked: View, wishes: tuple[TableWish, ...] = WISHES, **more: Any) -> dict[str, Finding]:
    found = preflight(looked, wishes, more.pop("peer_id", "ferry"), **more)
    assert len({finding.check for finding in found}) == len(found), "check names are unique"
    return {finding.check: finding for finding in found}


def test_two_good_clusters_pass_every_check_that_can_be_answered_from_an_edge_node() -> None:
    found = checked(view())
    assert len(found) >= 24
    assert {name for name, finding in found.items() if finding.severity != "ok"} == NEVER_OK


def test_with_nothing_observed_no_check_but_the_peer_id_is_ok() -> None:
    blank = View(T0, ClusterView(Side.SOURCE, "prod"), ClusterView(Side.TARGET, "emr6"))
    assert {n for n, f in checked(blank).items() if f.severity == "ok"} == {"peer-id"}
    assert {n for n, f in checked(blank).items() if f.severity == "block"} == set()


@given(st.lists(st.sampled_from(PARTS), max_size=4), st.lists(st.sampled_from(PARTS), max_size=4))
def test_losing_parts_never_turns_a_check_better_and_never_breaks_one(
    here: list[str], there: list[str]
) -> None:
    good = view()
    gone: Observed[Any] = Observed(None, None, "denied")
    lost = View(
        T0,
        dataclasses.replace(good.source, **dict.fromkeys(here, gone)),
        dataclasses.replace(good.target, **dict.fromkeys(there, gone)),
        ports=good.ports,
    )
    before, after = checked(good), checked(lost)
    assert before.keys() == after.keys()
    assert all(f.text and "\n" not in f.text for f in after.values())
    assert all(before[name].severity == "ok" for name in after if after[name].severity == "ok")


Case = tuple[str, str, View, str]
CASES: list[Case] = [
    ("identities", "block", target(cluster_id="id-source"), "the same cluster, id id-source"),
    ("versions", "block", view(version="1.2.6"), "older than 1.4"),
    ("versions", "unknown", target(version="custom"), "not understood"),
    ("version-cautions", "warn", view(version="1.4.14"), "HBASE-20417"),
    ("replication-on", "block", view(version="1.4.14", replication=False), "hbase.replication is false on prod"),
    ("replication-on", "block", target(version="1.4.14", replication=False), "on emr6"),
    ("servers", "warn", target(dead=("rs9,16020,1",)), "1 dead region server: rs9,16020,1"),
    ("servers", "block", target(servers=()), "emr6 has no live region server"),
    ("regions-in-transition", "block", view(rit=3), "3 regions in transition on prod"),
    ("regions-in-transition", "warn", target(rit=1), "1 region in transition on emr6"),
    ("clock-skew", "warn", target(time_ms=int(T0 * 1000) + 45_000), "45 000 ms apart, more than 30 000 ms"),
    ("snapshots-on", "block", view(settings={"hbase.snapshot.enabled": "false"}), "hbase.snapshot.enabled is false"),
    ("snapshots-on", "warn", view(settings={"hbase.master.snapshot.ttl": "86400"}), "expire after 1 d"),
    ("wal-compression", "warn", view(settings={"hbase.regionserver.wal.enablecompression": "true"}), "HBASE-26849"),
    ("bulk-loads", "warn", view(settings={}), "bulk loads are not replicated"),
    ("bulk-loads", "warn", view(settings={"hbase.replication.bulkload.enabled": "true"}), "cluster.id is not set"),
    ("bulk-loads", "warn", target(settings={}), "conf.dir is not set on emr6"),
    ("mapreduce", "warn", view(settings={}), "run in one JVM on the edge node"),
    ("permissions", "unknown", view(settings={"hbase.security.authorization": "true"}), "whether hbase has ADMIN"),
    ("permissions", "warn", view(settings={"hbase.security.authentication": "kerberos"}), "ticket"),
    ("ports", "block", view(ports=seen((PortCheck("t1", 2181, "zookeeper", False),))), "t1:2181 (zookeeper)"),
    ("ports", "warn", view(ports=seen((PortCheck("t1", 16010, "master web", False),))), "t1:16010"),
    ("ports", "unknown", view(ports=Observed()), "not asked yet"),
    ("source-tables", "block", view(tables=seen(())), "prod has no table orders"),
    ("source-tables", "block", view(tables=seen((table(enabled=False),))), "orders is disabled"),
    ("target-tables", "block", target(tables=seen((table(),))), "emr6 already has orders (enabled)"),
    ("compression", "warn", view(tables=seen((table(families=[family(compression="SNAPPY")]),))), "uses SNAPPY"),
    ("encoding", "block", view(tables=seen((table(families=[family(data_block_encoding="PREFIX_TREE")]),))), "2.6.1"),
    ("coprocessors", "warn", view(tables=seen((table(coprocessors=("com.x.Y",)),))), "com.x.Y"),
    ("mob", "warn", view(tables=seen((table(families=[family(mob=True)]),))), "keeps MOBs in d"),
    ("durability", "block", view(tables=seen((table(durability="SKIP_WAL"),))), "skips the WAL"),
    ("peer-free", "block", view(peers=seen((peer(table_cfs={"b": ()}),))), "not ours: it ships b"),
    ("peer-free", "block", view(peers=seen((peer(cluster_key="zk7:2181:/hbase"),))), "it ships to zk7"),
    ("peer-free", "block", view(peers=seen((peer(endpoint="com.x.E"),))), "its endpoint is com.x.E"),
    ("peer-free", "warn", view(peers=seen((peer(),))), "our peer ferry, ENABLED"),
    ("leftover-queues", "block", view(load=seen(load(T0, queue()))), "queues of an earlier peer ferry"),
    ("leftover-queues", "warn", view(load=seen(load(T0, queue(peer_id="x")))), "queues without a peer"),
    ("other-peers", "warn", view(peers=seen((peer("dr"),))), "1 other peer of prod cover these tables too: dr"),
    ("peers-of-target", "warn", target(peers=seen((peer("b", cluster_key="zk1:2181:/hbase"),))), "through peer b"),
    ("source-space", "block", view(disk=seen(disk(90 * GB, capacity=100 * GB))), "(10 %) free"),
    ("target-space", "unknown", target(disk=seen(disk(95 * GB, capacity=100 * GB))), "known after their snapshots"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "severity", "looked", "text"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_each_trouble_is_found_with_its_severity_and_its_number(
    check: str, severity: str, looked: View, text: str
) -> None:
    finding = checked(looked)[check]
    assert (finding.severity, text in finding.text) == (severity, True), finding.text


def test_the_worst_of_several_answers_decides_and_comes_first() -> None:
    finding = checked(view(dead=("rs9,16020,1",), target=side(Side.TARGET, servers=())))["servers"]
    assert (finding.severity, finding.side) == ("block", None)
    assert finding.text == "emr6 has no live region server; prod has 1 dead region server: rs9,16020,1"


def test_one_root_directory_under_two_clusters_is_blocked() -> None:
    there = side(Side.TARGET)
    same = dataclasses.replace(there.identity.value, rootdir="hdfs://nn:8020/hbase/")
    assert (
        checked(view(target=dataclasses.replace(there, identity=seen(same))))["identities"].severity
        == "block"
    )


def test_an_old_targets_cleaner_blocks_only_when_its_guard_is_switched_off() -> None:
    old = target(version="1.4.14")
    assert checked(old)["cleaner-trap"].severity == "ok"
    assert "skip.tmp is used" in checked(old)["cleaner-trap"].text
    assert checked(old, skip_tmp=False)["cleaner-trap"].severity == "block"
    assert checked(target(version="2.4.18"), skip_tmp=False)["cleaner-trap"].severity == "ok"


def test_mobs_do_not_go_to_hbase_1_and_prefix_tree_does() -> None:
    odd = table(families=[family(mob=True, data_block_encoding="PREFIX_TREE")])
    found = checked(view(target=side(Side.TARGET, version="1.4.14"), tables=seen((odd,))))
    assert (found["mob"].severity, found["encoding"].severity) == ("block", "ok")


def test_families_that_stay_behind_are_not_checked() -> None:
    mixed = table(families=[family("d"), family("cold", compression="LZO", mob=True)])
    found = checked(view(tables=seen((mixed,))), (TableWish("orders", ("d",)),))
    assert (found["compression"].severity, found["mob"].severity, found["families"].severity) == (
        "ok",
        "ok",
        "ok",
    )
    missing = checked(view(tables=seen((mixed,))), (TableWish("orders", ("x",)),))["families"]
    assert (missing.severity, missing.text) == ("block", "orders has no family x; it has d, cold")


def test_a_missing_namespace_is_announced_and_not_a_fault() -> None:
    finding = checked(view(tables=seen((table("shop:o"),))), (TableWish("shop:o"),))["namespaces"]
    assert finding.severity == "ok" and "emr6 lacks shop: the next step creates it" in finding.text


def test_our_own_disabled_peer_is_found_again_and_fine() -> None:
    found = checked(view(peers=seen((peer(enabled=False),))))
    assert found["peer-free"].severity == "ok" and found["other-peers"].severity == "ok"


@pytest.mark.parametrize(
    ("peer_id", "severity"),
    [("ferry_1.a", "ok"), ("a-b", "block"), ("", "block"), ("a b", "block"), ("..", "block"), ("ä", "block")],
)
def test_peer_ids_that_hbase_or_a_screen_cannot_take_are_blocked(peer_id: str, severity: str) -> None:
    assert checked(view(), peer_id=peer_id)["peer-id"].severity == severity


def test_space_on_the_target_is_measured_against_the_tables_where_their_size_is_known() -> None:
    def sized(table_bytes: int) -> View:
        others = (Usage("hdfs://nn:8020/hbase/data/default/orders", table_bytes, table_bytes * 3, 9),)
        here = dataclasses.replace(disk(99 * GB), others=others)
        return view(disk=seen(here), target=side(Side.TARGET, disk=seen(disk(40 * GB, capacity=100 * GB))))

    assert checked(sized(10 * GB))["target-space"].severity == "ok"
    tight = checked(sized(30 * GB))["target-space"]
    assert tight.severity == "block" and "the tables take 90.0 GB with 3 replicas" in tight.text


def test_snapshots_of_earlier_runs_are_named() -> None:
    left = Snapshot("ferry-0ld-orders", "orders", 0, "FLUSH", 0, "")
    finding = checked(view(snapshots=seen((left,))), run_id="n3w")["leftover-snapshots"]
    assert finding.severity == "warn" and "1 snapshot of earlier runs" in finding.text
    again = checked(view(snapshots=seen((left,))), run_id="0ld")["leftover-snapshots"]
    assert "of this run are there already" in again.text


def test_every_setting_a_check_reads_is_asked_for() -> None:
    asked: set[str] = set()

    class Spy(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.add(key)
            return super().get(key, default)

    def spied(base: View, **settings: str) -> View:
        def one(cluster: ClusterView) -> ClusterView:
            known = dataclasses.replace(cluster.identity.value, settings=Spy(settings))
            return dataclasses.replace(cluster, identity=seen(known))

        return dataclasses.replace(base, source=one(base.source), target=one(base.target))

    sized = dataclasses.replace(disk(GB), others=(Usage("/data/default/orders", 1, 3, 1),))
    checked(spied(view(disk=seen(sized))))
    checked(
        spied(view(), **{"hbase.replication.bulkload.enabled": "true", "hbase.replication.cluster.id": "x"})
    )
    assert asked and asked <= set(SETTINGS_KEYS)
