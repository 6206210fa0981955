"""The wire's contract: the simulator and every line of HBase answer alike. Where they differ, the simulator is wrong.

DIFFERENT is the whole list of what the lines themselves do differently; everything else must be the same.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from backends import REAL_ROWS, Backend

from hbase_ferry.cluster.wire import METHODS, WRONG_CLUSTER
from hbase_ferry.errors import AgentError
from hbase_ferry.model.view import JobPhase

TITLE = "the wire, compared"
HB = "org.apache.hadoop.hbase."
BAD = "hbase_ferry.BadRequest"
MINE = {name: method for name, method in METHODS.items() if "hbase" in method.kinds}
REGION_REPLICA = HB + "replication.regionserver.RegionReplicaReplicationEndpoint"
"""An endpoint class of its own that HBase brings, up to 2.x."""

USUAL = {
    "duplicate peer": HB + "DoNotRetryIOException",
    "bad peer id": HB + "DoNotRetryIOException",
    "own cluster key": HB + "DoNotRetryIOException",
    "unknown peer": HB + "ReplicationPeerNotFoundException",
    "unknown endpoint": HB + "DoNotRetryIOException",
    "last family": HB + "DoNotRetryIOException",
    "unknown snapshot": HB + "snapshot.RestoreSnapshotException",
}
DIFFERENT: dict[str, dict[tuple[int, int], str | None]] = {
    # 1.x changes peers in ZooKeeper, from the client, and looks at nothing but the id
    "duplicate peer": {(1, 4): "java.lang.IllegalArgumentException"},
    "bad peer id": {(1, 4): "java.lang.IllegalArgumentException"},
    "unknown endpoint": {(1, 4): None},
    "own cluster key": {(1, 4): None, (2, 2): None},  # looked at from 2.4.0 on (HBASE-24743)
    # 2.5 gave it a class of its own (HBASE-26905)
    "unknown peer": {(1, 4): "java.lang.IllegalArgumentException", (2, 2): HB + "DoNotRetryIOException",
                     (2, 4): HB + "DoNotRetryIOException"},
}  # fmt: skip


SCAN: dict[str, Any] = {
    "table": "t", "families": [], "start": "", "stop": "", "max_rows": 10, "max_bytes": 1_000_000, "versions": 0,
    "values": "full",
}  # fmt: skip
EPOCH_LAG = {(1, 4), (2, 2)}
"""Lines that give a peer which never shipped a lag counted from 1970, or Long.MAX_VALUE (2.2), instead of 0."""
NO_RUNNING = {(1, 4), (2, 2)}
"""Lines whose load does not say whether a source runs (before HBASE-21505, 2.3.0)."""


def kind(backend: Backend, check: str) -> str | None:
    """The error class this line answers; None: it does not refuse."""
    return DIFFERENT.get(check, {}).get(backend.line, USUAL[check])


_NUMBERS = itertools.count(1)


@pytest.fixture
def peer(backend: Backend) -> Iterator[str]:
    """A disabled peer whose queue every region server reports."""
    name = f"contract{next(_NUMBERS)}"  # 1.x may take long to forget the queue of a peer just removed
    assert backend.add_peer(name).changed
    backend.until(lambda: backend.queues(name))
    yield name
    backend.call("peer.remove", id=name)


@pytest.fixture
def snapshot(backend: Backend) -> Iterator[str]:
    backend.call("snapshot.create", name="contract-s", table=backend.table)
    yield "contract-s"
    backend.call("snapshot.delete", name="contract-s")


# ---- what is


def test_ping_answers(backend: Backend) -> None:
    assert backend.call("ping")["up_ms"] >= 0


def test_identity_says_which_cluster_this_is(backend: Backend) -> None:
    identity = backend.call("cluster.identity", settings=["hbase.regionserver.msginterval", "hbase.no.such.key"])
    assert re.fullmatch(r"[0-9a-f-]{36}", identity.cluster_id)
    assert identity.cluster_key.count(":") == 2 and identity.cluster_key != backend.peer_key
    assert "://" in identity.rootdir or identity.rootdir.startswith("file:")
    assert identity.wal_dir == identity.rootdir
    assert identity.servers and all(server.count(",") == 2 for server in identity.servers)
    assert identity.master.count(",") == 2
    assert (identity.dead_servers, identity.regions_in_transition) == ((), 0)
    assert (identity.replication_enabled, identity.split_enabled, identity.merge_enabled) == (True, True, True)
    assert identity.balancer_on is True
    assert abs(identity.time_ms / 1000 - backend.clock.now()) < 60
    assert set(identity.settings) == {"hbase.regionserver.msginterval"}
    assert identity.user and identity.hadoop_version


def test_settings_that_only_a_default_gives_are_not_reported(backend: Backend) -> None:
    assert backend.call("cluster.identity", settings=["hbase.client.pause"]).settings == {}


def test_namespaces_are_all_listed_and_cut_at_max(backend: Backend) -> None:
    found = backend.call("namespaces.list", max=100)
    assert list(found.items) == sorted(found.items) and len(found.items) == found.total
    assert {"default", "hbase", backend.table.split(":")[0]} <= set(found.items)
    cut = backend.call("namespaces.list", max=1)
    assert (cut.items, cut.total) == (found.items[:1], found.total)


def test_user_tables_are_listed_sorted_and_cut_at_max(backend: Backend) -> None:
    found = backend.call("tables.list", max=1000, names=None)
    names = [table.name for table in found.items]
    assert backend.table in names and names == sorted(names) and found.total == len(names)
    assert not any(name.startswith("hbase:") for name in names)
    assert backend.call("tables.list", max=0, names=None).total == found.total


def test_a_long_listing_says_of_each_table_what_naming_it_says(backend: Backend) -> None:
    """The agent counts the regions of many tables in one call and those of few one by one."""
    many = backend.call("tables.list", max=1000, names=None).items
    assert len(many) > 9
    for table in many:
        assert backend.call("tables.list", max=1, names=[table.name]).items == (table,)
    assert backend.simulated or [table.name for table in many if not table.enabled] == ["ferrycontract:beside9"]


def test_a_table_shows_its_descriptor(backend: Backend) -> None:
    table = backend.the_table()
    assert (table.enabled, table.regions, table.durability, table.coprocessors) == (True, 4, "USE_DEFAULT", ())
    assert [family.name for family in table.families] == ["d", "m"]
    family = table.family("m")
    assert family is not None
    shown = (family.scope, family.compression, family.versions, family.ttl_seconds, family.keep_deleted_cells)
    assert shown == (0, "NONE", 1, 2_147_483_647, "FALSE")
    assert (family.mob, table.major_compaction, family.min_versions) == (False, None, 0)


def test_tables_that_do_not_exist_are_left_out(backend: Backend) -> None:
    assert backend.call("tables.list", max=10, names=["no:such", backend.table]).total == 1
    assert backend.call("tables.list", max=10, names=[]).total == 0
    assert backend.call("tables.writes", names=["no:such"]).items == ()
    assert backend.call("snapshots.stats", names=["no-such"]).items == ()


def test_write_counters_cover_every_region_and_count_a_write(backend: Backend) -> None:
    (before,) = backend.call("tables.writes", names=[backend.table]).items
    assert (before.table, len(before.regions)) == (backend.table, 4)
    assert all(re.fullmatch(r"[0-9a-f]{32}", region.region) for region in before.regions)
    assert {region.server for region in before.regions} <= set(backend.call("cluster.identity", settings=None).servers)
    rows = [r.row_hex for r in backend.call("canary.write", table=backend.table, family="d", id="counted").items]

    def total() -> int:
        return int(backend.call("tables.writes", names=[backend.table]).items[0].total)

    assert backend.until(lambda: total() >= before.total + len(rows))
    backend.call("canary.delete", table=backend.table, rows=rows)


def test_write_counters_name_each_regions_first_key(backend: Backend) -> None:
    (counters,) = backend.call("tables.writes", names=[backend.table]).items
    first, *others = sorted(region.start_hex for region in counters.regions)
    assert first == "" and len(set(others)) == 3
    for start in others:  # the splits are keys of rows
        assert backend.scan(start=start, max_rows=1).rows[0][0] == start


def test_disk_shows_capacity_and_paths(backend: Backend) -> None:
    rootdir = backend.call("cluster.identity", settings=None).rootdir
    disk = backend.call("hdfs.usage", paths=["/no/such/path", rootdir])
    assert disk.capacity >= disk.remaining > 0 and disk.capacity >= disk.used >= 0
    absent, root = disk.others
    assert (absent.path, absent.exists, absent.bytes, absent.space, absent.files) == ("/no/such/path", False, 0, 0, 0)
    assert (root.path, root.exists) == (rootdir, True) and root.files > 0
    assert disk.wals.path.endswith("/WALs") and disk.old_wals.path.endswith("/oldWALs")
    assert disk.wals.exists and disk.archive.path.endswith("/archive")


def test_ports_are_tried_side_by_side(backend: Backend) -> None:
    host, port = backend.open_port
    targets: list[Any] = [{"host": host, "port": port, "what": "zk"}, {"host": "no.invalid", "port": 1, "what": "x"}]
    good, bad = backend.call("ports.check", targets=targets, timeout_ms=2000).items
    assert (good.host, good.port, good.what, good.open, good.error) == (host, port, "zk", True, "")
    assert (bad.open, bad.what) == (False, "x") and "UnknownHostException" in bad.error


# ---- namespaces, switches, tables


def test_a_namespace_is_made_and_deleted_once(backend: Backend) -> None:
    assert [backend.call("namespace.create", name="contractns").changed for _ in range(2)] == [True, False]
    assert "contractns" in backend.call("namespaces.list", max=100).items
    assert [backend.call("namespace.delete", name="contractns").changed for _ in range(2)] == [True, False]


def test_a_namespace_in_use_or_reserved_is_not_deleted(backend: Backend) -> None:
    for name in (backend.table.split(":")[0], "default"):
        assert backend.refusal("namespace.delete", name=name).kind == HB + "constraint.ConstraintException"


def test_split_and_merge_are_switched_and_shown(backend: Backend) -> None:
    for split, merge in ((False, True), (False, False), (True, True)):
        results = [backend.call("switch.split_merge", split=split, merge=merge).changed for _ in range(2)]
        identity = backend.call("cluster.identity", settings=None)
        assert (results, identity.split_enabled, identity.merge_enabled) == ([True, False], split, merge)


def test_the_scope_is_visible_once_the_call_returns(backend: Backend) -> None:
    for scope in (1, 0):
        answers = [backend.call("table.scope", table=backend.table, scopes={"d": scope}) for _ in range(2)]
        assert [answer.changed for answer in answers] == [True, False]
        assert [family.scope for family in backend.the_table().families] == [scope, 0]
        assert backend.call("cluster.identity", settings=None).regions_in_transition == 0


def test_the_scope_of_what_does_not_exist_is_refused(backend: Backend) -> None:
    error = backend.refusal("table.scope", table=backend.table, scopes={"nope": 1})
    assert error.kind == HB + "regionserver.NoSuchColumnFamilyException"
    assert backend.refusal("table.scope", table="no:such", scopes={"d": 1}).kind == HB + "TableNotFoundException"


def test_major_compaction_is_held_off_on_the_table_and_put_back(backend: Backend) -> None:
    for value in ("0", "1000", None):
        answers = [backend.call("table.major_compaction", table=backend.table, value=value) for _ in range(2)]
        assert [answer.changed for answer in answers] == [True, False]
        assert backend.the_table().major_compaction == value


def test_a_table_is_disabled_and_enabled_once(backend: Backend) -> None:
    assert [backend.call("table.disable", table=backend.table).changed for _ in range(2)] == [True, False]
    assert (backend.the_table().enabled, backend.the_table().regions) == (False, 4)
    assert [backend.call("table.enable", table=backend.table).changed for _ in range(2)] == [True, False]
    assert backend.the_table().enabled


def test_an_enabled_table_is_not_dropped_and_an_absent_one_is_no_error(backend: Backend) -> None:
    assert backend.refusal("table.drop", table=backend.table).kind == HB + "TableNotDisabledException"
    assert not backend.call("table.drop", table="no:such").changed
    for method in ("table.enable", "table.disable"):
        assert backend.refusal(method, table="no:such").kind == HB + "TableNotFoundException"


# ---- peers


def test_a_peer_is_born_disabled_with_its_whole_configuration(backend: Backend) -> None:
    backend.add_peer("contract", bandwidth=1_000_000)
    try:
        peer = backend.peer("contract")
        assert (peer.enabled, peer.cluster_key, peer.endpoint, peer.replicate_all) == (
            False, backend.peer_key, "", False,
        )  # fmt: skip
        assert (peer.table_cfs, peer.namespaces, peer.serial) == ({backend.table: ("d",)}, (), False)
        assert (peer.bandwidth, peer.config) == (1_000_000, {})
    finally:
        backend.call("peer.remove", id="contract")


def test_an_endpoint_of_its_own_needs_no_cluster_key_and_keeps_its_config(backend: Backend) -> None:
    if backend.line >= (3, 0):
        pytest.skip("no such class from 3.0 on")
    config = {"a.b": "c", "x.json.value": "hidden"}
    backend.add_peer("contract_replica", cluster_key="", endpoint=REGION_REPLICA, config=config)
    try:
        peer = backend.peer("contract_replica")
        own = backend.call("cluster.identity", settings=None).cluster_key
        assert (peer.endpoint, peer.cluster_key, peer.enabled) == (REGION_REPLICA, own, False)
        assert peer.config == {"a.b": "c", "x.json.value": "(set)"}
        assert peer.table_cfs == {backend.table: ("d",)}
    finally:
        backend.call("peer.remove", id="contract_replica")


def test_an_endpoint_class_the_master_cannot_load_is_refused(backend: Backend) -> None:
    expected = kind(backend, "unknown endpoint")
    if expected is None:
        pytest.skip("not looked at by this line")
    with pytest.raises(AgentError, match=r"Can not instantiate .*class=no\.such\.Endpoint") as caught:
        backend.add_peer("contract_nowhere", cluster_key="", endpoint="no.such.Endpoint")
    assert (caught.value.kind, backend.peer("contract_nowhere")) == (expected, None)


def test_a_peer_without_cluster_key_and_endpoint_is_refused(backend: Backend) -> None:
    for changes in ({"cluster_key": ""}, {"endpoint": ""}, {"endpoint": REGION_REPLICA, "config": {"a": 1}}):
        with pytest.raises(AgentError) as caught:
            backend.add_peer("contract", **changes)
        assert caught.value.kind == BAD


def test_every_family_of_a_table_is_an_empty_list(backend: Backend) -> None:
    backend.add_peer("contract", table_cfs={backend.table: []})
    try:
        assert backend.peer("contract").table_cfs == {backend.table: ()}
    finally:
        backend.call("peer.remove", id="contract")


def test_1x_adds_a_peer_only_where_the_window_is_accepted(backend: Backend) -> None:
    if backend.line >= (2, 0):
        pytest.skip("born disabled from 2.0 on")
    with pytest.raises(AgentError, match="window_ok") as caught:
        backend.add_peer("contract", window_ok=False)
    assert (caught.value.kind, backend.peer("contract")) == ("hbase_ferry.BornEnabled", None)


def test_a_second_peer_of_that_id_is_refused(backend: Backend, peer: str) -> None:
    with pytest.raises(AgentError, match="already exists") as caught:
        backend.add_peer(peer)
    assert caught.value.kind == kind(backend, "duplicate peer")


def test_a_bad_peer_id_is_refused(backend: Backend) -> None:
    with pytest.raises(AgentError, match="invalid peer name") as caught:
        backend.add_peer("bad-id")
    assert caught.value.kind == kind(backend, "bad peer id")


def test_a_peer_to_itself_is_refused(backend: Backend) -> None:
    expected = kind(backend, "own cluster key")
    if expected is None:
        pytest.skip("not looked at by this line")
    own = backend.call("cluster.identity", settings=None).cluster_key
    with pytest.raises(AgentError, match="should not replicate to itself") as caught:
        backend.add_peer("contract", cluster_key=own)
    assert caught.value.kind == expected


def test_a_peer_without_tables_would_be_a_peer_of_all_and_is_refused(backend: Backend) -> None:
    with pytest.raises(AgentError) as caught:
        backend.add_peer("contract", table_cfs={})
    assert caught.value.kind == BAD


def test_a_disabled_peer_looks_healthy_in_every_metric(backend: Backend, peer: str) -> None:
    servers = backend.call("cluster.identity", settings=None).servers

    def everywhere() -> bool:
        found = backend.queues(peer)  # a source that is only starting says running False for a moment
        return {queue.server for queue in found} == set(servers) and all(q.running is not False for q in found)

    assert backend.until(everywhere)
    for queue in backend.queues(peer):
        assert (queue.size, queue.age_last_shipped_ms) == (1, 0)
        assert queue.lag_ms == 0 or (backend.line in EPOCH_LAG and queue.lag_ms > 10**12)
        assert queue.recovered in (False, None)
        assert queue.ops_shipped in (0, None)
        assert (queue.running is None) == (backend.line in NO_RUNNING)


def test_the_load_names_every_live_server(backend: Backend) -> None:
    loads = backend.call("replication.load", max=100)
    servers = backend.call("cluster.identity", settings=None).servers
    assert tuple(load.server for load in loads.items) == servers and loads.total == len(servers)
    assert all(abs(load.reported_ms / 1000 - backend.clock.now()) < 60 for load in loads.items)


def test_a_peer_is_enabled_and_disabled_once(backend: Backend, peer: str) -> None:
    assert [backend.call("peer.enable", id=peer).changed for _ in range(2)] == [True, False]
    assert backend.peer(peer).enabled
    assert [backend.call("peer.disable", id=peer).changed for _ in range(2)] == [True, False]
    assert not backend.peer(peer).enabled


def test_a_peer_is_removed_once_and_its_queues_go_with_it(backend: Backend) -> None:
    backend.add_peer("contract")
    assert backend.until(lambda: backend.queues("contract"))
    assert [backend.call("peer.remove", id="contract").changed for _ in range(2)] == [True, False]
    assert backend.peer("contract") is None
    assert backend.until(lambda: not backend.queues("contract"))


def test_an_unknown_peer_is_neither_enabled_nor_disabled(backend: Backend) -> None:
    for method in ("peer.enable", "peer.disable"):
        error = backend.refusal(method, id="nobody")
        assert error.kind == kind(backend, "unknown peer") and "nobody" in error.text


def test_every_region_server_begins_a_new_wal(backend: Backend, peer: str) -> None:
    """Of 1.x a reader without anything to ship lets go of closed WALs even while the peer is disabled."""

    def wals() -> int:
        disk = backend.call("hdfs.usage", paths=[])
        return int(disk.wals.files + disk.old_wals.files)

    before = wals()
    assert backend.call("wal.roll").changed
    if backend.line < (2, 0):
        assert backend.until(lambda: wals() > before)
    else:
        assert backend.until(lambda: {queue.size for queue in backend.queues(peer)} == {2})


# ---- the servers' own pages


def facts(backend: Backend, **changes: Any) -> Any:
    asked = {"settings": [], "metrics": [], "jars": [], "max": 100}
    return backend.call("servers.read", **{**asked, **changes})


def test_every_server_says_what_it_runs_with(backend: Backend) -> None:
    keys = ["hbase.regionserver.msginterval", "?hbase.rootdir", "hbase.no.such.key", "?hbase.no.such.key"]
    found = facts(backend, settings=keys, jars=["hbase-client", "no-such"])
    identity = backend.call("cluster.identity", settings=keys[:1])
    assert [item.server for item in found.items] == [identity.master, *identity.servers] and found.total == len(
        found.items
    )
    assert [item.role for item in found.items] == ["master", *["region server"] * len(identity.servers)]
    readable = [item for item in found.items if not item.error]
    assert len(readable) >= 2
    for item in readable:
        assert item.settings == {**identity.settings, "?hbase.rootdir": "(set)"} and item.metrics == {}
        assert [re.sub(r"-[0-9].*", "", jar) for jar in item.jars] == ["hbase-client"]
        assert abs(item.at_ms / 1000 - backend.clock.now()) < 60


def test_a_server_without_pages_is_named_with_the_reason(backend: Backend) -> None:
    found = facts(backend, settings=["hbase.rootdir"], metrics=["x"], jars=["x"])
    without = [item for item in found.items if item.error]
    assert len(without) == (backend.name in ("simulator", "lab 2.6"))
    if not without:
        pytest.skip("every server of this cluster has pages")
    assert without[0].error == (
        f"the information pages of region server {without[0].server} could not be read: "
        "it serves none: hbase.regionserver.info.port is off"
    )
    assert (without[0].settings, without[0].metrics, without[0].jars) == ({}, {}, ())


def test_a_peers_counters_stand_in_the_region_servers_bean(backend: Backend, peer: str) -> None:
    """Seconds later: the metrics system keeps a bean's values for 10 s."""
    wanted = ["sizeOfLogQueue", "shippedOps"]

    def fresh(server: str) -> dict[str, int]:
        queue = f"{peer}-{server}" if backend.line >= (3, 0) else peer  # HBASE-27213: every queue names its server
        return {f"source.{queue}.sizeOfLogQueue": 1, f"source.{queue}.shippedOps": 0}

    def shown() -> bool:
        items = [item for item in facts(backend, metrics=wanted).items if not item.error]
        (master,) = [item for item in items if item.role == "master"]
        assert master.metrics == {}
        assert all(name.rpartition(".")[2] in wanted for item in items for name in item.metrics)
        return all(fresh(item.server).items() <= item.metrics.items() for item in items if item is not master)

    assert backend.until(shown)


