"""A comparison's report names every class, the keys and the repair, in lines that can be pasted; its step says what of
it can be accepted."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

from tests.migration.embedded import bigtable_settings
from tests.migration.shelves import NOW, Rows, Shelf, compared, copy_of, job, journaled, plain
from tests.migration.test_compare import LIMIT, OLD

from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS
from hbase_ferry.migration.bigtable.repairs import cbt_delete
from hbase_ferry.migration.bigtable.settings import CompareSettings
from hbase_ferry.migration.bigtable.verify import CellVerify
from hbase_ferry.migration.compare.pieces import CompareState
from hbase_ferry.migration.compare.report import REPAIR, get_command, moment, report
from hbase_ferry.migration.compare.result import EXAMPLES, Example, RangeResult, pack, unpack
from hbase_ferry.migration.core import Step
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Observed, Side, Table
from hbase_ferry.model.rows import Limits
from hbase_ferry.model.view import Proof, View


def planted() -> tuple[str, ...]:
    rows: Rows = {b"row'\xff%d" % n: {("d", b"q"): {OLD: b"v%d" % n}} for n in range(8)}
    other = copy_of(rows)
    del other[b"row'\xff1"]
    other[b"row'\xff2"][("d", b"more")] = {OLD: b"x"}
    other[b"row'\xff3"][("d", b"q")] = {OLD: b"spoilt"}
    other[b"row'\xff4"][("d", b"q")] = {OLD + 1_000: b"v4"}
    rows[b"row'\xff5"][("d", b"q")] = {LIMIT + 807_000: b"late"}
    other[b"row'\xff5"][("d", b"q")] = {LIMIT: b"late"}
    rows[b"row'\xff6"][("d", b"q")] = {OLD: bytes(33_000_000)}
    other[b"row'\xff7"][("d", b"q")] = {OLD + n * 1_000: b"n%d" % n for n in range(6)}
    rows[b"row'\xff7"][("d", b"q")] = {OLD + n * 1_000: b"n%d" % n for n in (3, 4, 5)}
    state = compared(job(), Shelf("a", rows), Shelf("b", other))
    return report("orders", state, cbt_delete("my-project", "my-instance", "orders", ""))


def test_the_report_names_each_class_with_keys_times_and_repair() -> None:
    at = "1749913600000 (2025-06-14 15:06:40.000 UTC)"
    cbt = "cbt -project my-project -instance my-instance deletecolumn orders"
    assert planted() == (
        "orders: 7 rows, 15 cells compared: 2 equal, 5 different, 0 pending, 1 too large to be compared",
        "missing: 1 cell, on the source, not on the target",
        f"  row'\\xFF1  d:q  source {at}, target absent",
        "  repair: write these rows of the source to the target again: timestamps stay, and twice does no harm",
        """  on the source: get 'orders', "row'\\xFF1", { COLUMN => "d:q", VERSIONS => 100 }""",
        "extra: 1 cell, on the target, not on the source",
        f"  row'\\xFF2  d:more  source absent, target {at}",
        "  repair: delete these columns on the target, then write the source's rows again: nothing else removes them",
        """  on the source: get 'orders', "row'\\xFF2", { COLUMN => "d:more", VERSIONS => 100 }""",
        f"  on the target: {cbt} $'row\\x27\\xff2' d more",
        "value: 1 cell, other bytes on the target",
        f"  row'\\xFF3  d:q  source {at}, target {at}",
        "  repair: write these rows of the source to the target again: cells of the same time are overwritten",
        """  on the source: get 'orders', "row'\\xFF3", { COLUMN => "d:q", VERSIONS => 100 }""",
        "timestamp only: 2 cells, the same bytes on the target, with another timestamp",
        f"  row'\\xFF4  d:q  source {at}, target 1749913600001 (2025-06-14 15:06:40.001 UTC)",
        "  row'\\xFF5  d:q  source 9223372036855582, target 9223372036854775",
        "  repair: delete these columns on the target, then write the source's rows again",
        """  on the source: get 'orders', "row'\\xFF4", { COLUMN => "d:q", VERSIONS => 100 }""",
        f"  on the target: {cbt} $'row\\x27\\xff4' d q",
        "1 cell of these with a time later than the target can hold: it carries the greatest one, and of several such "
        "versions one is left; no repair: accept it, or let the application write other timestamps",
        "1 row too large for one answer and not compared: look at it by other means",
        "  row'\\xFF6",
        "3 cells on one side only that the source's retention lets go: no difference",
    )


def test_what_the_target_cannot_hold_has_no_repair() -> None:
    rows: Rows = {b"a": {("d", b"q" * 11): {OLD: b"v"}}, b"long": {("d", b"q"): {OLD: b"v"}}}
    alone = report("orders", compared(job(), Shelf("a", rows), Shelf("b", {})), limits=Limits(3, 10, 0))
    assert alone[-1] == "  2 of these have a key or qualifier longer than the target takes: no repair, accept them"
    rows[b"b"] = {("d", b"q"): {OLD: b"v"}}
    lines = report("orders", compared(job(), Shelf("a", rows), Shelf("b", {})), limits=Limits(3, 10, 0))
    assert lines[-3:-1] == (alone[-1], "  repair: " + REPAIR[Fault.MISSING]) and "get 'orders', \"b\"" in lines[-1]


def test_a_clean_comparison_is_one_line() -> None:
    state = compared(job(), Shelf("a", plain(3)), Shelf("b", plain(3)))
    assert report("orders", state) == (
        "orders: 3 rows, 3 cells compared: 3 equal, 0 different, 0 pending, 0 too large to be compared",
    )


def test_more_differences_than_are_kept_are_counted() -> None:
    state = compared(job(), Shelf("a", plain(25)), Shelf("b", {}))
    lines = report("orders", state)
    assert sum("target absent" in line for line in lines) == EXAMPLES
    assert "  and 15 more" in lines


def test_a_comparison_that_was_broken_off_says_so_and_names_what_is_pending() -> None:
    lines = report("orders", compared(job(stop_after=5, rows_per_range=10), Shelf("a", plain(900)), Shelf("b", {})))
    assert "broken off after 300 rows that differ: orders needs its history anew" in lines
    running = CompareState(next="61", result=RangeResult(rows=2, pending=1, pending_keys=(b"k".hex(),)))
    assert report("orders", running)[1:] == ("1 row pending, a write was under way: compare again", "  k")


def outcome(step_id: str, rows: int) -> tuple[Step, View]:
    """The step and a view in which its comparison is over: so many rows are on the source alone."""
    step = build_plan(bigtable_settings(), "00c0de").step(f"{step_id}:{CUSTOMERS}")
    assert isinstance(step, CellVerify)
    tables = Observed((Table(CUSTOMERS, enabled=True, regions=1, families=()),), 1.0)
    view = View(1.0, ClusterView(Side.SOURCE, "a", tables=tables), ClusterView(Side.TARGET, "b"))
    what = step.comparison(view)
    assert what is not None
    what, proofs = replace(what, clock=SteppingClock(NOW), recheck_seconds=0), list[Proof]()
    compared(what, Shelf("a", plain(rows)), Shelf("b", {}), lambda work, proof: proofs.append(journaled(proof)))
    return step, replace(view, proofs=tuple(proofs[-1:]))


def accepted(step: Step, view: View) -> list[str]:
    return [gate.name for gate in step.gates(view) if gate.name.startswith("different.")]


def test_the_final_comparison_counts_every_row_that_differs_so_that_any_number_can_be_accepted() -> None:
    step, view = outcome("final-verify", 1_700)
    (gate,) = accepted(step, view)
    assert gate.endswith(".1700") and "1 700 different" in (step.failure(view) or "")
    assert step.failure(replace(view, waivers={gate: "known"})) is None


def test_the_step_says_what_it_reads() -> None:
    def says(step: str, **changes: Any) -> str:
        plan = build_plan(bigtable_settings(compare=CompareSettings(**changes)), "00c0de")
        return plan.step(f"{step}:{CUSTOMERS}").says(View(1.0, *(ClusterView(side, side.value) for side in Side)))[0]

    ends = "of customers on both sides: every cell, version and time; changes nothing"
    assert says("final-verify") == f"reads every row {ends}"
    assert says("verify") == f"reads 10% of the rows {ends}"
    assert says("verify", live_share=0.001) == f"reads 0.1% of the rows {ends}"
    assert says("final-verify", versions=1) == (
        "reads every row of customers on both sides: the 1 newest version of every column, with value and time; "
        "changes nothing"
    )


def test_a_comparison_that_was_broken_off_offers_nothing_to_accept() -> None:
    step, view = outcome("verify", 1_700)
    assert accepted(step, view) == []
    failure = step.failure(view) or ""
    assert failure.endswith("its history is wanted anew") and step.retries(view)


def test_a_key_in_a_command_of_the_shell_is_a_ruby_string_that_runs_nothing() -> None:
    example = Example(b'a"#{exit}\\'.hex(), "d", b"q".hex(), Fault.EXTRA, None, OLD)
    assert get_command("orders", example) == (
        """get 'orders', "a\\x22\\x23{exit}\\x5C", { COLUMN => "d:q", VERSIONS => 100 }"""
    )


def test_a_qualifier_that_the_shell_would_take_for_a_converter_is_not_given_to_it() -> None:
    for qualifier in (b"q:c(system('id')).x", b"http:x", b"q:toInt", b":"):
        line = get_command("orders", Example(b"a".hex(), "d", qualifier.hex(), Fault.EXTRA, None, OLD))
        assert line == """get 'orders', "a", { COLUMN => "d", VERSIONS => 100 }"""


def test_the_command_for_the_target_gives_the_very_bytes_to_the_program() -> None:
    for key in (b"plain#4", b"a'b \xff\x01\n$(exit)", b"-x", "schl\u00fcssel".encode()):
        example = Example(key.hex(), "d", b"q w".hex(), Fault.EXTRA, None, OLD)
        line = cbt_delete("p", "i", "orders", "")(example)
        words = subprocess.run(
            ["bash", "-c", "cbt() { printf '%s\\0' \"$@\"; }; " + line], capture_output=True, check=True
        ).stdout.split(b"\0")
        assert words[-4:-1] == [key, b"d", b"q w"]


def test_no_command_is_given_for_a_name_that_no_command_line_can_carry() -> None:
    example = Example(b"a\x00b".hex(), "d", "", Fault.EXTRA, None, OLD)
    assert "through a client library" in cbt_delete("p", "i", "orders", "")(example)


def test_moments_are_told_as_hbase_shows_them() -> None:
    assert moment(1_749_913_600_789_000) == "1749913600789 (2025-06-14 15:06:40.789 UTC)"
    assert moment(None) == "absent"
    assert moment(LIMIT + 807_000) == "9223372036855582"
    assert moment(1_749_913_600_789_012) == "1749913600789.012 (2025-06-14 15:06:40.789012 UTC)"
    assert moment(LIMIT + 807) == "9223372036854775.807"


def test_times_that_differ_in_microseconds_alone_look_different() -> None:
    rows, other = ({b"k": {("d", b"q"): {OLD + more: b"v"}}} for more in (0, 123))
    line = report("orders", compared(job(), Shelf("a", rows), Shelf("b", other)))[2]
    assert "source 1749913600000 (2025-06-14 15:06:40.000 UTC)" in line
    assert line.endswith("target 1749913600000.123 (2025-06-14 15:06:40.000123 UTC)")


def test_a_result_survives_its_proof_and_results_add_up() -> None:
    examples = tuple(Example(f"{n:02x}", "d", "71", fault, 1, None, True) for n in range(12) for fault in Fault)
    one = RangeResult(7, 9, 3, 2, 1, 1, 4, 2, {Fault.VALUE: 3}, examples[:5], ("aa",), ("bb",))
    two = RangeResult(1, 1, 1, 0, 0, 0, 0, 0, {Fault.VALUE: 1, Fault.EXTRA: 2}, examples)
    both = one + two
    assert (both.rows, both.cells, both.faults) == (8, 10, {Fault.VALUE: 4, Fault.EXTRA: 2})
    assert len(both.examples) == EXAMPLES * len(Fault)
    assert unpack({key: str(value) for key, value in pack(both).items()}) == both
