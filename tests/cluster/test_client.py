"""The cluster above the wire: looks that never raise, pins, back-off, typed errors."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.errors import AgentError, BadAnswer, DeadlineExceeded, Refused, Unreachable
from hbase_ferry.model.cluster import PARTS, ClusterView, Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.watch import Watch

IDENTITY: dict[str, Json] = {
    "cluster_id": "id-1", "hbase_version": "2.6.1", "hadoop_version": "3.3.6", "rootdir": "hdfs://a/hbase",
    "wal_dir": "hdfs://a/hbase", "cluster_key": "zk:2181:/hbase", "master": "m,1,1", "servers": ["s,1,1"],
    "dead_servers": [], "regions_in_transition": 0, "balancer_on": True, "replication_enabled": True,
    "split_enabled": True, "merge_enabled": True, "user": "hbase", "time_ms": 1, "settings": {},
}  # fmt: skip
USAGE: Json = {"path": "/x", "bytes": 1, "space": 3, "files": 1, "exists": True}
EMPTY: Json = {"items": [], "total": 0}
ANSWERS: dict[str, Json] = {
    "cluster.identity": IDENTITY,
    "hdfs.usage": {"filesystem": "hdfs://a", "capacity": 9, "used": 1, "remaining": 8, "wals": USAGE,
                   "old_wals": USAGE, "archive": USAGE, "others": []},
}  # fmt: skip


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class FakeWire:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Mapping[str, Json]]] = []
        self.wrong: dict[str, Exception | Json | Callable[[], Json]] = {}
        self.closed = False

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        self.sent.append((method, params))
        answer = self.wrong.get(method, ANSWERS.get(method, EMPTY))
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def cluster_of(wire: FakeWire, clock: FakeClock, **options: object) -> Cluster:
    return Cluster(Side.SOURCE, "prod", lambda: wire, clock, **options)  # type: ignore[arg-type]


def test_a_look_observes_every_part_with_its_moment(wire: FakeWire, clock: FakeClock) -> None:
    view = cluster_of(wire, clock).look(Watch())
    assert [getattr(view, part).error for part in PARTS] == [None] * len(PARTS)
    assert {getattr(view, part).at for part in PARTS} == {1000.0}
    assert view.identity.current is not None and view.identity.current.cluster_id == "id-1"


def test_a_failed_part_keeps_its_value_and_age_and_says_why(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    first = cluster.look(Watch())
    wire.wrong["peers.list"] = AgentError("java.io.IOException", "boom\x1b", method="peers.list", cluster="prod")
    wire.wrong["hdfs.usage"] = {"filesystem": 7}
    clock.time = 1010.0
    second = cluster.look(Watch(), first)
    assert (second.peers.value, second.peers.at) == ((), 1000.0)
    assert second.peers.error == "prod: peers.list: IOException: boom\\x1b"
    assert second.disk.value == first.disk.value and "does not fit" in str(second.disk.error)
    assert (second.tables.error, second.tables.at) == (None, 1010.0)


def test_parts_not_asked_for_stay_as_they_are(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    first = cluster.look(Watch())
    clock.time = 1010.0
    second = cluster.look(Watch(), first, parts=("load",))
    assert (second.load.at, second.peers) == (1010.0, first.peers)


def test_a_watch_reaches_the_wire(wire: FakeWire, clock: FakeClock) -> None:
    cluster_of(wire, clock).look(Watch(("t",), ("s",), ("/p",), ("hbase.x",)))
    sent = dict(wire.sent)
    assert sent["tables.writes"] == {"names": ["t"]} and sent["snapshots.stats"] == {"names": ["s"]}
    assert sent["hdfs.usage"] == {"paths": ["/p"]} and sent["cluster.identity"] == {"settings": ["hbase.x"]}


def test_an_empty_watch_asks_for_no_counters_and_no_stats(wire: FakeWire, clock: FakeClock) -> None:
    cluster_of(wire, clock).look(Watch())
    assert not {"tables.writes", "snapshots.stats"} & {method for method, _ in wire.sent}


def test_servers_pages_are_asked_for_by_those_who_want_them_alone(wire: FakeWire, clock: FakeClock) -> None:
    facts: dict[str, Json] = {
        "server": "s,1,1", "role": "region server", "at_ms": 5, "error": "", "settings": {"a.b": "\x1b[2J"},
        "metrics": {"source.p.x": 7}, "jars": ["x.jar"],
    }  # fmt: skip
    wire.wrong["servers.read"] = {"items": [facts], "total": 1}
    view = cluster_of(wire, clock, side_by_side=False).look(Watch())
    assert view.servers.current == () and "servers.read" not in [method for method, _ in wire.sent]
    watch = Watch(server_settings=("a.b",), server_metrics=("x",), server_jars=("bigtable",))
    view = cluster_of(wire, clock, side_by_side=False).look(watch)
    assert view.servers.current is not None
    assert view.servers.current[0].settings == {"a.b": "\\x1b[2J"}
    assert view.servers.current[0].metrics == {"source.p.x": 7}
    asked = next(params for method, params in wire.sent if method == "servers.read")
    assert asked == {"settings": ["a.b"], "metrics": ["x"], "jars": ["bigtable"], "max": 10_000}


def test_a_listing_that_was_cut_is_unknown_and_not_absence(wire: FakeWire, clock: FakeClock) -> None:
    wire.wrong["snapshots.list"] = {"items": [], "total": 20_000}
    assert "20000 items, only 0 were read" in str(cluster_of(wire, clock).look(Watch()).snapshots.error)


def test_a_part_that_hangs_delays_no_other_beyond_the_patience_and_is_not_asked_twice(
    wire: FakeWire, clock: FakeClock
) -> None:
    release = threading.Event()

    def slow() -> Json:
        release.wait(30)
        return ANSWERS["hdfs.usage"]

    wire.wrong["hdfs.usage"] = slow
    cluster = cluster_of(wire, clock, patience=0.3)
    began = time.monotonic()
    first = cluster.look(Watch())
    second = cluster.look(Watch(), first)
    assert time.monotonic() - began < 10
    assert "no answer yet" in str(second.disk.error) and second.peers.error is None
    assert [method for method, _ in wire.sent].count("hdfs.usage") == 1
    release.set()
    until = time.monotonic() + 10
    third = cluster.look(Watch(), second)
    while third.disk.error and time.monotonic() < until:
        third = cluster.look(Watch(), third)
    assert third.disk.current is not None


def test_with_the_wrong_cluster_behind_the_wire_nothing_of_the_look_counts(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    cluster.pin("id-1")
    first = cluster.look(Watch())
    wire.wrong["cluster.identity"] = {**IDENTITY, "cluster_id": "id-2"}
    clock.time = 1010.0
    second = cluster.look(Watch(), first)
    assert second.identity.error == "prod: this is cluster id-2, not the pinned id-1"
    assert {getattr(second, part).current for part in PARTS} == {None}
    assert {getattr(second, part).at for part in PARTS if part != "identity"} == {1000.0}


def test_a_change_is_refused_before_a_cluster_is_pinned(wire: FakeWire, clock: FakeClock) -> None:
    with pytest.raises(Refused, match="has not been pinned"):
        cluster_of(wire, clock).call("peer.enable", {"id": "p"})
    assert wire.sent == []


def test_a_change_carries_the_pinned_id_and_a_read_does_not(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    cluster.pin("id-1")
    wire.wrong["peer.enable"] = {"changed": True, "note": ""}
    assert cluster.call("peer.enable", {"id": "p"}).changed
    cluster.call("peers.list", {"max": 1})
    assert wire.sent == [("peer.enable", {"id": "p", "expect_cluster_id": "id-1"}), ("peers.list", {"max": 1})]


def test_a_parameter_the_method_does_not_have_is_a_bug_of_the_caller(wire: FakeWire, clock: FakeClock) -> None:
    with pytest.raises(TypeError, match="peer_id"):
        cluster_of(wire, clock).call("peers.list", {"peer_id": 1})


def test_an_answer_that_does_not_fit_is_not_a_success(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    cluster.pin("id-1")
    wire.wrong["peer.remove"] = {"ok": True}
    with pytest.raises(BadAnswer, match=r"prod: peer\.remove: the answer's changed does not fit"):
        cluster.call("peer.remove", {"id": "p"})


def test_a_lost_wire_is_opened_again_and_a_deadline_does_not_cost_it(clock: FakeClock) -> None:
    wires: list[FakeWire] = []

    def connect() -> FakeWire:
        wires.append(FakeWire())
        return wires[-1]

    cluster = Cluster(Side.SOURCE, "prod", connect, clock)
    cluster.call("peers.list", {"max": 1})
    wires[0].wrong["peers.list"] = DeadlineExceeded("late")
    with pytest.raises(DeadlineExceeded):
        cluster.call("peers.list", {"max": 1})
    assert not wires[0].closed
    wires[0].wrong["peers.list"] = Unreachable("gone")
    with pytest.raises(Unreachable):
        cluster.call("peers.list", {"max": 1})
    cluster.call("peers.list", {"max": 1})
    assert (wires[0].closed, len(wires)) == (True, 2)


def test_calls_that_fail_because_another_one_broke_the_wire_say_what_broke_it(clock: FakeClock) -> None:
    wires: list[FakeWire] = []

    def connect() -> FakeWire:
        wires.append(FakeWire())
        return wires[-1]

    cluster = Cluster(Side.SOURCE, "prod", connect, clock)

    def breaks() -> Json:
        wires[0].wrong["namespaces.list"] = Unreachable("prod: connection refused")
        with pytest.raises(Unreachable, match="connection refused"):
            cluster.call("namespaces.list", {"max": 1})
        raise Unreachable("prod: closed")

    cluster.call("snapshots.list", {"max": 1})
    wires[0].wrong["peers.list"] = breaks
    with pytest.raises(Unreachable, match="prod: connection refused"):
        cluster.call("peers.list", {"max": 1})
    assert cluster.call("peers.list", {"max": 1}).total == 0, "a new wire has its own fate"


def test_attempts_to_connect_back_off_and_start_anew_after_a_success(wire: FakeWire, clock: FakeClock) -> None:
    attempts: list[float] = []
    down = True

    def connect() -> FakeWire:
        attempts.append(clock.time)
        if down:
            raise Unreachable("prod: no route to host")
        return wire

    cluster = Cluster(Side.SOURCE, "prod", connect, clock, side_by_side=False)
    for _ in range(70):
        view: ClusterView = cluster.look(Watch(), parts=("peers",))
        clock.time += 1.0
    assert [b - a for a, b in itertools.pairwise(attempts)] == [1, 2, 4, 8, 15, 30]
    assert "no route to host (next attempt in" in str(view.peers.error)
    down = False
    clock.time += 60
    assert cluster.look(Watch(), parts=("peers",)).peers.error is None


def test_a_closed_cluster_stays_closed(wire: FakeWire, clock: FakeClock) -> None:
    cluster = cluster_of(wire, clock)
    cluster.call("peers.list", {"max": 1})
    cluster.close()
    assert wire.closed and "closed" in str(cluster.look(Watch()).peers.error)


def test_reads_one_after_the_other_keep_the_order_of_the_parts(wire: FakeWire, clock: FakeClock) -> None:
    cluster_of(wire, clock, side_by_side=False).look(Watch(("t",), ("s",)))
    assert [method for method, _ in wire.sent] == [
        "cluster.identity", "namespaces.list", "tables.list", "tables.writes", "peers.list", "replication.load",
        "snapshots.list", "snapshots.stats", "hdfs.usage",
    ]  # fmt: skip


def test_what_was_asked_before_a_change_is_not_taken_for_a_look_after_it(wire: FakeWire, clock: FakeClock) -> None:
    """A poller's slow reading that began before the change shows the cluster as it was."""
    begun, go = threading.Event(), threading.Event()
    peer: Json = {
        "id": "p", "enabled": True, "cluster_key": "k", "endpoint": "", "replicate_all": False,
        "table_cfs": {}, "namespaces": [], "serial": False, "bandwidth": 0,
    }  # fmt: skip

    def slow() -> Json:
        begun.set()
        assert go.wait(10)
        return EMPTY

    wire.wrong["peers.list"] = slow
    cluster = cluster_of(wire, clock)
    cluster.pin("id-1")
    poller = threading.Thread(target=lambda: cluster.look(Watch(), parts=("peers",)), daemon=True)
    poller.start()
    assert begun.wait(10)
    wire.wrong["peer.enable"] = {"changed": True, "note": ""}
    cluster.call("peer.enable", {"id": "p"})
    wire.wrong["peers.list"] = {"items": [peer], "total": 1}
    view = cluster.look(Watch(), parts=("peers",))
    go.set()
    poller.join(10)
    assert view.peer("p") is not None


def test_a_value_is_as_old_as_the_question(wire: FakeWire, clock: FakeClock) -> None:
    def slow() -> Json:
        clock.sleep(8)
        return EMPTY

    wire.wrong["peers.list"] = slow
    view = cluster_of(wire, clock).look(Watch(), parts=("peers",))
    assert view.peers.at == 1000.0