def test_servers_are_cut_at_max_and_asked_for_nothing_say_nothing(backend: Backend) -> None:
    found = facts(backend, max=1)
    assert len(found.items) == 1 and found.total == len(backend.call("cluster.identity", settings=None).servers) + 1
    assert (found.items[0].settings, found.items[0].metrics, found.items[0].jars) == ({}, {}, ())


# ---- pages of rows


def size(row: Any) -> int:
    return len(row[0]) // 2 + sum(len(cell[1]) // 2 + len(cell[3]) // 2 for cell in row[1])


def test_pages_follow_each_other_without_a_gap(backend: Backend) -> None:
    whole = backend.scan(max_rows=30)
    assert len(whole.rows) == 30 and [row[0] for row in whole.rows] == sorted(row[0] for row in whole.rows)
    rows, start = (), ""
    for _ in range(5):
        page = backend.scan(max_rows=7, start=start)
        assert len(page.rows) == 7 and page.bytes == sum(map(size, page.rows)) and page.skipped == ()
        rows, start = rows + page.rows, page.next
    assert rows[:30] == whole.rows
    last = backend.scan(start=whole.rows[-1][0], stop=whole.next)
    assert (last.rows, last.next) == (whole.rows[-1:], None)


def test_a_range_holds_its_start_and_not_its_stop(backend: Backend) -> None:
    keys = [row[0] for row in backend.scan().rows]
    page = backend.scan(start=keys[2], stop=keys[5])
    assert ([row[0] for row in page.rows], page.next) == (keys[2:5], None)
    assert backend.scan(start=keys[2], stop=keys[5], max_rows=3).next == keys[4] + "00"
    for stop in (keys[2], keys[1]):
        empty = backend.scan(start=keys[2], stop=stop)
        assert (empty.rows, empty.next, empty.bytes) == ((), None, 0)
    assert backend.scan(start="ff").rows == ()


