from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bigtable_views import bigtable_peer, instance, look, metrics, page, there
from hypothesis import given
from hypothesis import strategies as st
from insight_views import RS1, RS2, T0, family, identity, queue, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import Loss, Sampled, ledger, remembered, totals, unseen
from hbase_ferry.insight.checks.base import TableWish
from hbase_ferry.model.cluster import ClusterView, Observed, ServerFacts, Side
from hbase_ferry.model.view import View


def dropped(number: int, *, server: str = RS1, at: float = 0, **more: int) -> ServerFacts:
    return page(at, metrics(bigtableDroppedIncompatibleMutations=number, **more), server=server)


def seen(*pages: ServerFacts, **more: Any) -> ClusterView:
    """A look that has these pages."""
    return look(max((facts.at_ms / 1000 - T0 for facts in pages), default=0), *pages, **more)


def grown(*looks: ClusterView) -> Mapping[str, str]:
    """The memory after these looks, written to disk whenever that is asked for."""
    memory: Mapping[str, str] = {}
    for source in looks:
        memory = remembered(memory, source, "ferry") or memory
    return memory


def entries(source: ClusterView, recorded: Mapping[str, int] | None = None, **more: object) -> dict[str, Loss]:
    view = View(T0, source, instance(there()))
    counted = totals(source, "ferry", {}) if recorded is None else recorded
    found = ledger(view, "ferry", counted, **more)  # type: ignore[arg-type]
    assert [loss.closes for loss in found] == sorted((loss.closes for loss in found), reverse=True)
    return {loss.kind: loss for loss in found}


# ---- what is remembered


def test_losses_outlive_a_server_that_restarts_and_begins_at_zero() -> None:
    memory = grown(seen(dropped(3)))
    after = seen(dropped(1, server="rs1,16020,2", at=30))
    assert totals(after, "ferry", memory)[library.DROPPED] == 4
    assert totals(after, "ferry", grown(seen(dropped(3)), after))[library.DROPPED] == 4
    assert unseen(after, memory) == (RS1,)


def test_the_same_look_twice_is_nothing_new_to_put_on_disk() -> None:
    memory = grown(seen(dropped(3)))
    assert remembered(memory, seen(dropped(3)), "ferry") is None
    assert remembered(memory, seen(dropped(3, at=3)), "ferry") is None
    assert remembered(memory, seen(dropped(4, at=3)), "ferry") is not None


def test_shipping_and_ordinary_deletes_are_nothing_to_put_on_disk() -> None:
    memory = grown(seen(dropped(0)))
    busy = dropped(0, at=3, shippedOps=999, bigtableIncompatibleDeleteMutations=50, bigtablePutsInFutureMutations=9)
    assert remembered(memory, seen(busy), "ferry") is None
    assert totals(seen(busy), "ferry", memory)[library.INCOMPATIBLE_DELETES] == 50


def test_a_server_without_this_peer_and_a_page_not_read_leave_the_counts_as_they_are() -> None:
    other = queue(peer_id="other")
    assert remembered({}, seen(page(0, metrics("other")), queues=[other]), "ferry") is None
    memory = grown(seen(dropped(3)))
    assert remembered(memory, seen(page(3, error="refused")), "ferry") is None
    assert totals(seen(page(3, error="refused")), "ferry", memory)[library.DROPPED] == 3


def test_a_counter_that_falls_within_one_life_of_a_server_goes_on_from_what_it_had() -> None:
    memory = grown(seen(dropped(5)), seen(dropped(2, at=3)))
    assert totals(seen(dropped(2, at=3)), "ferry", memory)[library.DROPPED] == 7
    assert totals(seen(dropped(4, at=6)), "ferry", memory)[library.DROPPED] == 9


def test_what_a_removed_peer_of_the_same_id_left_behind_is_not_this_one_s_loss() -> None:
    old = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=8).items() if "bigtable" in k}
    memory = grown(seen(page(0, old)), seen(dropped(8, at=3)))
    assert totals(seen(dropped(8, at=6)), "ferry", memory)[library.DROPPED] == 0
    assert totals(seen(dropped(11, at=6)), "ferry", memory)[library.DROPPED] == 3


