from __future__ import annotations

from bigtable_views import LAB, bean, metrics, page
from insight_views import RS1, RS2

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import (
    Key,
    by_server,
    counters,
    deltas,
    left_behind,
    of_peer,
    parse_name,
    repeats,
    unread,
)


def test_names_of_queues_recovered_queues_and_both_kinds_of_totals_are_told_apart() -> None:
    assert parse_name("source.ferry.shippedOps") == ("ferry", "shippedOps")
    assert parse_name("source.a.b.shippedOps") == ("a.b", "shippedOps")
    assert parse_name("source.ferry-rs9.x,16020,5.shippedOps") == ("ferry-rs9.x,16020,5", "shippedOps")
    assert parse_name("source.shippedOps") == ("", "shippedOps")
    assert parse_name("bigtablePutsInFutureMutations") == ("", "bigtablePutsInFutureMutations")
    assert parse_name("sink.failedBatches") is None
    assert parse_name("Source.ferry.ageOfLastShippedOp_max") is None


def test_a_recovered_queue_counts_for_its_peer() -> None:
    found = counters([page(0, metrics() | metrics("ferry-rs9,16020,5", bigtableDroppedIncompatibleMutations=2))])
    assert Key(RS1, "ferry-rs9,16020,5", library.DROPPED).recovered
    assert of_peer(found, "ferry", library.DROPPED) == 2
    assert of_peer(found, "ferry", library.SHIPPED) == 20


def test_a_peer_whose_id_begins_like_another_is_not_counted_with_it() -> None:
    found = counters([page(0, metrics("ferry") | metrics("ferry2"))])
    assert of_peer(found, "ferry", library.SHIPPED) == 10
    assert of_peer(found, "nobody", library.SHIPPED) is None


def test_a_master_that_shares_the_process_is_not_counted_twice() -> None:
    pages = [page(0, metrics()), page(0, metrics(), server="m1,16000,1", role="master")]
    assert of_peer(counters(pages), "ferry", library.SHIPPED) == 10


def test_a_page_that_could_not_be_read_gives_nothing_and_is_named() -> None:
    pages = [page(0, metrics()), page(0, server=RS2, error="connection refused")]
    assert set(by_server(counters(pages))) == {RS1}
    assert [facts.server for facts in unread(pages)] == [RS2]


def test_gains_count_from_zero_after_a_restart_and_after_a_fall() -> None:
    first = counters([page(0, metrics(shippedOps=50))])
    restarted = counters([page(9, metrics(shippedOps=7), server="rs1,16020,2")])
    fallen = counters([page(9, metrics(shippedOps=3))])
    risen = counters([page(9, metrics(shippedOps=53))])
    assert of_peer(deltas(first, restarted), "ferry", library.SHIPPED) == 7
    assert of_peer(deltas(first, fallen), "ferry", library.SHIPPED) == 3
    assert of_peer(deltas(first, risen), "ferry", library.SHIPPED) == 3


def test_counters_of_a_removed_peer_are_known_by_the_lack_of_hbase_s_own() -> None:
    found = counters([page(0, bean("missing-table-stall"), server=LAB)])
    assert left_behind(found, "d1"), "d1 was removed before"
    assert not left_behind(found, "r1")
    assert not left_behind(found, "mt")
    assert not left_behind(found, "never")


def test_without_a_retry_the_library_saw_exactly_what_hbase_read() -> None:
    for name, peer_id, again in (
        ("ok", "p1", 0), ("dryrun-incompatible", "d1", 0), ("real-incompatible", "r1", 0), ("bidirectional", "bd", 0),
        ("missing-table-stall", "mt", 94_944), ("missing-family-stall", "mf", 40_326),
        ("bulkload-marker-stall", "b1", 91_504), ("target-hung", "r1", 2), ("target-refused", "r1", 8),
    ):  # fmt: skip
        found = counters([page(0, bean(name), server=LAB)])
        assert repeats(found, Key(LAB, peer_id, library.READ)) == again, name