def test_a_page_ends_with_the_row_that_fills_it(backend: Backend) -> None:
    rows = backend.scan().rows
    for count in (1, 2, 3):
        page = backend.scan(max_bytes=sum(map(size, rows[:count])))
        assert (page.rows, page.next) == (rows[:count], rows[count - 1][0] + "00")


def test_rows_too_large_for_a_page_are_named_and_left_out(backend: Backend) -> None:
    keys = tuple(row[0] for row in backend.scan(max_rows=3).rows)
    page = backend.scan(max_rows=3, max_bytes=1)
    assert (page.rows, page.skipped, page.bytes, page.next) == ((), keys, 0, keys[-1] + "00")


def test_digests_are_of_the_values(backend: Backend) -> None:
    full, digests = backend.scan(), backend.scan(values="digest")
    assert digests.bytes == full.bytes and digests.next == full.next
    md5 = [(k, tuple((*c[:3], hashlib.md5(bytes.fromhex(c[3])).hexdigest()) for c in row)) for k, row in full.rows]
    assert digests.rows == tuple(md5)


def test_only_the_families_asked_for_are_read(backend: Backend) -> None:
    everything = backend.scan(max_rows=30).rows
    for family in ("d", "m"):
        wanted = [(key, tuple(cell for cell in cells if cell[0] == family)) for key, cells in everything]
        page = backend.scan(max_rows=30, families=[family])
        assert page.rows == tuple((key, cells) for key, cells in wanted if cells)


