from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bigtable_views import bigtable_peer, instance, look, metrics, page, there
from hypothesis import given
from hypothesis import strategies as st
from insight_views import RS1, RS2, T0, family, identity, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import Loss, Sampled, ledger, remembered, totals, unseen
from hbase_ferry.insight.checks.base import TableWish
from hbase_ferry.model.cluster import ClusterView, Observed, ServerFacts, Side
from hbase_ferry.model.view import View


def dropped(number: int, *, server: str = RS1, at: float = 0, **more: int) -> ServerFacts:
    return page(at, metrics(bigtableDroppedIncompatibleMutations=number, **more), server=server)


def grown(*looks: Sequence[ServerFacts]) -> Mapping[str, str]:
    """The memory after these looks, written to disk whenever that is asked for."""
    memory: Mapping[str, str] = {}
    for servers in looks:
        memory = remembered(memory, servers, "ferry") or memory
    return memory


def entries(source: ClusterView, recorded: Mapping[str, int] | None = None, **more: object) -> dict[str, Loss]:
    view = View(T0, source, instance(there()))
    counted = totals(source.servers.current or (), "ferry", {}) if recorded is None else recorded
    found = ledger(view, "ferry", counted, **more)  # type: ignore[arg-type]
    assert [loss.closes for loss in found] == sorted((loss.closes for loss in found), reverse=True)
    return {loss.kind: loss for loss in found}


# ---- what is remembered


def test_losses_outlive_a_server_that_restarts_and_begins_at_zero() -> None:
    memory = grown([dropped(3)])
    after = [dropped(1, server="rs1,16020,2")]
    assert totals(after, "ferry", memory)[library.DROPPED] == 4
    assert totals(after, "ferry", grown([dropped(3)], after))[library.DROPPED] == 4
    assert unseen(after, memory) == (RS1,)


def test_the_same_look_twice_is_nothing_new_to_put_on_disk() -> None:
    memory = grown([dropped(3)])
    assert remembered(memory, [dropped(3)], "ferry") is None
    assert remembered(memory, [dropped(4)], "ferry") is not None


def test_shipping_and_ordinary_deletes_are_nothing_to_put_on_disk() -> None:
    memory = grown([dropped(0)])
    busy = [dropped(0, shippedOps=999, bigtableIncompatibleDeleteMutations=50, bigtablePutsInFutureMutations=9)]
    assert remembered(memory, busy, "ferry") is None
    assert totals(busy, "ferry", memory)[library.INCOMPATIBLE_DELETES] == 50


def test_a_server_without_this_peer_and_a_page_not_read_leave_the_memory_as_it_is() -> None:
    assert remembered({}, [page(0, metrics("other"))], "ferry") is None
    memory = grown([dropped(3)])
    assert remembered(memory, [page(0, error="refused")], "ferry") is None
    assert totals([page(0, error="refused")], "ferry", memory)[library.DROPPED] == 3


def test_a_counter_that_falls_within_one_life_of_a_server_goes_on_from_what_it_had() -> None:
    memory = grown([dropped(5)], [dropped(2)])
    assert totals([dropped(2)], "ferry", memory)[library.DROPPED] == 7
    assert totals([dropped(4)], "ferry", memory)[library.DROPPED] == 9


def test_what_a_removed_peer_of_the_same_id_left_behind_is_not_this_one_s_loss() -> None:
    old = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=8).items() if "bigtable" in k}
    memory = grown([page(0, old)], [dropped(8)])
    assert totals([dropped(8)], "ferry", memory)[library.DROPPED] == 0
    assert totals([dropped(11)], "ferry", memory)[library.DROPPED] == 3


def test_removing_our_own_peer_does_not_make_its_losses_an_earlier_one_s() -> None:
    left = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=4).items() if "bigtable" in k}
    memory = grown([dropped(0)], [dropped(4)])
    assert totals([page(9, left)], "ferry", memory)[library.DROPPED] == 4


LOOKS = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.integers(0, 9), st.booleans())


@given(st.lists(LOOKS, max_size=12))
def test_a_total_never_falls_whatever_servers_do(steps: list[tuple[str, int, int, bool]]) -> None:
    memory: Mapping[str, str] = {}
    before = 0
    for host, life, number, answers in steps:
        server = f"{host},16020,{life}"
        pages = [dropped(number, server=server)] if answers else [page(0, server=server, error="refused")]
        now = totals(pages, "ferry", memory).get(library.DROPPED, 0)
        assert now >= before
        before, memory = now, remembered(memory, pages, "ferry") or memory


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_a_process_that_restarts_after_each_look_counts_what_one_that_runs_on_counts(rises: list[int]) -> None:
    memory: Mapping[str, str] = {}
    number = 0
    for rise in rises:
        number += rise
        kept = dict(memory)
        memory = remembered(kept, [dropped(number)], "ferry") or kept
    assert totals([dropped(number)], "ferry", memory)[library.DROPPED] == sum(rises)


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
    seen = dataclasses.replace(
        look(0, page(0, metrics())), identity=Observed(identity(servers=(RS1, RS2), version="2.6.4"), T0)
    )
    assert entries(seen)["unread"].count == 1


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
    seen = View(T0, look(0, page(0, metrics())), ClusterView(Side.TARGET, "bt"))
    (entry,) = (loss for loss in ledger(seen, "ferry", {}, gone=["rs9,1,1"]) if loss.kind == "gone")
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
