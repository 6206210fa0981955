"""Every /jmx transcript of the lab, as the newest look of a history: words, ledger and causes.

A look before it is another transcript of the same life of the same server where there is one, else the same bean with
as many attempts fewer as the lab measured in that time (1,200 a second in a loop, 1 a client timeout of 10 s).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from bigtable_views import LAB, bean, bigtable_peer, instance, look, page, there
from insight_views import FIXTURES, T0, family, queue, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.ledger import Loss, ledger, totals
from hbase_ferry.insight.bigtable.stalls import causes, rates
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.model.cluster import ClusterView, Observed, Table
from hbase_ferry.model.view import View

EMULATOR = {"unknown.instance": "Unimplemented", "unknown.clusters": "Unimplemented", "unknown.profiles": "x"}


def history(
    peer_id: str, *beans: Mapping[str, int], tables: Sequence[Table] = (), step: float = 10, lag: int = 0
) -> list[ClusterView]:
    """Looks of a lab server, `step` seconds apart, with one peer that ships these tables."""
    own = bigtable_peer(peer_id, table_cfs={each.name: () for each in tables})
    return [
        look(
            n * step,
            page(n * step, values, server=LAB),
            queues=[queue(LAB, peer_id, lag_ms=lag * n)],
            peers=(own,),
            tables=tables,
        )
        for n, values in enumerate(beans)
    ]


def fewer(values: Mapping[str, int], peer_id: str, attempts: int) -> dict[str, int]:
    """The bean as it stood that many attempts of one entry before."""
    tried = {f"source.{peer_id}.{name}" for name in (library.ELIGIBLE_ENTRIES[0], library.MUTATION_COUNTERS[0])}
    return {key: value - attempts if key in tried else value for key, value in values.items()}


def why(peer_id: str, looks: Sequence[ClusterView], *there_: Table, **parts: Observed[object]) -> dict[str, Cause]:
    found = causes(peer_id, looks, instance(*there_, settings=EMULATOR, **parts))
    return {cause.name: cause for cause in reversed(found)}


def losses(peer_id: str, values: Mapping[str, int]) -> dict[str, Loss]:
    (seen,) = history(peer_id, values)
    counted = totals(seen, peer_id, {})
    return {loss.kind: loss for loss in ledger(View(T0, seen, instance()), peer_id, counted)}


def test_a_healthy_drain_converts_deletes_loses_nothing_and_has_no_cause() -> None:
    now = bean("ok")
    before = dict.fromkeys(now, 0)
    looks = history("p1", before, now, tables=[table("t1")])
    assert why("p1", looks, there("t1")) == {}
    (rate,) = rates(looks, "p1")
    assert (rate.eligible, rate.shipped) == (4.5, 6001.0)
    found = losses("p1", now)
    assert list(found) == ["converted"]
    assert found["converted"].count == 2502 and not found["converted"].closes and not found["converted"].at_most


@pytest.mark.parametrize(("name", "peer_id"), [("dryrun-incompatible", "d1"), ("real-incompatible", "r1")])
def test_the_dry_run_and_the_real_peer_give_the_same_ledger(name: str, peer_id: str) -> None:
    found = losses(peer_id, bean(name))
    assert {kind: (loss.count, loss.closes, loss.at_most) for kind, loss in found.items()} == {
        "dropped": (2, True, False),
        "timestamp-overflow": (2, True, False),
        "converted": (2, False, False),
        "future-puts": (4, False, False),
    }
    assert found["dropped"].gate == "loss.dropped.2"
    looks = history(peer_id, bean(name), tables=[table("t1")])
    assert list(why(peer_id, looks, there("t1"))) == ["dropped mutations"]


def test_a_removed_dry_run_peer_s_counters_are_not_counted_again_for_its_id() -> None:
    assert losses("d1", bean("dryrun-incompatible"))["dropped"].count == 2
    assert "dropped" not in losses("d1", bean("real-incompatible"))


def test_a_missing_table_spins_from_the_second_look_and_is_found_by_comparing_schemas() -> None:
    now = bean("missing-table-stall")
    looks = history("mt", fewer(now, "mt", 12_000), now, tables=[table("tmt")], lag=10_000)
    found = why("mt", looks)
    assert list(found)[-1] == "table missing", "likeliest first"
    assert "lab-instance has no table tmt" in found["table missing"].evidence
    assert "1 200 entries/s again and again" in found["table missing"].evidence
    assert "36.0 GB of log an hour and about one core" in found["table missing"].evidence
    assert "permanent error" in why("mt", looks, there("tmt"))
    assert losses("mt", now) == {}, "attempts are no losses"


def test_another_peer_on_the_same_server_is_not_blamed_for_the_stall() -> None:
    now = bean("missing-table-stall")
    looks = history("r1", fewer(now, "mt", 12_000), now, tables=[table("t1")])
    assert list(why("r1", looks, there("t1"))) == ["dropped mutations"]


def replayed(name: str) -> list[tuple[str, dict[str, Cause]]]:
    """Looks a second or two apart at two servers and the target: (phase, what was named at that look)."""
    lines = [json.loads(line) for line in (FIXTURES / f"bigtable-looks-{name}.jsonl").read_text().splitlines()]
    begun = lines[0]["pages"][0]["at_ms"]
    orders = table("orders", families=[family("d"), family("m")])
    seen: list[ClusterView] = []
    found = []
    for told in lines:
        pages = [page((p["at_ms"] - begun) / 1000, p["metrics"], server=p["server"]) for p in told["pages"]]
        held = [queue(q["server"], "ferry", lag_ms=q["lag_ms"]) for q in told["queues"]]
        at = (told["pages"][0]["at_ms"] - begun) / 1000
        seen.append(look(at, *pages, queues=held, tables=[orders]))
        there_now = () if told["families"] is None else (there("orders", *told["families"]),)
        gone: Observed[object] = Observed(None, None, told["error"])
        parts = {"identity": gone, "tables": gone} if told["error"] else {}
        found.append((told["phase"], why("ferry", seen, *there_now, **parts)))
    return found


def test_a_table_dropped_under_live_writes_is_named_at_once_and_at_no_look_as_a_target_that_hangs() -> None:
    """On a busy machine: one server loops 300 times a second, the other starves at 80."""
    looks = replayed("missing-table")
    assert [set(named) for phase, named in looks if phase != "missing"] == [set()] * 4
    first, *later = (named for phase, named in looks if phase == "missing")
    assert set(first) == {"table missing"}
    assert [set(named) for named in later] == [{"table missing", "incompatible mutations"}] * 5
    assert "ships nothing, which costs up to" in later[1]["table missing"].evidence


def test_an_outage_from_a_frozen_target_to_a_table_half_made_is_told_right_at_every_look() -> None:
    """Frozen, thawed, killed, back without the table, then with one family of two, then whole."""
    names = [
        (phase, [name for name in reversed(named) if name != "incompatible mutations"])
        for phase, named in replayed("outage")
    ]
    by_phase = {phase: [named for each, named in names if each == phase] for phase, _ in names}
    assert by_phase["works"] == [[]] * 3
    assert by_phase["frozen"][0] == ["target unreachable"] and by_phase["frozen"][-1] == [
        "target unreachable",
        "target hung",
    ]
    assert by_phase["thawed"][1:] == [[]] * 3
    assert by_phase["refused"][0] == ["target unreachable"] and by_phase["refused"][-1] == [
        "target unreachable",
        "target hung",
    ]
    assert all(named[0] == "table missing" for named in by_phase["empty"])
    assert by_phase["half"] == [["family missing"]] * 8
    assert by_phase["healed"] == [[]] * 4


def test_an_endpoint_that_never_started_shows_its_queue_and_none_of_the_library_s_counters() -> None:
    now = bean("not-started")
    assert not [name for name in now if "bigtable" in name or "Eligible" in name]
    looks = history("ns1", now, now, tables=[table("orders")])
    assert list(why("ns1", looks, there("orders"))) == ["key file", "endpoint not started"], "likeliest last"
    assert list(losses("ns1", now)) == ["unread"], "what it does not count is not known"


def test_a_missing_family_spins_and_is_named() -> None:
    now = bean("missing-family-stall")
    two = table("tmf", families=[family("cf"), family("nf")])
    looks = history("mf", fewer(now, "mf", 12_000), now, tables=[two])
    found = why("mf", looks, there("tmf", "cf"))
    assert "tmf on lab-instance lacks family nf" in found["family missing"].evidence
    assert "ships nothing" in found["family missing"].evidence


def test_a_bulk_load_marker_is_told_by_its_queue_of_files() -> None:
    now = bean("bulkload-marker-stall")
    looks = history("b1", fewer(now, "b1", 12_000), now, tables=[table("t2")])
    found = why("b1", looks, there("t2"))
    assert list(found) == ["bulk load marker"]
    assert "1 bulk loaded file in the queue of peer b1" in found["bulk load marker"].evidence
    assert losses("b1", now)["bulk-load"].gate == "loss.bulk-load.1"


def test_a_hung_target_is_told_by_slow_retries_between_two_real_looks() -> None:
    looks = history("r1", bean("bidirectional"), bean("target-hung"), tables=[table("t1")], step=25)
    found = why("r1", looks, there("t1"))
    assert set(found) == {"target hung", "incompatible mutations", "dropped mutations"}
    assert "0.1 entries/s again and again" in found["target hung"].evidence


def test_a_target_that_refuses_is_told_by_slow_retries_and_by_not_answering_us() -> None:
    now = bean("target-refused")
    looks = history("r1", fewer(now, "r1", 5), now, tables=[table("t1")], step=25)
    assert "target hung" in why("r1", looks, there("t1"))
    gone: Observed[object] = Observed(None, None, "503 connection refused")
    found = causes("r1", looks, instance(identity=gone, tables=gone))
    assert found[0].name == "target unreachable" and "503" in found[0].evidence
    assert "table missing" not in {cause.name for cause in found}


def test_a_retried_batch_makes_the_ledger_an_upper_bound() -> None:
    found = losses("r1", bean("target-refused"))
    assert found["dropped"].count == 4 and found["dropped"].at_most
    assert found["dropped"].text.startswith("at most 4 mutations")


def test_a_two_way_peer_counts_its_filtered_entries_and_is_healthy() -> None:
    now = bean("bidirectional")
    looks = history("bd", now, tables=[table("t3")])
    assert why("bd", looks, there("t3")) == {}
    assert list(losses("bd", now)) == ["converted"]