def test_a_canary_is_a_row_like_others_until_it_is_deleted(backend: Backend) -> None:
    written = backend.call("canary.write", table=backend.table, family="d", id="scanned").items
    for canary in written:
        ((key, cells),) = backend.scan(start=canary.row_hex, max_rows=1).rows
        assert (key, [cell[0] for cell in cells]) == (canary.row_hex, ["d"])
        assert cells[0][2] % 1000 == 0 and abs(cells[0][2] / 1e6 - backend.clock.now()) < 120
    backend.call("canary.delete", table=backend.table, rows=[canary.row_hex for canary in written])
    for canary in written:
        assert backend.scan(start=canary.row_hex, max_rows=1).rows[0][0] != canary.row_hex


def test_versions_times_and_bytes_come_as_they_are(backend: Backend) -> None:
    if backend.simulated:
        pytest.skip("it keeps one version a column, and no strange bytes")
    page = backend.scan(table=REAL_ROWS, max_bytes=100_000)
    greatest = (2**63 - 2) * 1000
    assert page.rows == (
        ("00ff", (("f", "", 1000, ""),)),
        (b"times".hex(), (("f", "74", greatest, "78"), ("f", "74", 5000, "79"), ("f", "74", 0, "7a"),
                          ("g", "fe", 7000, "80"))),
        (b"versions".hex(), (("f", "76", 30_000, "63"), ("f", "76", 10_000, "61"))),
        ("7a", (("g", "71", 1000, b"end".hex()),)),
    )  # fmt: skip
    assert (page.skipped, page.next) == ((b"wide".hex(),), None)
    newest = backend.scan(table=REAL_ROWS, max_bytes=100_000, versions=1, start=b"times".hex())
    assert [len(cells) for _, cells in newest.rows] == [2, 1, 1] and newest.rows[0][1][0][2] == greatest
    wide = backend.scan(table=REAL_ROWS, start=b"wide".hex(), max_rows=1)
    assert len(wide.rows[0][1]) == 60 and wide.bytes == size(wide.rows[0]) == 4 + 60 * 10_002