def test_what_was_left_behind_does_not_hide_what_is_counted_after_the_counter_began_again() -> None:
    old = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=7).items() if "bigtable" in k}
    looks = (seen(page(0, old)), seen(dropped(3, at=3)))
    memory = grown(*looks)
    assert f"{RS1}|{library.DROPPED}|before" not in memory
    assert totals(looks[-1], "ferry", memory)[library.DROPPED] == 3
    assert totals(seen(dropped(4, at=6)), "ferry", memory)[library.DROPPED] == 4


def test_removing_our_own_peer_does_not_make_its_losses_an_earlier_one_s() -> None:
    left = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=4).items() if "bigtable" in k}
    memory = grown(seen(dropped(0)), seen(dropped(4, at=3)))
    assert totals(seen(page(9, left)), "ferry", memory)[library.DROPPED] == 4


def test_a_look_older_than_the_memory_is_no_counter_that_began_again() -> None:
    """Another process wrote the memory, and this one's last look at the source is some seconds old."""
    memory = grown(seen(dropped(3)), seen(dropped(4, at=6)))
    stale = seen(dropped(3, at=3))
    assert totals(stale, "ferry", memory)[library.DROPPED] == 4
    assert remembered(memory, stale, "ferry") is None


def test_a_clock_that_was_set_back_hides_no_loss() -> None:
    memory = grown(seen(dropped(4)))
    assert totals(seen(dropped(6, at=-7200)), "ferry", memory)[library.DROPPED] == 6
    assert totals(seen(dropped(3, at=-7200)), "ferry", memory)[library.DROPPED] == 4, "or an old look: no new beginning"


def test_a_memory_that_does_not_say_when_it_was_taken_goes_on() -> None:
    memory = {f"{RS1}|{library.DROPPED}": "3"}
    assert totals(seen(dropped(5)), "ferry", memory)[library.DROPPED] == 5


# ---- servers that ended


def test_a_server_that_held_a_queue_and_was_never_read_is_gone_once_it_ends() -> None:
    memory = grown(seen(dropped(3), page(0, server=RS2, error="connect timed out")))
    assert totals(seen(dropped(3, at=3)), "ferry", memory) == totals(seen(dropped(3)), "ferry", {})
    assert unseen(seen(dropped(3, at=3)), memory) == (RS2,)
    unasked = dataclasses.replace(seen(dropped(3)), servers=Observed(None, T0, "no answer yet after 10 s"))
    assert unseen(seen(dropped(0, server="rs1,16020,2", at=3)), grown(unasked)) == (RS1,)
    idle = seen(dropped(3), page(0, server=RS2, error="connect timed out"), queues=[queue(RS1)])
    assert unseen(seen(dropped(3, at=3)), grown(idle)) == (), "it held no queue of the peer"


def test_a_server_that_is_read_at_last_is_kept_with_its_counters_alone() -> None:
    memory = grown(seen(page(0, error="connect timed out")), seen(dropped(2, at=3)))
    assert not [key for key in memory if key.endswith("|unread")]
    assert totals(seen(dropped(2, at=6)), "ferry", memory)[library.DROPPED] == 2


def test_a_server_that_lives_or_cannot_be_read_has_not_ended() -> None:
    memory = grown(seen(dropped(3)))
    assert unseen(seen(page(3, error="refused")), memory) == ()
    assert unseen(seen(page(3, server=RS2)), memory) == (RS1,)
    unlisted = dataclasses.replace(seen(page(3, server=RS2)), identity=Observed(identity(servers=(RS1, RS2)), T0))
    assert unseen(unlisted, memory) == (), "the cluster says that it lives"


def test_nobody_has_ended_while_servers_or_pages_are_not_seen() -> None:
    memory = grown(seen(dropped(3)))
    after = seen(page(3, server=RS2))
    assert unseen(dataclasses.replace(after, servers=Observed(after.servers.value, T0, "late")), memory) == ()
    assert unseen(dataclasses.replace(after, identity=Observed(after.identity.value, T0, "late")), memory) == ()


LOOKS = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.integers(0, 9), st.booleans())


