"""Google's replication endpoint on the simulated source: what it carries over, every trap it was seen to fall into."""

from __future__ import annotations

from typing import Any

import pytest
from instance_pair import SOURCE, TARGET, InstancePair

from hbase_ferry.cluster.simulator.cluster import Pages
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, KEYS, ORDERS
from hbase_ferry.cluster.simulator.endpoint import DRY_RUN, INSTANCE, TIMEOUT, Strange, class_of
from hbase_ferry.errors import AgentError

ENTRIES, MUTATIONS = "oneWayReplEligibleWALEntries", "oneWayReplEligibleMutations"
DELETES, INCOMPATIBLE = "bigtableIncompatibleDeleteMutations", "bigtableIncompatibleMutations"
DROPPED, OVERFLOW = "bigtableDroppedIncompatibleMutations", "bigtableIncompatibleTimestampOverflowMutation"
FUTURE = "bigtablePutsInFutureMutations"


def shipped(pair: InstancePair) -> int:
    return sum(queue.ops_shipped or 0 for queue in pair.queues())


# ---- what it carries over


def test_a_whole_crossing_under_live_writes_ends_with_equal_cells() -> None:
    pair = InstancePair(writers=True)
    pair.create()
    pair.add_peer()
    pair.wait(20)
    pair.copy()
    pair.wait(10)
    pair.enable()
    pair.wait(30)
    pair.world.stop_writers()
    pair.wait(90)
    source = pair.rows(SOURCE)
    assert len(source) > 15_000 and pair.rows(TARGET) == source


def test_canary_rows_arrive_with_their_cell_and_go_again() -> None:
    pair = InstancePair()
    pair.flow()
    rows = [row.row_hex for row in pair.call(SOURCE, "canary.write", table=ORDERS, family="d", id="c1").items]
    pair.wait(30)

    def present() -> list[bool]:
        return [row.present for row in pair.call(TARGET, "canary.read", table=ORDERS, rows=rows).items]

    assert len(rows) == 3 and all(present())
    pair.call(SOURCE, "canary.delete", table=ORDERS, rows=rows)
    pair.wait(30)
    assert not any(present())


def test_counters_of_a_healthy_peer_are_those_of_what_was_read() -> None:
    pair = InstancePair()
    pair.flow()
    pair.put(30)
    pair.delete(0)
    pair.wait(30)
    counted = {name: pair.counter(name) for name in (ENTRIES, MUTATIONS, DELETES, INCOMPATIBLE, DROPPED, OVERFLOW)}
    assert counted == {ENTRIES: 31, MUTATIONS: 62, DELETES: 2, INCOMPATIBLE: 2, DROPPED: 0, OVERFLOW: 0}
    assert shipped(pair) == 31


def test_the_servers_pages_show_the_counters_ten_seconds_late_and_in_both_forms() -> None:
    pair = InstancePair()
    pair.flow()
    pair.wait(60)
    pair.put(30)
    pair.wait(25)
    for counters in pair.pages(ENTRIES, "isInitializing").values():
        assert counters[f"source.f.{ENTRIES}"] == counters[f"source.{ENTRIES}"] == 10
        assert counters["source.f.isInitializing"] == 0


def test_counters_of_1x_that_all_queues_share_have_no_prefix() -> None:
    pair = InstancePair(source_version="1.4.13")
    pair.flow()
    pair.put(30)
    pair.wait(40)
    assert "hbase1_x" in class_of(pair.source)
    for counters in pair.pages(ENTRIES).values():
        assert counters == {f"source.f.{ENTRIES}": 10, ENTRIES: 10}


def test_another_loaded_row_of_a_table_without_the_scope_stays_at_home() -> None:
    pair = InstancePair()
    pair.create()
    pair.create(CUSTOMERS)
    pair.add_peer()
    pair.enable()
    pair.put(30, CUSTOMERS)
    pair.wait(30)
    assert pair.rows(TARGET, CUSTOMERS) == {} and pair.counter(ENTRIES) == 0


def test_disable_and_enable_ships_the_open_wals_again_and_counts_twice() -> None:
    pair = InstancePair()
    pair.flow()
    pair.put(30)
    pair.wait(30)
    before = pair.rows(TARGET)
    pair.call(SOURCE, "peer.disable", id="f")
    pair.enable()
    pair.wait(30)
    assert (pair.counter(ENTRIES), shipped(pair), pair.rows(TARGET)) == (60, 60, before)


def test_after_a_direct_write_to_bigtable_an_old_peer_writes_over_it_again() -> None:
    pair = InstancePair()
    pair.flow()
    pair.delete(0)
    pair.wait(30)
    pair.call(SOURCE, "peer.disable", id="f")
    key = b"00000000".hex()
    pair.call(TARGET, "rows.write", table=ORDERS, rows=[[key, [["d", "76", 10**15, "01"]]]])
    assert key in pair.rows(TARGET)
    pair.enable()
    pair.wait(30)
    assert key not in pair.rows(TARGET)