def test_rows_of_what_is_not_there_are_refused_by_hbase(backend: Backend) -> None:
    assert (error := backend.refusal("rows.scan", **{**SCAN, "table": "no:such"})).kind == HB + "TableNotFoundException"
    assert "no:such" in error.text
    error = backend.refusal("rows.scan", **{**SCAN, "table": backend.table, "families": ["nope"]})
    assert error.kind == HB + "regionserver.NoSuchColumnFamilyException" and "nope" in error.text
    backend.call("table.disable", table=backend.table)
    try:
        error = backend.refusal("rows.scan", **{**SCAN, "table": backend.table})
        assert error.kind == HB + "TableNotEnabledException" and backend.table in error.text
    finally:
        backend.call("table.enable", table=backend.table)


# ---- snapshots


def test_a_snapshot_is_listed_with_its_numbers(backend: Backend, snapshot: str) -> None:
    found = backend.call("snapshots.list", max=100)
    (mine,) = [item for item in found.items if item.name == snapshot]
    assert (mine.table, mine.type, mine.ttl_seconds, mine.owner) == (backend.table, "FLUSH", 0, "")
    assert abs(mine.created_ms / 1000 - backend.clock.now()) < 120
    (stats,) = backend.call("snapshots.stats", names=[snapshot, "no-such"]).items
    assert stats.name == snapshot and stats.files >= 4 and stats.bytes > 0
    assert (stats.corrupt, stats.missing_files) == (False, 0)
    assert 0 <= stats.shared_bytes <= stats.bytes and 0 <= stats.archived_bytes <= stats.bytes


