"""A copy through the wire brings every cell with its time, once or twice alike, and counts what it cannot bring."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud.bigtable_v2.types import ReadRowsResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migration.embedded import bigtable_settings
from tests.migration.shelves import NOW, Rows, Shelf, compared, copied, copy_of, job, journaled, plain, sides
from tests.migration.test_compare import LIMIT, OLD, random_rows

import hbase_ferry
from hbase_ferry.cluster.bigtable.merging import RowMerger
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, embedded_bigtable
from hbase_ferry.cluster.simulator.scanning import page_of
from hbase_ferry.errors import Refused, Unreachable
from hbase_ferry.migration.bigtable.losses import losses
from hbase_ferry.migration.bigtable.names import BigtableContext, copy_subject
from hbase_ferry.migration.bigtable.sample import SAMPLED
from hbase_ferry.migration.compare.copying import PAGE_BYTES, Copying, copy_piece, copy_state
from hbase_ferry.migration.compare.repair import Repair
from hbase_ferry.migration.sampling import CANARY
from hbase_ferry.model.cluster import ClusterView, Side
from hbase_ferry.model.rows import CELL_BYTES, FREE_CELLS, Limits, RowPage, measured
from hbase_ferry.model.view import Proof, View


def copying(**changes: Any) -> Copying:
    return Copying("run-copy-1", "orders", clock=SteppingClock(NOW), **changes)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 80),
    per_range=st.integers(1, 90),
    crashes=st.lists(st.integers(0, 20), max_size=6),
)
def test_every_version_arrives_with_its_time_whatever_crashed(
    seed: int, count: int, per_range: int, crashes: list[int]
) -> None:
    dice = random.Random(seed)
    rows = random_rows(dice, count)
    source, target = Shelf("a", rows, cut=lambda most: min(most, dice.randint(1, 30))), Shelf("b", {})
    proofs, number = list[Proof](), 0
    while (work := copy_piece(copying(rows_per_range=per_range), proofs)) is not None:
        assert work.changes
        if number in crashes:
            left = dice.randint(1, 2)

            def fail(start: str, stop: str) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Unreachable("gone")

            source.scanned = fail
            with pytest.raises(Unreachable):
                for _ in range(4):
                    work.run(sides(source, target))
            source.scanned = lambda start, stop: None
        proofs, number = [*proofs, journaled(work.run(sides(source, target)))], number + 1
    state = copy_state(proofs, "run-copy-1")
    assert target.rows == rows
    assert (state.done, state.rows) == (True, len(rows))
    assert state.cells == sum(len(times) for columns in rows.values() for times in columns.values())
    assert compared(job(), source, target).clean


def test_what_is_sent_at_once_is_bounded_by_bytes() -> None:
    rows: Rows = {b"%04d" % n: {("d", b"q"): {OLD: bytes(20_000)}} for n in range(300)}
    source, target = Shelf("a", rows), Shelf("b", {})
    state = copied(copying(), source, target)
    assert state.rows == 300 and len(target.writes) >= 6
    assert max(target.writes) <= PAGE_BYTES + 20_000


def test_a_large_row_travels_alone_and_one_too_large_is_a_loss_with_its_key() -> None:
    rows = plain(6)
    rows[b"000002"][("d", b"big")] = {OLD: bytes(9_000_000)}
    rows[b"000004"][("d", b"big")] = {OLD: bytes(33_000_000)}
    source, target = Shelf("a", rows), Shelf("b", {})
    notes: list[str] = []
    state = copied(copying(), source, target, lambda work, proof: notes.append(proof.note))
    assert (state.rows, state.skipped, state.skipped_keys) == (5, 1, (b"000004".hex(),))
    assert target.rows[b"000002"] == rows[b"000002"] and b"000004" not in target.rows
    assert notes[-1] == "orders: 5 rows, 8.6 MB copied, 1 row too large to be copied, to its end"


def test_a_row_of_very_many_tiny_cells_is_too_large_for_an_answer_although_its_bytes_are_few() -> None:
    rows = plain(3)
    rows[b"000001"] = {("d", b"%06d" % n): {OLD: b""} for n in range(300_000)}
    state = copied(copying(), Shelf("a", rows), Shelf("b", {}))
    assert (state.rows, state.skipped_keys) == (2, (b"000001".hex(),))


def test_a_page_ends_by_its_cells_where_their_bytes_are_few() -> None:
    rows: Rows = {b"%04d" % n: {("d", b"%03d" % q): {OLD: b""} for q in range(500)} for n in range(100)}
    source, pages = Shelf("a", rows), list[RowPage]()
    source.made = lambda page: (pages.append(page), page)[1]
    assert copied(copying(), source, Shelf("b", {})).rows == 100
    assert max(len(page.rows) for page in pages) * 500 * CELL_BYTES < 1.2 * PAGE_BYTES
    assert sum(page.bytes for page in pages) == 100 * 500 * 7, "what is told are keys and values alone"


def test_the_client_of_an_instance_holds_no_row_of_very_many_tiny_cells() -> None:
    merger, many = RowMerger(100_000), 5_000
    head = {"row_key": b"k", "family_name": "d", "timestamp_micros": 1000}
    rows = [
        merger.take(ReadRowsResponse.CellChunk.pb(ReadRowsResponse.CellChunk(**head, qualifier=b"q", **end)))
        for end in ({},) * (many - 1) + ({"commit_row": True},)
    ]
    assert rows[-1] == (b"k", None, 1 + many) and rows[:-1] == [None] * (many - 1)


def test_a_simulated_cluster_s_page_ends_by_its_cells_where_their_bytes_are_few() -> None:
    table = embedded_bigtable(7, SteppingClock(NOW)).clusters[Side.SOURCE].tables[CUSTOMERS]
    asked = {"start": "", "stop": "", "families": [], "max_rows": 100_000, "values": "full"}
    page: Any = page_of(table, {**asked, "max_bytes": 200_000})
    cells = sum(len(row[1]) for row in page["rows"])
    assert page["next"] is not None and page["bytes"] < 150_000 <= measured(page["bytes"], cells) < 210_000
    page = page_of(table, {**asked, "max_bytes": 1, "max_rows": 3})
    assert len(page["skipped"]) == 3 and not page["rows"], "what is skipped fills no page"


def test_the_agent_counts_cells_as_the_others_do() -> None:
    agent = (Path(hbase_ferry.__file__).parent / "cluster/agent.rb").read_text()
    for name, number in (("CELL_BYTES", CELL_BYTES), ("FREE_CELLS", FREE_CELLS)):
        assert re.findall(rf"^{name} = ([\d_]+)", agent, re.MULTILINE) == [f"{number:_}"]


def test_what_is_above_the_target_s_limits_is_counted_and_the_rest_is_copied() -> None:
    rows = plain(3)
    rows[bytes(5)] = {("d", b"q"): {OLD: b"x"}}
    rows[b"000001"][("d", bytes(11))] = {OLD: b"long name", OLD + 1_000: b"twice"}
    rows[b"000001"][("d", b"v")] = {OLD: bytes(21)}
    rows[b"000002"] = {("d", b"v"): {OLD: bytes(21)}}
    source, target = Shelf("a", rows), Shelf("b", {})
    notes: list[str] = []
    state = copied(copying(limits=Limits(10, 10, 20)), source, target, lambda work, proof: notes.append(proof.note))
    assert (state.rows, state.skipped, state.refused) == (3, 0, 4)
    assert target.rows.keys() == {bytes(5), b"000000", b"000001"} and ("d", b"v") not in target.rows[b"000001"]
    assert notes[-1].endswith("4 cells too large for the target, to its end")

    what = copying(limits=Limits(key=5))
    state = copied(what, Shelf("a", rows), target := Shelf("b", {}), lambda work, proof: notes.append(proof.note))
    assert (state.rows, state.skipped, state.long_keys, state.refused) == (1, 0, 3, 0)
    assert notes[-1].endswith("3 rows with a key too long for the target, to its end")
    assert state.skipped_keys[0] == b"000000".hex() and target.rows.keys() == {bytes(5)}


def test_a_row_with_a_key_too_long_is_one_loss_whether_the_sample_saw_it_or_the_copy() -> None:
    settings = bigtable_settings()
    ctx = BigtableContext(settings, "00c0de", SteppingClock(NOW))
    view = View(1.0, ClusterView(Side.SOURCE, "a"), ClusterView(Side.TARGET, "b"))
    what = replace(copying(limits=Limits(key=5)), subject=copy_subject(ctx, view, CUSTOMERS))
    rows, proofs = {**plain(5), b"short": plain(1)[b"000000"]}, list[Proof]()
    copied(what, Shelf("a", rows), Shelf("b", {}), lambda work, proof: proofs.append(journaled(proof)))
    saw = Proof(SAMPLED, CUSTOMERS, 1.0, {"long_keys": "3", "skipped_rows": "0"}, "")
    for seen, most in ((proofs, 5), ([*proofs, saw], 5), ([saw], 3)):
        found = [loss for loss in losses(ctx, replace(view, proofs=tuple(seen))) if CUSTOMERS in loss.text]
        assert [(loss.count, "key" in loss.text) for loss in found] == [(most, True)], found


def test_a_copy_recorded_without_a_number_goes_on() -> None:
    source, proofs = Shelf("a", plain(3)), list[Proof]()
    work = copy_piece(copying(rows_per_range=2), proofs)
    assert work is not None
    made = work.run(sides(source, Shelf("b", {})))
    basis = {name: number for name, number in made.basis.items() if name != "refused"}
    assert copy_state([journaled(replace(made, basis=basis))], "run-copy-1").rows == 2


def test_canary_rows_are_not_copied() -> None:
    rows = plain(3)
    rows[b"000001" + CANARY + b"1"] = {("d", b"c"): {OLD: b"x"}}
    source, target = Shelf("a", rows), Shelf("b", {})
    assert copied(copying(), source, target).rows == 3
    assert set(target.rows) == set(plain(3))


def test_only_the_named_families_are_copied() -> None:
    source, target = Shelf("a", plain(3, ("d", "m"))), Shelf("b", {})
    copied(copying(families=("m",)), source, target)
    assert {name for columns in target.rows.values() for name, _ in columns} == {"m"}


def test_times_the_target_cannot_hold_become_its_greatest_and_the_newest_version_stays() -> None:
    times = {LIMIT + 2_000: b"newest", LIMIT + 1_000: b"older", OLD: b"o"}
    source, target = Shelf("a", {b"k": {("d", b"q"): times}}), Shelf("b", {})
    state = copied(copying(), source, target)
    assert target.rows == {b"k": {("d", b"q"): {LIMIT: b"newest", OLD: b"o"}}}
    assert (state.cells, state.clamped, state.merged) == (2, 2, 1)


def test_two_pages_are_read_ahead_while_one_is_written_and_no_more() -> None:
    source, target = Shelf("a", plain(100), cut=lambda most: min(most, 10)), Shelf("b", {})
    ahead: list[int] = []
    made, kept = source.made, list[RowPage]()

    def counting(page: RowPage) -> RowPage:
        kept.append(page)
        ahead.append(len(kept) - len(target.writes))
        return made(page)

    source.made = counting
    copied(copying(), source, target)
    assert max(ahead) <= 3


def test_each_attempt_has_its_own_cursor() -> None:
    source, target = Shelf("a", plain(3)), Shelf("b", {})
    work = copy_piece(copying(), [])
    assert work is not None and work.text == "copy orders from its beginning (0 rows, 0 B so far)"
    proofs = [journaled(work.run(sides(source, target)))]
    assert copy_state(proofs, "run-copy-1").done and not copy_state(proofs, "run-copy-2").begun


def test_a_repair_writes_the_row_of_the_source_again() -> None:
    rows = plain(3)
    other = copy_of(rows)
    other[b"000001"] = {("d", b"q"): {OLD + 50_000_000: b"spoilt"}}
    source, target = Shelf("prod", rows), Shelf("instance", other)
    said = Repair("orders").row(sides(source, target), b"000001".hex())
    assert said == "wrote 1 cell of row 000001 of orders to instance"
    assert compared(job(), source, target).clean


def test_a_repair_of_a_row_the_source_does_not_have_is_refused() -> None:
    source, target = Shelf("prod", {}), Shelf("instance", plain(1))
    with pytest.raises(Refused, match="prod has no row 000000 in orders: delete it on instance instead"):
        Repair("orders").row(sides(source, target), b"000000".hex())
    assert not target.writes


def test_a_repair_of_a_row_too_large_for_an_answer_is_refused() -> None:
    source = Shelf("prod", {b"k": {("d", b"q"): {OLD: bytes(33_000_000)}}})
    with pytest.raises(Refused, match="row k of orders is too large"):
        Repair("orders").row(sides(source, Shelf("instance", {})), b"k".hex())


def test_a_repair_leaves_out_what_the_target_does_not_take_as_the_copy_did() -> None:
    rows: Rows = {b"k": {("d", b"q"): {OLD: b"v"}, ("d", bytes(11)): {OLD: b"v"}, ("d", b"v"): {OLD: bytes(21)}}}
    source, target = Shelf("prod", rows), Shelf("instance", {})
    said = Repair("orders", limits=Limits(10, 10, 20)).row(sides(source, target), b"k".hex())
    assert said == "wrote 1 cell of row k of orders to instance; 2 cells larger than it takes left out"
    assert target.rows == {b"k": {("d", b"q"): {OLD: b"v"}}}


def test_a_repair_of_which_the_target_takes_nothing_is_refused() -> None:
    rows: Rows = {b"long key": {("d", b"q"): {OLD: b"v"}}, b"k": {("d", bytes(11)): {OLD: b"v"}}}
    source, target = Shelf("prod", rows), Shelf("instance", {})
    for key in rows:
        with pytest.raises(Refused, match=f"instance can hold nothing of row {key.decode()} of orders"):
            Repair("orders", limits=Limits(5, 10, 20)).row(sides(source, target), key.hex())
    assert not target.writes