def test_counters_of_a_removed_peer_stay_until_the_server_restarts() -> None:
    pair = InstancePair()
    pair.flow()
    pair.put(30)
    pair.wait(30)
    pair.call(SOURCE, "peer.remove", id="f")
    pair.wait(20)
    for counters in pair.pages(ENTRIES, "sizeOfLogQueue").values():
        assert counters == {f"source.f.{ENTRIES}": 10, f"source.{ENTRIES}": 10}
    pair.world.fault(SOURCE, "server_dies", server=0)
    pair.wait(10)
    pair.world.fault(SOURCE, "server_joins", server=0)
    pair.wait(20)
    assert sorted(len(counters) for counters in pair.pages(ENTRIES).values()) == [0, 2, 2]


# ---- what it gets stuck on


@pytest.mark.parametrize("missing", ["table", "family", "instance"])
def test_a_permanent_error_is_tried_1200_times_a_second_and_ships_nothing(missing: str) -> None:
    pair = InstancePair(**({"keys": {**KEYS, INSTANCE: "another-one"}} if missing == "instance" else {}))
    if missing != "table":
        pair.create(**({"d": "never"} if missing == "family" else {}))
    pair.add_peer()
    pair.enable()
    pair.put(30)
    pair.wait(30)
    before = pair.counter(ENTRIES)
    pair.wait(10)
    assert pair.counter(ENTRIES) - before == 3 * 12_000
    assert shipped(pair) == 0 and all(not table.rows for table in pair.instance.tables.values())
    for queue in pair.queues():
        assert queue.running and queue.lag_ms > 30_000 and queue.size == 1


@pytest.mark.parametrize("missing", ["table", "family"])
def test_it_heals_within_a_second_of_what_was_missing(missing: str) -> None:
    pair = InstancePair()
    if missing == "family":
        pair.create(d="never")
    pair.add_peer()
    pair.enable()
    pair.put(30)
    pair.wait(20)
    if missing == "family":
        pair.call(TARGET, "table.families", table=ORDERS, families={"m": "never"})
    else:
        pair.create()
    pair.wait(1)
    assert len(pair.rows(TARGET)) == 30
    pair.wait(3)
    assert shipped(pair) == 30 and all(queue.lag_ms == 0 for queue in pair.queues())


@pytest.mark.parametrize("kind", ["frozen", "refused", "network"])
def test_with_the_target_away_there_is_one_attempt_in_each_timeout(kind: str) -> None:
    pair = InstancePair()
    pair.flow()
    pair.wait(30)
    pair.world.fault(TARGET, kind)
    pair.put(3)
    pair.wait(10)
    first = pair.counter(ENTRIES)
    pair.wait(int(KEYS[TIMEOUT]) / 1000 * 5)
    more = pair.counter(ENTRIES) - first
    assert first == 3 and 3 * 4 <= more <= 3 * 6
    assert all(queue.lag_ms > 100_000 for queue in pair.queues())
    pair.world.heal(TARGET, kind)
    pair.wait(2)
    assert len(pair.rows(TARGET)) == 3


def test_a_dry_run_counts_and_moves_on_and_sends_nothing() -> None:
    pair = InstancePair()
    pair.endpoint.core_site = True
    pair.add_peer(**{DRY_RUN: "true"})
    pair.enable()
    pair.put(30)
    pair.delete(0)
    pair.wait(30)
    assert (shipped(pair), pair.counter(ENTRIES), pair.counter(DELETES)) == (31, 31, 2)
    assert pair.instance.tables == {}
    assert all(queue.lag_ms == 0 and queue.last_shipped_ms > 0 for queue in pair.queues())


# ---- what Bigtable has no like of


def test_writes_without_a_like_in_bigtable_are_counted_as_the_library_counts_them() -> None:
    pair = InstancePair()
    pair.flow()
    wanted: dict[Strange, dict[str, int]] = {
        Strange.FAMILY_VERSION: {INCOMPATIBLE: 2, DELETES: 2, DROPPED: 2, OVERFLOW: 0, FUTURE: 0},
        Strange.OLD_FAMILY: {INCOMPATIBLE: 2, DELETES: 2, DROPPED: 2, OVERFLOW: 0, FUTURE: 0},
        Strange.OVERFLOW: {INCOMPATIBLE: 2, DELETES: 0, DROPPED: 0, OVERFLOW: 2, FUTURE: 2},
        Strange.FUTURE: {INCOMPATIBLE: 0, DELETES: 0, DROPPED: 0, OVERFLOW: 0, FUTURE: 2},
    }
    for row, (strange, counters) in enumerate(wanted.items()):
        before = {name: pair.counter(name) for name in counters}
        pair.endpoint.write(pair.source, ORDERS, row, strange)
        pair.wait(30)
        assert {name: pair.counter(name) - before[name] for name in counters} == counters, strange