def test_a_second_snapshot_of_that_name_is_refused(backend: Backend, snapshot: str) -> None:
    error = backend.refusal("snapshot.create", name=snapshot, table=backend.table)
    assert error.kind == HB + "snapshot.SnapshotExistsException" and snapshot in error.text


def test_a_snapshot_of_no_table_is_refused(backend: Backend) -> None:
    error = backend.refusal("snapshot.create", name="contract-x", table="no:such")
    assert error.kind == HB + "snapshot.SnapshotCreationException" and "no:such" in error.text


def test_a_snapshot_is_deleted_once(backend: Backend) -> None:
    backend.call("snapshot.create", name="contract-d", table=backend.table)
    assert [backend.call("snapshot.delete", name="contract-d").changed for _ in range(2)] == [True, False]
    assert all(item.name != "contract-d" for item in backend.call("snapshots.list", max=100).items)


def test_an_enabled_table_is_not_restored_over(backend: Backend, snapshot: str) -> None:
    assert backend.refusal("snapshot.restore", name=snapshot).kind == HB + "TableNotDisabledException"


def test_a_snapshot_that_does_not_exist_is_not_restored(backend: Backend) -> None:
    error = backend.refusal("snapshot.restore", name="no-such")
    assert error.kind == kind(backend, "unknown snapshot") and "no-such" in error.text


def test_a_disabled_table_is_restored_in_place_and_an_absent_one_comes_back_enabled(
    backend: Backend, snapshot: str
) -> None:
    backend.call("table.disable", table=backend.table)
    assert backend.call("snapshot.restore", name=snapshot).changed
    assert not backend.the_table().enabled
    assert backend.call("table.drop", table=backend.table).changed
    assert backend.call("tables.list", max=10, names=[backend.table]).items == ()
    assert backend.call("snapshot.restore", name=snapshot).changed
    table = backend.the_table()
    assert (table.enabled, table.regions, len(table.families)) == (True, 4, 2)