@given(st.lists(LOOKS, max_size=12))
def test_a_total_never_falls_whatever_servers_do(steps: list[tuple[str, int, int, bool]]) -> None:
    memory: Mapping[str, str] = {}
    before = 0
    for at, (host, life, number, answers) in enumerate(steps):
        server = f"{host},16020,{life}"
        facts = dropped(number, server=server, at=at) if answers else page(at, server=server, error="refused")
        now = totals(seen(facts), "ferry", memory).get(library.DROPPED, 0)
        assert now >= before
        before, memory = now, remembered(memory, seen(facts), "ferry") or memory


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_a_process_that_restarts_after_each_look_counts_what_one_that_runs_on_counts(rises: list[int]) -> None:
    memory: Mapping[str, str] = {}
    number = 0
    for at, rise in enumerate(rises):
        number += rise
        kept = dict(memory)
        memory = remembered(kept, seen(dropped(number, at=at)), "ferry") or kept
    assert totals(seen(dropped(number, at=len(rises))), "ferry", memory)[library.DROPPED] == sum(rises)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=12))
def test_two_processes_with_one_journal_count_what_one_counts(turns: list[tuple[bool, int]]) -> None:
    """One looks each time, the other only at its turns, and both write whatever they think they know."""
    memory: Mapping[str, str] = {}
    number, stale = 0, seen(dropped(0))
    for at, (looks, rise) in enumerate(turns):
        number += rise
        fresh = seen(dropped(number, at=at))
        stale = fresh if looks else stale
        for source in (fresh, stale):
            memory = remembered(memory, source, "ferry") or memory
            assert totals(source, "ferry", memory)[library.DROPPED] == number


# ---- the entries


def test_nothing_counted_and_nothing_found_is_an_empty_ledger() -> None:
    assert entries(look(0, page(0, metrics()))) == {}


def test_dropped_and_overflow_close_the_gate_and_converted_and_future_puts_do_not() -> None:
    values = metrics(
        bigtableDroppedIncompatibleMutations=2, bigtableIncompatibleDeleteMutations=6,
        bigtableIncompatibleTimestampOverflowMutation=1, bigtablePutsInFutureMutations=4,
    )  # fmt: skip
    found = entries(look(0, page(0, values)))
    assert {kind: (loss.count, loss.closes) for kind, loss in found.items()} == {
        "dropped": (2, True), "timestamp-overflow": (1, True), "converted": (4, False), "future-puts": (4, False),
    }  # fmt: skip
    assert found["dropped"].text.startswith("2 mutations")
    assert found["timestamp-overflow"].text.startswith("1 put ")


def test_accepting_three_dropped_mutations_does_not_accept_five() -> None:
    three = entries(look(0, dropped(3)))["dropped"].gate
    five = entries(look(0, dropped(5)))["dropped"].gate
    assert (three, five) == ("loss.dropped.3", "loss.dropped.5")


def test_while_a_batch_is_retried_the_count_is_an_upper_bound_and_says_so() -> None:
    loss = entries(look(0, page(0, metrics(tried=900, read=10, bigtableDroppedIncompatibleMutations=400))))["dropped"]
    assert loss.at_most
    assert loss.text.startswith("at most 400 mutations")
    assert "attempts count again" in loss.text
    assert not entries(look(0, dropped(400)))["dropped"].at_most


def test_counters_that_cannot_be_read_close_the_gate_and_make_the_rest_a_lower_bound() -> None:
    found = entries(look(0, dropped(3), page(0, server=RS2, error="connection refused")))
    assert found["unread"].closes and "connection refused" in found["unread"].text
    assert found["dropped"].at_least and found["dropped"].text.startswith("at least 3")


def test_servers_that_were_never_asked_are_not_taken_for_servers_without_a_loss() -> None:
    blank = View(T0, ClusterView(Side.SOURCE, "prod"), instance())
    assert [loss.kind for loss in ledger(blank, "ferry", {})] == ["unread"]
    half = dataclasses.replace(
        look(0, page(0, metrics())), identity=Observed(identity(servers=(RS1, RS2), version="2.6.4"), T0)
    )
    assert entries(half)["unread"].count == 1


def test_a_server_that_is_gone_makes_the_count_a_lower_bound() -> None:
    found = entries(look(0, page(0, metrics())), {library.DROPPED: 2}, gone=("rs9,16020,1",))
    assert found["dropped"].at_least


def test_names_bigtable_cannot_have_are_a_loss_by_table_and_by_family() -> None:
    bad = table("x" * 51, families=[family("ok"), family("f" * 70)])
    found = entries(look(0, page(0, metrics()), tables=[bad]), tables=[TableWish(bad.name)])
    assert found["illegal-name"].count == 2 and found["illegal-name"].closes
    only = entries(look(0, page(0, metrics()), tables=[bad]), tables=[TableWish(bad.name, ("ok",))])
    assert only["illegal-name"].count == 1


