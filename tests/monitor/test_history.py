from __future__ import annotations

import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hbase_ferry.insight.lag import PeerState, judge_peer
from hbase_ferry.model.cluster import (
    ClusterView,
    Disk,
    Identity,
    Observed,
    Peer,
    ReplicationQueue,
    ServerLoad,
    Side,
    Usage,
)
from hbase_ferry.monitor.history import WHOLE_VIEWS, History

T0 = 1_795_216_000.0


def view(
    second: float, *, servers: int = 1, side: Side = Side.SOURCE, enabled: bool = True, **queue: Any
) -> ClusterView:
    at = T0 + second
    names = tuple(f"rs{n},16020,1" for n in range(servers))
    fields: dict[str, Any] = {
        "peer": "ferry", "queue_id": "ferry", "recovered": False, "running": True, "size": 1,
        "age_last_shipped_ms": 0, "last_shipped_ms": 0, "next_to_ship_ms": 0, "lag_ms": 0, "edits_read": 0,
        "ops_shipped": int(second), "has_edits_since_restart": True,
    }  # fmt: skip
    loads = tuple(
        ServerLoad(n, int(at * 1000), (ReplicationQueue(server=n, **(fields | queue)),)) for n in names
    )
    identity = Identity(
        cluster_id="c", hbase_version="2.4.17", hadoop_version="3", rootdir="hdfs://n/hbase", wal_dir="",
        cluster_key="k", master="m", servers=names, dead_servers=(), regions_in_transition=0, balancer_on=True,
        replication_enabled=True, split_enabled=True, merge_enabled=True, user="u", time_ms=0,
    )  # fmt: skip
    return ClusterView(
        side,
        "prod",
        identity=Observed(identity, at),
        namespaces=Observed(("default",), at),
        tables=Observed((), at),
        peers=Observed((Peer("ferry", enabled, "k", "", False),), at),
        load=Observed(loads, at),
        disk=Observed(
            Disk("hdfs://n", 1000, 400, 600, Usage("w", 0, 0, 0), Usage("o", 10, 30, 1), Usage("a", 0, 0, 0)),
            at,
        ),
    )


def failed(second: float) -> ClusterView:
    old = view(second)
    parts = {
        name: Observed(getattr(old, name).value, getattr(old, name).at, "gone")
        for name in ("identity", "peers", "load", "disk")
    }
    return ClusterView(Side.SOURCE, "prod", **parts)


def test_both_sides_are_kept_apart_and_the_newest_is_whole() -> None:
    history = History()
    assert history.latest(Side.SOURCE) is None and history.side(Side.TARGET) == ()
    for second in range(6):
        history.append(view(second))
    history.append(view(9, side=Side.TARGET))
    assert len(history.side(Side.SOURCE)) == 6 and len(history.side(Side.TARGET)) == 1
    newest = history.latest(Side.SOURCE)
    assert newest is not None and newest.namespaces.current == ("default",)


def test_older_views_keep_what_verdicts_need_and_drop_their_listings() -> None:
    history = History()
    for second in range(10):
        history.append(view(second))
    kept = history.side(Side.SOURCE)
    assert [v.tables.at is None for v in kept] == [True] * (10 - WHOLE_VIEWS) + [False] * WHOLE_VIEWS
    assert all(v.load.value and v.peers.value and v.disk.value for v in kept)


def test_a_thousand_region_servers_do_not_grow_it_without_end() -> None:
    history = History(max_records=20_000)
    for second in range(0, 300, 3):
        history.append(view(second, servers=1000))
    kept = history.side(Side.SOURCE)
    assert sum(len(load.queues) + 1 for v in kept for load in v.load.value or ()) <= 20_000
    assert len(kept) >= WHOLE_VIEWS + 1
    assert kept[-1].load.at is not None and kept[0].load.at is not None
    assert kept[-1].load.at - kept[0].load.at > 60, "it thins the past instead of forgetting it"
    assert len(history.lag_series("ferry")) == 100, "charts keep every sample"
    assert len({id(v.identity.value.servers) for v in kept if v.identity.value}) == 1, (
        "equal server lists are shared"
    )
    assert judge_peer("ferry", kept).state is PeerState.IDLE


def test_even_views_too_large_for_the_bound_leave_the_newest_ones() -> None:
    history = History(max_records=10)
    for second in range(20):
        history.append(view(second, servers=50))
    assert [v.load.at for v in history.side(Side.SOURCE)][-WHOLE_VIEWS:] == [T0 + 17, T0 + 18, T0 + 19]
    assert len(history.side(Side.SOURCE)) <= WHOLE_VIEWS + 1


def test_the_ring_forgets_the_oldest_beyond_its_limit() -> None:
    history = History(limit=5)
    for second in range(12):
        history.append(view(second))
    assert [v.load.at for v in history.side(Side.SOURCE)] == [T0 + s for s in range(7, 12)]
    assert [at for at, _ in history.free_series()] == [T0 + s for s in range(7, 12)]


def test_series_carry_numbers_and_gaps() -> None:
    history = History()
    history.append(view(0, lag_ms=50))
    history.append(failed(0))
    history.append(view(6, lag_ms=80))
    assert [value for _, value in history.lag_series("ferry")] == [50, None, 80]
    assert [value for _, value in history.backlog_series()] == [30, None, 30]
    assert [value for _, value in history.free_series()] == [600, None, 600]
    moments = [at for at, _ in history.lag_series("ferry")]
    assert moments == sorted(set(moments)), "the failed look stands behind the one before it"


def test_a_failed_look_stands_where_it_ended_when_that_is_said() -> None:
    history = History()
    history.append(view(0), at=T0 + 1)
    history.append(failed(0), at=T0 + 4)
    assert history.free_series() == [(T0 + 1, 600), (T0 + 4, None)]


def test_a_lag_that_lies_is_a_gap() -> None:
    history = History()
    history.append(view(0, enabled=False, size=9))
    history.append(view(3, size=9, lag_ms=0))
    history.append(view(6, lag_ms=2**63 - 1))
    history.append(view(9, lag_ms=0))
    assert [value for _, value in history.lag_series("ferry")] == [None, None, None, 0]
    assert [value for _, value in history.lag_series("nobody")] == [None] * 4


def test_it_can_be_filled_and_read_from_several_threads() -> None:
    history, errors = History(limit=50), []

    def work(which: Side) -> None:
        try:
            for second in range(200):
                history.append(view(second, side=which))
                judge_peer("ferry", history.side(which))
                history.lag_series("ferry", which)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(which,)) for which in (*Side, *Side)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [len(history.side(which)) for which in Side] == [50, 50]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=40),
    st.integers(1, 10),
    st.integers(0, 60),
)
def test_the_bounds_hold_for_every_sequence(looks: list[tuple[int, int]], limit: int, records: int) -> None:
    history = History(limit=limit, max_records=records)
    for second, servers in looks:
        history.append(view(second, servers=servers))
    kept = history.side(Side.SOURCE)
    assert len(kept) <= max(limit, WHOLE_VIEWS)
    weight = sum(2 * len(v.load.value or ()) for v in kept)
    newest = sum(2 * len(v.load.value or ()) for v in kept[-WHOLE_VIEWS - 1 :])
    assert weight <= max(records, newest)
    assert len(kept) >= min(len(looks), WHOLE_VIEWS)
    moments = [at for at, _ in history.free_series()]
    assert moments == sorted(moments) and len(set(moments)) == len(moments)