def test_families_are_dropped_once_and_never_the_last(backend: Backend, snapshot: str) -> None:
    try:
        answers = [backend.call("table.delete_families", table=backend.table, families=["m", "x"]) for _ in range(2)]
        assert [answer.changed for answer in answers] == [True, False]
        assert [family.name for family in backend.the_table().families] == ["d"]
        error = backend.refusal("table.delete_families", table=backend.table, families=["d"])
        assert error.kind == kind(backend, "last family")
    finally:
        backend.call("table.disable", table=backend.table)
        backend.call("snapshot.restore", name=snapshot)
        backend.call("table.enable", table=backend.table)
    assert [family.name for family in backend.the_table().families] == ["d", "m"]


# ---- canary rows


def test_canary_rows_go_through_every_server_and_away_again(backend: Backend) -> None:
    def servers() -> set[str]:  # 1.x knows them from the last heartbeat
        (counters,) = backend.call("tables.writes", names=[backend.table]).items
        return {region.server for region in counters.regions}

    written = backend.call("canary.write", table=backend.table, family="d", id="c-1")
    assert backend.until(lambda: servers() == {row.server for row in written.items})
    assert written.total == len(written.items) and all(row.present for row in written.items)
    rows = [row.row_hex for row in written.items]
    assert all(row.endswith(b"\x00hbase-ferry-canary-c-1".hex()) for row in rows)
    seen = backend.call("canary.read", table=backend.table, rows=rows)
    assert [(row.row_hex, row.region, row.present) for row in seen.items] == [
        (row.row_hex, row.region, True) for row in written.items
    ]
    assert [backend.call("canary.delete", table=backend.table, rows=rows).changed for _ in range(2)] == [True, False]
    assert not any(row.present for row in backend.call("canary.read", table=backend.table, rows=rows).items)


def test_only_canary_rows_are_deleted(backend: Backend) -> None:
    assert backend.refusal("canary.delete", table=backend.table, rows=[b"r0001".hex()]).kind == BAD


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("canary.write", {"family": "d", "id": "x"}),
        ("canary.read", {"rows": ["00"]}),
        ("canary.delete", {"rows": [b"\x00hbase-ferry-canary-x".hex()]}),
    ],
)
def test_a_canary_of_no_table_is_refused(backend: Backend, method: str, params: dict[str, Any]) -> None:
    assert backend.refusal(method, table="no:such", **params).kind == HB + "TableNotFoundException"


def test_a_canary_in_no_family_is_refused(backend: Backend) -> None:
    error = backend.refusal("canary.write", table=backend.table, family="nope", id="x")
    assert error.kind == HB + "regionserver.NoSuchColumnFamilyException"


@pytest.mark.parametrize("name", ["a b", "../x", "", "x" * 101, "é"])
def test_a_canary_id_that_is_no_plain_word_is_refused(backend: Backend, name: str) -> None:
    assert backend.refusal("canary.write", table=backend.table, family="d", id=name).kind == BAD


# ---- jobs


def job_ended(backend: Backend, name: str) -> Any:
    return backend.until(lambda: (job := backend.call("job.state", id=name)).phase is JobPhase.DONE and job)


@pytest.mark.parametrize(("argv", "code"), [(["true"], 0), (["false"], 1)])
def test_a_job_runs_once_and_leaves_its_exit_code(backend: Backend, argv: list[str], code: int) -> None:
    name = f"contract-{argv[0]}"
    assert backend.call("job.start", id=name, argv=argv, env={}).phase is not JobPhase.NONE
    job = job_ended(backend, name)
    assert (job.exit_code, job.succeeded, job.counters, job.application_id) == (code, code == 0, {}, "")
    assert job.started_ms <= job.ended_ms and abs(job.ended_ms / 1000 - backend.clock.now()) < 60
    again = backend.call("job.start", id=name, argv=["sleep", "600"], env={})
    assert again == job
    assert backend.call("job.read", id=name, offset=0, max=100).text == ""


def test_a_running_job_is_stopped_with_its_exit_code(backend: Backend) -> None:
    backend.call("job.start", id="contract-sleep", argv=["sleep", "600"], env={"X": "1"})
    running = backend.until(lambda: backend.call("job.state", id="contract-sleep").phase is JobPhase.RUNNING)
    assert running
    assert backend.call("job.list", prefix="contract-sl").items == (backend.call("job.state", id="contract-sleep"),)
    stopped = backend.call("job.stop", id="contract-sleep")
    assert (stopped.phase, stopped.exit_code) == (JobPhase.DONE, 143)
    assert backend.call("job.stop", id="contract-sleep") == stopped