def test_without_named_tables_those_of_the_peer_are_looked_at() -> None:
    source = look(0, page(0, metrics()), peers=(bigtable_peer(table_cfs={"shop:orders": ()}),))
    assert "lies in a namespace" in entries(source)["illegal-name"].text


def test_a_table_that_skips_its_wal_is_a_loss() -> None:
    source = look(0, page(0, metrics()), tables=[table(durability="SKIP_WAL"), table("other", durability="SKIP_WAL")])
    assert entries(source, tables=[TableWish("orders")])["skip-wal"].count == 1


def test_bulk_loads_are_a_loss_once_a_file_waits_and_before_where_they_are_switched_on() -> None:
    waiting = entries(look(0, page(0, metrics(sizeOfHFileRefsQueue=2))))["bulk-load"]
    assert waiting.count == 2 and "never gets" in waiting.text and waiting.closes
    switched = entries(look(0, page(0, metrics(), bulkload="true")))["bulk-load-on"]
    assert "stalls the peer for good" in switched.text
    assert not {"bulk-load", "bulk-load-on"} & set(entries(look(0, page(0, metrics(), bulkload="false"))))


def test_accepting_one_unread_server_does_not_accept_another() -> None:
    one, other = (Loss("unread", 1, True, "", "", of=(server,)).gate for server in ("rs1,1,1", "rs2,1,1"))
    assert one.startswith("loss.unread.1.") and other.startswith("loss.unread.1.") and one != other


def test_a_server_that_ended_leaves_an_entry_although_it_had_dropped_nothing() -> None:
    view = View(T0, look(0, page(0, metrics())), ClusterView(Side.TARGET, "bt"))
    (entry,) = (loss for loss in ledger(view, "ferry", {}, gone=["rs9,1,1"]) if loss.kind == "gone")
    assert entry.closes and "rs9,1,1" in entry.text


def test_a_page_with_the_queue_and_without_the_library_s_counters_is_no_page_without_losses() -> None:
    mute = page(0, {name: value for name, value in metrics(sizeOfLogQueue=1).items() if "bigtable" not in name})
    assert entries(look(0, mute))["unread"].count == 1


def test_what_the_sample_and_the_copy_found_is_in_the_ledger_with_its_tables() -> None:
    sampled = Sampled(
        skipped_rows={"orders": 2, "other": 0}, large_cells={"orders": 1}, long_keys={"t": 1},
        reverse_timestamps={"orders": 7}, backfill_dropped={"other": 3},
    )  # fmt: skip
    found = entries(look(0, page(0, metrics())), sampled=sampled)
    assert found["too-large"].count == 4
    assert "2 rows too large in orders; 1 cell above 100 MB (qualifier: 16.0 KB) in orders" in found["too-large"].text
    assert found["reverse-timestamps"].count == 7 and found["reverse-timestamps"].closes
    assert "3 rows, cells or keys of other" in found["backfill-dropped"].text


def test_a_queue_in_the_load_and_an_empty_bean_are_no_server_without_losses() -> None:
    found = entries(look(0, page(0, {}), page(0, metrics(), server=RS2)))
    assert found["unread"].of == (RS1,)
    assert "unread" not in entries(look(0, page(0, {}), page(0, metrics(), server=RS2), queues=[queue(RS2)]))


def test_a_page_that_failed_closes_the_gate_where_the_cluster_does_not_say_who_lives() -> None:
    half = look(0, page(0, metrics()), page(0, server=RS2, error="connection refused"), queues=[queue(RS1)])
    found = entries(dataclasses.replace(half, identity=Observed(half.identity.value, T0, "late")))
    assert found["unread"].of == (RS2,) and "connection refused" in found["unread"].text
    held = look(0, page(0, metrics()), queues=[queue(RS1), queue(RS2)])
    assert entries(dataclasses.replace(held, identity=Observed(None, None, "late")))["unread"].of == (RS2,)


def test_a_retried_batch_and_a_server_not_read_leave_no_bound_in_either_direction() -> None:
    values = metrics(tried=60_000, read=30, bigtableDroppedIncompatibleMutations=6_000)
    loss = entries(look(0, page(0, values), page(0, server=RS2, error="refused")))["dropped"]
    assert loss.text.startswith("about 6 000 counted mutations") and "attempts count again" in loss.text
    assert not loss.at_least and not loss.at_most