def test_a_dropped_delete_leaves_the_row_in_bigtable() -> None:
    pair = InstancePair()
    pair.flow()
    pair.copy()
    pair.endpoint.write(pair.source, ORDERS, 5, Strange.FAMILY_VERSION)
    pair.wait(30)
    assert pair.rows(TARGET).keys() - pair.rows(SOURCE).keys() == {b"00000005".hex()}


def test_times_above_bigtables_last_one_collapse_into_it() -> None:
    pair = InstancePair()
    pair.flow()
    for _ in "12":
        pair.endpoint.write(pair.source, ORDERS, 5, Strange.OVERFLOW)
        pair.wait(30)
    ((_, cells),) = pair.rows(TARGET).values()
    assert {cell[2] for cell in cells} == {9_223_372_036_854_775_000} and len(cells) == 2


def test_a_put_of_tomorrow_arrives_as_it_is() -> None:
    pair = InstancePair()
    pair.flow()
    pair.endpoint.write(pair.source, ORDERS, 5, Strange.FUTURE)
    pair.wait(30)
    key = b"00000005".hex()
    assert pair.rows(TARGET)[key] == pair.rows(SOURCE)[key]


# ---- what it does not start with


def not_started(pair: InstancePair, peer: str = "f") -> bool:
    pair.wait(20)
    queues = pair.queues(peer)
    shown = [counters[f"source.{peer}.isInitializing"] for counters in pair.pages("isInitializing").values()]
    assert len({queue.running for queue in queues}) == 1 and set(shown) == {int(not queues[0].running)}
    return not queues[0].running


def test_a_class_the_master_cannot_load_is_refused() -> None:
    pair = InstancePair(library=False)
    with pytest.raises(AgentError, match=r"Can not instantiate configured replication endpoint class=com\.google"):
        pair.add_peer()


@pytest.mark.parametrize("lacks", ["library", "keys"])
def test_a_server_without_library_or_keys_does_not_start_it_and_shows_lag_0(lacks: str) -> None:
    pair = InstancePair()
    pages = pair.source.pages
    without = Pages(dict(pages.settings), [], "") if lacks == "library" else Pages({}, list(pages.jars), "")
    pair.source.own_pages = {server.host: without for server in pair.source.servers}
    pair.flow()
    pair.put(30)
    assert not_started(pair)
    assert [(queue.lag_ms, queue.ops_shipped) for queue in pair.queues()] == [(0, 0)] * 3
    assert pair.rows(TARGET) == {}


def test_only_the_servers_that_were_prepared_ship() -> None:
    pair = InstancePair()
    pair.source.own_pages = {pair.source.servers[0].host: Pages()}
    pair.flow()
    pair.put(30)
    pair.wait(30)
    assert sorted(str(queue.running) for queue in pair.queues()) == ["False", "True", "True"]
    assert len(pair.rows(TARGET)) == 20


def test_a_config_loses_the_keys_unless_they_are_in_core_site() -> None:
    pair = InstancePair()
    pair.add_peer(**{DRY_RUN: "true"})
    pair.enable()
    assert not_started(pair)
    pair.endpoint.core_site = True
    assert not_started(pair), "the file was read when the peer was added"
    pair.call(SOURCE, "peer.remove", id="f")
    pair.add_peer(**{DRY_RUN: "true"})
    assert not not_started(pair)


def test_a_config_works_where_another_peer_holds_the_connection_open() -> None:
    pair = InstancePair()
    pair.add_peer("plain")
    pair.wait(5)
    pair.add_peer("dry", **{DRY_RUN: "true"})
    assert not not_started(pair, "dry")


def test_a_failed_start_leaks_the_connection_once_there_is_one() -> None:
    pair = InstancePair()
    pair.add_peer("bad", **{DRY_RUN: "true"})
    assert not_started(pair, "bad")
    pair.call(SOURCE, "peer.remove", id="bad")
    for peer in ("good", "next"):
        config: dict[str, Any] = {DRY_RUN: "true"} if peer == "next" else {}
        pair.add_peer(peer, **config)
        assert not not_started(pair, peer)
        pair.call(SOURCE, "peer.remove", id=peer)


def test_without_a_failed_start_the_connection_closes_with_its_last_peer() -> None:
    pair = InstancePair()
    pair.add_peer("good")
    assert not not_started(pair, "good")
    pair.call(SOURCE, "peer.remove", id="good")
    pair.add_peer("next", **{DRY_RUN: "true"})
    assert not_started(pair, "next")
