from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_views import RS1, T0, disk, identity, peer, queue, source, transcript

from hbase_ferry.insight.disk import removal_cost, runway, wal_bytes
from hbase_ferry.model.cluster import ClusterView, Disk, Observed, Side, Usage
from hbase_ferry.model.view import View

GB = 1 << 30


def watched(seconds: float, value: Disk | None, error: str | None = None) -> ClusterView:
    return source(seconds, queue(), disk=Observed(value, T0 + seconds, error))


def filling(seconds: int, per_hour: int, step: int = 30) -> list[ClusterView]:
    made = range(0, seconds + 1, step)
    return [watched(s, disk(500 * GB + per_hour * s // 3600, capacity=510 * GB)) for s in made]


def test_a_disk_that_fills_steadily_has_a_time_left() -> None:
    found = runway(filling(600, GB))
    assert found.growth_bytes_per_hour == pytest.approx(GB, rel=1e-6)
    assert found.hours == pytest.approx(10 - 600 / 3600, rel=1e-6)
    assert found.text.startswith("disk full in 9 h 50: 1.0 GB an hour over 10 min, 9.8 GB free")


def test_before_two_minutes_it_only_says_how_long_it_has_measured() -> None:
    found = runway(filling(40, GB, step=10))
    assert found.hours is None and found.growth_bytes_per_hour is None
    assert found.text.startswith("measuring, 40 s of 2 min")


def test_two_samples_far_apart_are_not_yet_a_line() -> None:
    assert "measuring" in runway(filling(600, GB, step=600)).text


def test_a_disk_that_empties_has_no_end() -> None:
    found = runway(filling(600, -GB))
    assert found.hours is None and found.growth_bytes_per_hour is not None and found.growth_bytes_per_hour < 0
    assert "does not fill" in found.text


@pytest.mark.parametrize("capacity", [0, -1, 2**63 - 1])
def test_an_object_store_without_capacity_does_not_fill(capacity: int) -> None:
    history = [
        dataclasses.replace(v, disk=Observed(disk(1, capacity=capacity), v.disk.at)) for v in filling(600, GB)
    ]
    found = runway(history)
    assert found.hours is None and "has no capacity" in found.text and found.backlog_bytes == 0


def test_a_disk_that_cannot_be_read_is_not_known_even_with_a_past() -> None:
    history = [*filling(600, GB), watched(630, disk(1), error="no answer in 60 s")]
    found = runway(history)
    assert found.hours is None and "no answer in 60 s" in found.text


def test_the_same_look_carried_along_is_not_a_second_sample() -> None:
    look = Observed(disk(5 * GB), T0)
    assert "measuring, 0 s" in runway([source(s, queue(), disk=look) for s in range(0, 600, 3)]).text


def test_two_looks_repeated_many_times_are_two_samples() -> None:
    looks = [Observed(disk(5 * GB), T0), Observed(disk(6 * GB), T0 + 300)]
    history = [source(s, queue(), disk=looks[s >= 300]) for s in range(0, 600, 3)]
    assert "measuring, 2 of 3 looks" in runway(history).text


def test_a_wal_that_rolls_inside_the_uncertainty_is_no_growth() -> None:
    def view(second: int) -> ClusterView:
        rolled = 10_000_000 if second > 60 else 0
        return watched(second, disk(5 * GB, old_wals=rolled, open_wals=3))

    found = runway([view(s) for s in range(0, 301, 30)])
    assert found.uncertainty_bytes == 3 * 3 * 268_435_456
    assert found.hours is None and found.growth_bytes_per_hour == pytest.approx(0)


def test_held_wals_that_grow_faster_than_the_disk_count() -> None:
    history = [
        watched(s, disk(5 * GB, capacity=100 * GB, old_wals=s * 10_000_000)) for s in range(0, 301, 30)
    ]
    assert runway(history).growth_bytes_per_hour == pytest.approx(3600 * 10_000_000 * 3, rel=1e-6)


def test_the_labs_open_wals_are_told_from_closed_ones() -> None:
    view = transcript("replication-load-states.jsonl")[0][1]
    wals = Usage("/hbase/WALs", 134_580_894, 671_451_806, 3)
    empty = Usage("/x", 0, 0, 0)
    measured = Disk("hdfs://lab", 1 << 40, 0, 1 << 40, wals, empty, empty)
    one_copy = identity(settings={"dfs.replication": "1"})
    assert view.disk.value is None
    assert wal_bytes(measured, one_copy) == (134_580_894, 2 * 268_435_456)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(-5, 1 << 62), st.integers(0, 1 << 62)), max_size=12)
)
def test_no_history_gives_a_negative_runway(looks: list[tuple[int, int, int]]) -> None:
    history = [watched(s, disk(used, capacity=1 << 61, old_wals=old)) for s, used, old in looks]
    found = runway(history)
    assert found.hours is None or found.hours >= 0
    assert found.uncertainty_bytes >= 0 and (found.backlog_bytes is None or found.backlog_bytes >= 0)
    assert found.text and "\n" not in found.text