def test_a_command_nobody_has_is_a_job_that_ended_with_127(backend: Backend) -> None:
    backend.call("job.start", id="contract-127", argv=["/no/such/hbase", "x"], env={})
    job = job_ended(backend, "contract-127")
    assert job.exit_code == 127 and job.output_bytes > 0 and job.tail
    read = backend.call("job.read", id="contract-127", offset=0, max=1_000)
    assert (read.offset, read.next_offset) == (0, job.output_bytes) and "not found" in read.text
    rest = backend.call("job.read", id="contract-127", offset=read.next_offset, max=10)
    assert (rest.offset, rest.next_offset, rest.text) == (read.next_offset, read.next_offset, "")


def test_a_job_nobody_started_is_none(backend: Backend) -> None:
    assert backend.call("job.state", id="contract-nobody").phase is JobPhase.NONE
    assert backend.call("job.stop", id="contract-nobody").phase is JobPhase.NONE
    assert backend.call("job.list", prefix="contract-nobody").items == ()
    assert backend.refusal("job.read", id="contract-nobody", offset=0, max=1).kind == "hbase_ferry.NoJob"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 201, "a b", "$(id)"])
def test_a_job_id_that_is_no_plain_word_is_refused(backend: Backend, name: str) -> None:
    assert backend.refusal("job.start", id=name, argv=["true"], env={}).kind == BAD
    assert backend.refusal("job.state", id=name).kind == BAD


def test_a_job_without_a_command_or_with_a_strange_environment_is_refused(backend: Backend) -> None:
    assert backend.refusal("job.start", id="contract-e", argv=[], env={}).kind == BAD
    assert backend.refusal("job.start", id="contract-e", argv=["true"], env={"A=B": "x"}).kind == BAD
    assert backend.call("job.state", id="contract-e").phase is JobPhase.NONE


# ---- the guards of the wire itself


@pytest.mark.parametrize("method", [name for name, method in MINE.items() if method.changes])
def test_a_change_is_refused_on_the_wrong_cluster(backend: Backend, method: str) -> None:
    samples: dict[str, Any] = {
        "id": "x", "name": "x", "table": backend.table, "family": "d", "scopes": {"d": 1}, "value": "0", "rows": [],
        "split": True, "merge": True, "argv": ["true"], "env": {}, "cluster_key": backend.peer_key,
        "families": ["m"], "table_cfs": {backend.table: []}, "bandwidth": 0, "serial": False, "window_ok": True,
        "endpoint": None, "config": None,
    }  # fmt: skip
    params = {name: samples[name] for name in METHODS[method].params}
    wire = backend.cluster._open()
    for expected in ({"expect_cluster_id": "another"}, {}):
        with pytest.raises(AgentError) as caught:
            wire.call(method, {**params, **expected}, 20)
        assert caught.value.kind == WRONG_CLUSTER


def test_a_method_nobody_knows_is_refused(backend: Backend) -> None:
    with pytest.raises(AgentError) as caught:
        backend.cluster._open().call("table.truncate", {}, 20)
    assert caught.value.kind == "hbase_ferry.UnknownMethod"


def test_a_method_of_another_kind_of_side_is_unknown(backend: Backend) -> None:
    for method in sorted(set(METHODS) - set(MINE)):
        with pytest.raises(AgentError) as caught:
            backend.cluster._open().call(method, {"expect_cluster_id": backend.cluster.pinned_id}, 20)
        assert caught.value.kind == "hbase_ferry.UnknownMethod"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("peer.enable", {"id": 7}),
        ("tables.writes", {"names": "t"}),
        ("snapshot.create", {"name": "x"}),
        ("table.scope", {"table": "t", "scopes": {"d": 2}}),
        ("table.scope", {"table": "t", "scopes": ["d"]}),
        ("canary.read", {"table": "t", "rows": ["zz"]}),
        ("job.read", {"id": "x", "offset": -1, "max": 1}),
        ("servers.read", {"settings": "x", "metrics": [], "jars": [], "max": 1}),
        ("servers.read", {"settings": [], "metrics": [], "max": 1}),
        ("rows.scan", {**SCAN, "start": "zz"}),
        ("rows.scan", {**SCAN, "stop": "abc"}),
        ("rows.scan", {**SCAN, "max_rows": 0}),
        ("rows.scan", {**SCAN, "max_bytes": 0}),
        ("rows.scan", {**SCAN, "max_bytes": 10**9}),
        ("rows.scan", {**SCAN, "versions": -1}),
        ("rows.scan", {**SCAN, "values": "md5"}),
        ("rows.scan", {**SCAN, "families": None}),
    ],
)
def test_parameters_that_do_not_fit_are_refused(backend: Backend, method: str, params: dict[str, Any]) -> None:
    sent = {**params, "expect_cluster_id": backend.cluster.pinned_id}
    with pytest.raises(AgentError) as caught:
        backend.cluster._open().call(method, sent, 20)
    assert caught.value.kind == BAD


def test_zz_every_method_of_the_wire_was_answered(backend: Backend, request: pytest.FixtureRequest) -> None:
    """Runs last; says nothing about a selection of tests."""
    mine = {item.originalname for item in request.session.items if item.fspath == request.node.fspath}  # type: ignore[attr-defined]
    if mine != {name for name in globals() if name.startswith("test_")}:
        pytest.skip("only a selection of the suite ran")
    assert set(MINE) - backend.seen == set()