# ---- what a removal costs


def held(*others: object, extra: tuple[object, ...] = (), **settings_: str) -> list[ClusterView]:
    known = Observed(identity(servers=(RS1,), settings=settings_), T0)
    peers = (peer(enabled=False), *others)
    queues = (queue(size=19), *extra)
    return [
        source(s, *queues, peers=peers, identity=known, disk=Observed(disk(9 * GB, old_wals=4 * GB), T0 + s))
        for s in range(0, 31, 3)
    ]


def cost(history: list[ClusterView]) -> object:
    return removal_cost("ferry", View(T0, history[-1], ClusterView(Side.TARGET, "emr")), history)


def test_removing_a_held_peer_names_the_wals_the_place_and_the_copied_history() -> None:
    history = held()
    found = removal_cost("ferry", history[-1], history)
    assert found.lost[0].startswith("18 closed WALs and the open ones of 1 server")
    assert "held since at least" in found.lost[0]
    assert any("place in the backlog" in line for line in found.lost)
    assert any("copied history" in line for line in found.lost)


def test_space_comes_back_within_ttl_and_interval_if_nobody_else_holds_it() -> None:
    history = held(**{"hbase.master.logcleaner.ttl": "5000", "hbase.master.cleaner.interval": "60000"})
    found = removal_cost("ferry", history[-1], history)
    assert found.bytes_back == 12 * GB
    assert found.returns == (
        "up to 12.0 GB, what oldWALs hold now",
        "the cleaner runs every 1 min and keeps each WAL 5 s: all of it within 1 min 5 s",
    )
    assert "within 20 min" in removal_cost("ferry", held()[-1], held()).returns[-1]


@pytest.mark.parametrize(
    ("enabled", "size", "holds"), [(True, 1, False), (True, 4, True), (False, 1, True), (False, 4, True)]
)
def test_another_peer_that_still_holds_the_wals_keeps_them(enabled: bool, size: int, holds: bool) -> None:
    other = peer("dr", enabled=enabled)
    history = held(other, extra=(queue(peer_id="dr", queue_id="dr", size=size),))
    found = removal_cost("ferry", history[-1], history)
    assert (found.bytes_back is None) is holds
    assert ("dr (" in found.returns[0]) is holds


def test_what_is_not_observed_is_not_promised() -> None:
    history = held()
    blind = dataclasses.replace(history[-1], load=Observed(None, None, "gone"))
    found = removal_cost("ferry", blind, [*history, blind])
    assert found.bytes_back is None and "not known" in found.returns[0] and "not known" in found.lost[0]
    no_disk = dataclasses.replace(history[-1], disk=Observed(None, None, "gone"))
    assert removal_cost("ferry", no_disk, history).bytes_back is None


def test_a_peer_that_is_gone_costs_nothing() -> None:
    view = source(0, peers=())
    assert removal_cost("ferry", view, [view]).lost == ("nothing: peer ferry does not exist on prod",)


def test_both_kinds_of_view_give_the_same_answer() -> None:
    history = held()
    assert cost(history) == removal_cost("ferry", history[-1], history)
