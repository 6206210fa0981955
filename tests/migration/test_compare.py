"""A comparison of two sides finds what differs and nothing else, whatever the pages, the writes and the stops."""

from __future__ import annotations

import gc
import json
import random
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migration.shelves import (
    NOW,
    WRITTEN,
    Column,
    Rows,
    Shelf,
    compared,
    copy_of,
    family,
    job,
    journaled,
    plain,
    sides,
)

from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.errors import BadAnswer, Unreachable
from hbase_ferry.migration.compare.pieces import DOUBTS, CompareState, compare_piece, compare_state
from hbase_ferry.migration.compare.result import Example
from hbase_ferry.migration.sampling import CANARY, Fault
from hbase_ferry.model.rows import RowPage
from hbase_ferry.model.view import Proof

SECOND = 1_000_000
OLD = (NOW - 86_400) * SECOND


@dataclass(frozen=True)
class Planted:
    key: bytes
    column: Column
    fault: Fault | None
    "None: a cell that retention lets go"


def random_rows(dice: random.Random, count: int, versions: int = 3) -> Rows:
    rows: Rows = {}
    for _ in range(count):
        key = dice.randbytes(dice.randint(1, 4))
        for name in dice.sample(["d", "m"], dice.randint(1, 2)):
            for qualifier in dice.sample([b"", b"a", b"ab", b"\xff\x00"], dice.randint(1, 3)):
                times = dice.sample(range(10, 90), dice.randint(1, versions))
                rows.setdefault(key, {})[(name, qualifier)] = {OLD + t * SECOND: dice.randbytes(6) for t in times}
    return rows


def plant(dice: random.Random, rows: Rows, target: Rows, count: int) -> list[Planted]:
    """Differences in `count` columns of the target, of every kind in turn."""
    places = [(key, column) for key in sorted(rows) for column in sorted(rows[key])]
    planted = []
    for number, (key, column) in enumerate(dice.sample(places, min(count, len(places)))):
        times = target.setdefault(key, {}).setdefault(column, {})
        chosen = dice.choice(sorted(times))
        kind = number % 5
        if kind == 0:
            del times[chosen]
        elif kind == 1:
            times[OLD + dice.randint(90, 99) * SECOND] = dice.randbytes(7)
        elif kind == 2:
            times[chosen] = dice.randbytes(7)
        elif kind == 3:
            times[OLD + dice.choice([-1, 5, 95]) * SECOND] = times.pop(chosen)
        else:
            times[OLD + dice.randint(0, 9) * SECOND] = dice.randbytes(7)
        older = None if len(rows[key][column]) >= 3 else Fault.EXTRA
        planted.append(Planted(key, column, (Fault.MISSING, Fault.EXTRA, Fault.VALUE, Fault.TIMESTAMP, older)[kind]))
    for key in sorted(target):
        target[key] = {column: times for column, times in target[key].items() if times}
        if not target[key]:
            del target[key]
    return planted


def found_in(state: CompareState) -> set[tuple[str, str, str, Fault]]:
    return {(e.key, e.family, e.qualifier, e.fault) for e in state.result.examples}


def expected(planted: list[Planted]) -> set[tuple[str, str, str, Fault]]:
    return {(p.key.hex(), p.column[0], p.column[1].hex(), p.fault) for p in planted if p.fault is not None}


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    wrong=st.integers(0, 20),
    most=st.integers(1, 70),
    per_range=st.integers(1, 70),
)
def test_exactly_the_planted_differences_are_found(
    seed: int, count: int, wrong: int, most: int, per_range: int
) -> None:
    dice = random.Random(seed)
    rows = random_rows(dice, count)
    other = copy_of(rows)
    planted = plant(dice, rows, other, wrong)
    source = Shelf("a", rows, cut=lambda asked: min(asked, most))
    target = Shelf("b", other, cut=lambda asked: min(asked, dice.randint(1, 70)))
    state = compared(job(rows_per_range=per_range), source, target)
    assert found_in(state) == expected(planted)
    kinds = Counter(p.fault for p in planted)
    assert state.result.gc == kinds.pop(None, 0)
    assert state.result.faults == dict(kinds)
    assert state.result.different == len({p.key for p in planted if p.fault is not None})
    assert state.result.rows == len(rows | other) == state.result.equal + state.result.different
    assert (state.done, state.pending) == (True, 0)
    assert state.clean == (not kinds)


def one(column: dict[int, bytes], other: dict[int, bytes], name: str = "d", **changes: Any) -> CompareState:
    """Two tables of one column."""
    tables: list[Rows] = [{b"k": {(name, b"q"): dict(times)}} if times else {} for times in (column, other)]
    return compared(job(recheck_seconds=0, **changes), Shelf("a", tables[0]), Shelf("b", tables[1]))


def faults(state: CompareState) -> list[tuple[str, int | None, int | None]]:
    return [(e.fault.value, e.source_us, e.target_us) for e in state.result.examples]


def test_a_row_on_one_side_only_is_missing_or_extra() -> None:
    assert faults(one({OLD: b"v"}, {})) == [("missing", OLD, None)]
    assert faults(one({}, {OLD: b"v"})) == [("extra", None, OLD)]


def test_an_old_version_that_the_source_hides_is_no_difference_however_many_there_are() -> None:
    state = one({OLD + 2: b"new"}, {OLD + 2: b"new", OLD + 1: b"old", OLD: b"older"}, kept=(family("d", versions=1),))
    assert (state.result.gc, state.result.equal, state.clean) == (2, 1, True)


def test_an_old_version_within_what_the_source_keeps_is_extra() -> None:
    assert faults(one({OLD + 2: b"new"}, {OLD + 2: b"new", OLD: b"deleted there"})) == [("extra", None, OLD)]


def test_a_family_nobody_knows_has_no_retention_that_excuses_it() -> None:
    assert faults(one({OLD + 2: b"n"}, {OLD + 2: b"n", OLD: b"o"}, name="x")) == [("extra", None, OLD)]


def test_cells_around_their_expiry_on_one_side_only_are_no_difference() -> None:
    kept = (family("d", ttl=86_400),)
    for age in (86_400 + 3_600, 86_400 + 1, 86_400 - 1, 86_400 - 30):
        written = (NOW - age) * SECOND
        assert one({}, {written: b"v"}, kept=kept).result.gc == 1
        assert one({written: b"v"}, {}, kept=kept).result.gc == 1
    young = (NOW - 86_400 + 120) * SECOND
    assert faults(one({young: b"v"}, {}, kept=kept)) == [("missing", young, None)]
    assert faults(one({}, {young: b"v"}, kept=kept)) == [("extra", None, young)]


def test_expired_cells_that_min_versions_keeps_are_compared() -> None:
    kept = (family("d", ttl=3_600, least=1),)
    assert faults(one({OLD: b"v"}, {}, kept=kept)) == [("missing", OLD, None)]
    assert one({OLD + 1: b"v"}, {OLD + 1: b"v", OLD: b"w"}, kept=kept).result.gc == 1


def test_a_short_ttl_leaves_young_cells_to_be_compared() -> None:
    young = (NOW - 2) * SECOND
    assert faults(one({young: b"v"}, {}, kept=(family("d", ttl=30),))) == [("missing", young, None)]


def test_only_the_newest_versions_are_compared_where_that_is_asked() -> None:
    ours = {OLD + 3: b"c", OLD + 2: b"b", OLD + 1: b"a"}
    assert one(ours, {OLD + 3: b"c", OLD + 2: b"b"}, versions=2).clean
    assert faults(one(ours, {OLD + 3: b"c"}, versions=2)) == [("missing", OLD + 2, None)]
    moved = one({**ours}, {OLD + 9: b"x", **ours}, versions=2)
    assert faults(moved) == [("extra", None, OLD + 9)]


LIMIT = 9_223_372_036_854_775_000


def test_a_time_the_target_cannot_hold_is_a_timestamp_and_not_a_missing_cell() -> None:
    state = one({LIMIT + 807_000: b"v"}, {LIMIT: b"v"})
    assert faults(state) == [("timestamp", LIMIT + 807_000, LIMIT)]
    assert (state.result.clamped, state.result.examples[0].clamped) == (1, True)


def test_versions_that_collapse_into_the_greatest_time_are_told_as_such() -> None:
    state = one({LIMIT + 2_000: b"b", LIMIT + 1_000: b"a", OLD: b"o"}, {LIMIT: b"a", OLD: b"o"})
    assert faults(state) == [("timestamp", LIMIT + 2_000, LIMIT), ("timestamp", LIMIT + 1_000, LIMIT)]
    assert (state.result.clamped, state.result.faults) == (2, {Fault.TIMESTAMP: 2})


def test_a_collapsed_cell_with_a_value_of_nobody_is_a_value() -> None:
    assert faults(one({LIMIT + 1_000: b"a"}, {LIMIT: b"x"})) == [("value", LIMIT + 1_000, LIMIT)]


def test_a_time_the_target_cannot_hold_and_does_not_have_is_missing() -> None:
    assert faults(one({LIMIT + 1_000: b"a"}, {})) == [("missing", LIMIT + 1_000, None)]


def test_the_greatest_time_itself_is_an_ordinary_one() -> None:
    assert one({LIMIT: b"a"}, {LIMIT: b"a"}).clean


def test_canary_rows_are_left_out_and_count_for_nothing() -> None:
    rows, other = plain(3), plain(3)
    rows[b"000001" + CANARY + b"7"] = {("d", b"c"): {OLD: b"x"}}
    other[CANARY + b"8"] = {("d", b"c"): {OLD: b"x"}}
    state = compared(job(rows_per_range=2), Shelf("a", rows), Shelf("b", other))
    assert (state.result.rows, state.result.equal, state.clean) == (3, 3, True)


def test_rows_too_large_for_an_answer_are_not_compared_and_never_count_as_equal() -> None:
    rows, other = plain(6), plain(6)
    rows[b"000002"][("d", b"big")] = {OLD: bytes(33_000_000)}
    del other[b"000002"]
    other[b"000004"][("d", b"big")] = {OLD: bytes(33_000_000)}
    state = compared(job(), Shelf("a", rows), Shelf("b", other))
    assert state.result.not_compared_keys == (b"000002".hex(), b"000004".hex())
    assert (state.result.not_compared, state.result.rows, state.result.different, state.clean) == (2, 4, 0, False)


def test_only_the_named_families_are_compared() -> None:
    rows, other = plain(5, ("d", "m")), plain(5, ("d",))
    assert compared(job(families=("d",)), Shelf("a", rows), Shelf("b", other)).clean
    assert compared(job(), Shelf("a", rows), Shelf("b", other)).result.faults == {Fault.MISSING: 5}


@pytest.mark.parametrize("lone", ["source", "target"])
def test_a_side_that_is_empty_is_compared_in_bounded_ranges(lone: str) -> None:
    full, empty = Shelf("full", plain(50)), Shelf("empty", {})
    source, target = (full, empty) if lone == "source" else (empty, full)
    pieces: list[Proof] = []
    state = compared(job(rows_per_range=10), source, target, lambda work, proof: pieces.append(proof))
    assert state.result.faults == {Fault.MISSING if lone == "source" else Fault.EXTRA: 50}
    assert len(pieces) >= 5


class Lagging:
    """A source under writes and a target they reach `lag` seconds later. Every page takes 0.05 s of the clock, in
    which so many writes happen; hot rows are written over and over."""

    def __init__(
        self, dice: random.Random, rows: Rows, other: Rows, writes: int, lag: float, quiet: set[bytes]
    ) -> None:
        self.clock, self.dice, self.lag, self.writes = SteppingClock(NOW), dice, lag, writes
        self.source, self.target = Shelf("a", rows), Shelf("b", other)
        self.target.lock = self.source.lock
        self.keys = [key for key in sorted(rows) if key not in quiet]
        self.under_way: list[tuple[float, bytes, dict[Column, dict[int, bytes]] | None]] = []
        self.source.scanned = self.target.scanned = self.happen

    def happen(self, start: str, stop: str) -> None:
        self.clock.sleep(0.05)
        now = self.clock.now()
        for _ in range(self.writes):
            key = self.dice.choice(self.keys[:3] if self.dice.random() < 0.2 else self.keys)
            self.change(key, int(now * SECOND))
            row = self.source.rows.get(key)
            self.under_way.append((now, key, copy_of({key: row})[key] if row else None))
        while self.under_way and self.under_way[0][0] <= now - self.lag:
            _, key, row = self.under_way.pop(0)
            if row is None:
                self.target.rows.pop(key, None)
            else:
                self.target.rows[key] = row

    def change(self, key: bytes, time_us: int) -> None:
        if self.dice.random() < 0.2:
            self.source.rows.pop(key, None)
            return
        column = ("d", self.dice.choice([b"q", b"r"]))
        self.source.put(key, column, time_us, self.dice.randbytes(4))
        times = self.source.rows[key][column]
        for old in sorted(times)[:-3]:
            del times[old]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    writes=st.integers(1, 25),
    lag=st.floats(0, 8),
    per_range=st.integers(5, 300),
)
def test_writes_under_way_are_no_differences_and_hide_none(seed: int, writes: int, lag: float, per_range: int) -> None:
    dice = random.Random(seed)
    rows = plain(300)
    other = copy_of(rows)
    quiet = dict(list(rows.items())[100:200])
    planted = plant(dice, quiet, other, 10)
    world = Lagging(dice, rows, other, writes, lag, set(quiet))
    state = compared(job(rows_per_range=per_range, clock=world.clock), world.source, world.target)
    assert found_in(state) == expected(planted)
    assert state.result.different == len(expected(planted))
    assert state.result.rows == state.result.equal + state.result.different + state.result.pending


def test_a_row_that_never_stands_still_is_pending_and_keeps_the_comparison_from_being_clean() -> None:
    rows = plain(20)
    source, target = Shelf("a", copy_of(rows)), Shelf("b", copy_of(rows))
    clock = SteppingClock(NOW)
    times = iter(range(1_000_000))
    source.scanned = lambda start, stop: source.put(b"000007", ("d", b"hot"), OLD + next(times), b"x")
    state = compared(job(clock=clock), source, target)
    assert (state.result.pending, state.result.different, state.clean) == (1, 0, False)
    assert state.result.pending_keys == (b"000007".hex(),)


def test_a_cell_that_stood_still_is_found_in_a_row_whose_other_cells_change() -> None:
    rows = plain(20)
    source, target = Shelf("a", copy_of(rows)), Shelf("b", copy_of(rows))
    target.put(b"000007", ("d", b"q"), WRITTEN, b"spoilt")
    times = iter(range(1_000_000))
    source.scanned = lambda start, stop: source.put(b"000007", ("m", b"hot"), OLD + next(times), b"x")
    state = compared(job(), source, target)
    assert found_in(state) == {(b"000007".hex(), "d", b"q".hex(), Fault.VALUE)}


def test_a_row_that_lacks_many_columns_is_told_whole_as_long_as_it_stands_still() -> None:
    rows: Rows = {b"wide": {("d", b"%02d" % n): {OLD: b"v"} for n in range(40)}}
    assert compared(job(), Shelf("a", rows), Shelf("b", {})).result.faults == {Fault.MISSING: 40}


def test_a_difference_is_looked_at_again_for_as_long_as_a_write_may_take_and_later_ranges_are_read_meanwhile() -> None:
    rows = plain(100)
    source, target = Shelf("a", copy_of(rows)), Shelf("b", copy_of(rows))
    del target.rows[b"000003"]
    clock, log = SteppingClock(NOW), list[str]()
    state = compared(job(rows_per_range=20, clock=clock), source, target, lambda work, proof: log.append(work.text))
    assert log[0] == "compare orders from its beginning (0 rows so far)"
    assert [text.split()[0] for text in log[:6]] == ["compare"] * 6
    assert set(log[6:]) == {"look again at 1 row that differs in orders: their writes may be under way"}
    assert 30 <= clock.now() - NOW <= 34
    assert state.result.faults == {Fault.MISSING: 1}


def test_a_comparison_that_finds_too_much_is_broken_off() -> None:
    state = compared(job(rows_per_range=50, stop_after=100), Shelf("a", plain(2_000)), Shelf("b", {}))
    assert (state.broken_off, state.done, state.clean) == (True, True, False)
    assert 100 <= state.result.different <= 100 + DOUBTS
    assert state.result.rows < 2_000


def test_a_comparison_without_a_bound_reads_all_of_a_table_that_differs_everywhere() -> None:
    widest: list[int] = []
    state = compared(
        job(rows_per_range=50, stop_after=0, recheck_seconds=0),
        Shelf("a", plain(2_000)),
        Shelf("b", {}),
        lambda work, proof: widest.append(len(compare_state([journaled(proof)], proof.subject).doubts)),
    )
    assert (state.broken_off, state.done, state.next, state.result.different) == (False, True, None, 2_000)
    assert max(widest) <= DOUBTS


def test_rows_that_differ_in_clamped_times_alone_break_nothing_off() -> None:
    late: Rows = {b"%06d" % n: {("d", b"q"): {LIMIT + 807_000: b"v"}} for n in range(900)}
    held: Rows = {key: {("d", b"q"): {LIMIT: b"v"}} for key in late}
    what = job(rows_per_range=50, stop_after=100, recheck_seconds=0)
    state = compared(what, Shelf("a", late), Shelf("b", held))
    assert (state.broken_off, state.next, state.result.different, state.result.clamped_rows) == (False, None, 900, 900)
    lacking: Rows = {key: {**row, ("m", b"q"): {OLD: b"v"}} for key, row in late.items()}
    state = compared(what, Shelf("a", lacking), Shelf("b", held))
    assert (state.broken_off, state.result.clamped_rows) == (True, 0)


def test_memory_holds_three_pages_of_each_side_whatever_the_table() -> None:
    """Of each side the page that is compared and the two ahead of it."""
    live: dict[str, weakref.WeakSet[Any]] = {"a": weakref.WeakSet(), "b": weakref.WeakSet()}
    highest: Counter[str] = Counter()

    def counting(name: str) -> Any:
        def made(page: RowPage) -> RowPage:
            counted = Counted(page.rows)
            live[name].add(counted.own)
            highest[name] = max(highest[name], len(live[name]))
            return RowPage(counted, page.next, page.bytes, page.skipped)

        return made

    class Own:
        pass

    class Counted(tuple):  # type: ignore[type-arg]
        own: Own

        def __new__(cls, rows: Any) -> Counted:
            made = super().__new__(cls, rows)
            made.own = Own()
            return made

    source, target = (Shelf(name, plain(600), cut=lambda most: min(most, 7)) for name in "ab")
    source.made, target.made = counting("a"), counting("b")
    assert compared(job(rows_per_range=500), source, target).clean
    gc.collect()
    assert len(source.scans) > 80
    assert 1 <= highest["a"] <= 3 and 1 <= highest["b"] <= 3
    assert not live["a"] and not live["b"]


def test_a_cursor_does_not_grow_with_what_was_found() -> None:
    sizes: list[int] = []
    compared(
        job(rows_per_range=200, stop_after=10**9),
        Shelf("a", plain(1_000)),
        Shelf("b", {}),
        lambda work, proof: sizes.append(len(json.dumps(dict(proof.basis)))),
    )
    assert max(sizes) < 60_000


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), crashes=st.lists(st.integers(0, 30), max_size=8), per_range=st.integers(1, 40))
def test_a_comparison_that_crashed_anywhere_ends_with_the_same_totals(
    seed: int, crashes: list[int], per_range: int
) -> None:
    dice = random.Random(seed)
    rows = random_rows(dice, 60)
    other = copy_of(rows)
    plant(dice, rows, other, 12)
    what = job(rows_per_range=per_range)
    straight = compared(what, Shelf("a", rows), Shelf("b", other))
    source, target = Shelf("a", rows), Shelf("b", other)
    again, proofs, number = job(rows_per_range=per_range), list[Proof](), 0
    while (work := compare_piece(again, proofs)) is not None:
        if number in crashes:
            left = dice.randint(0, 2)

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
            again = job(rows_per_range=per_range, clock=SteppingClock(again.clock.now()))
            work = compare_piece(again, proofs)
            assert work is not None
        proofs, number = [*proofs, journaled(work.run(sides(source, target)))], number + 1
    assert compare_state(proofs, again.subject).result == straight.result


def test_each_attempt_has_its_own_cursor() -> None:
    source, target = Shelf("a", plain(5)), Shelf("b", plain(5))
    first = compare_piece(job(), [])
    assert first is not None
    proofs = [journaled(first.run(sides(source, target)))]
    assert compare_state(proofs, "run-final-1").done
    assert not compare_state(proofs, "run-final-2").begun
    assert compare_piece(job(subject="run-final-2"), proofs) is not None


def test_a_share_reads_less_and_still_every_region_at_its_beginning() -> None:
    dice = random.Random(7)
    rows = {dice.randbytes(8): {("d", b"q"): {OLD: b"v"}} for _ in range(8_000)}
    starts = ("", "40", "80", "c0")
    source, target = Shelf("a", rows), Shelf("b", rows)
    read: set[str] = set()
    target.made = lambda page: (read.update(key for key, _ in page.rows), page)[1]
    state = compared(job(share=0.1, starts=starts, rows_per_range=50), source, target)
    assert 0.08 * 8_000 <= state.result.rows <= 0.13 * 8_000
    assert state.clean and state.passed(starts) == 4
    assert {min(key.hex() for key in rows if key.hex() >= start) for start in starts} <= read


TEXTS = {
    "digits": lambda n, dice: b"user%08d" % n,
    "digits of any length": lambda n, dice: b"user%d" % n,
    "uuid": lambda n, dice: dice.randbytes(16).hex().encode(),
    "letters": lambda n, dice: bytes(dice.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(10)),
    "salted times": lambda n, dice: b"%02d|%013d" % (n % 16, 1_750_000_000_000 + n * 977),
    "long numbers": lambda n, dice: n.to_bytes(8, "big"),
    "very long": lambda n, dice: b"x" * 20_000 + b"%06d" % n,
}


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_the_share_holds_for_keys_of_any_kind(kind: str) -> None:
    dice = random.Random(5)
    number = 500 if kind == "very long" else 4_000
    rows: Rows = {TEXTS[kind](n, dice): {("d", b"q"): {OLD: b"v"}} for n in range(number)}
    what = job(share=0.2, starts=("",), rows_per_range=20)
    state = compared(what, Shelf("a", rows), Shelf("b", rows))
    assert state.clean and 0.12 * number <= state.result.rows <= 0.3 * number


def test_a_leap_does_not_pass_over_keys_of_another_kind() -> None:
    rows: Rows = {key: {("d", b"q"): {OLD: b"v"}} for n in range(400) for key in (b"%03d" % n, b"x%03d" % n)}
    read: set[str] = set()
    target = Shelf("b", rows)
    target.made = lambda page: (read.update(key for key, _ in page.rows), page)[1]
    assert compared(job(share=0.2, starts=("",), rows_per_range=100), Shelf("a", rows), target).clean
    assert {bytes.fromhex(key)[:1] for key in read} >= {b"0", b"x"}


def test_progress_can_be_told_in_regions() -> None:
    starts = ("", b"000100".hex(), b"000200".hex())
    seen: list[int] = []
    compared(
        job(rows_per_range=50),
        Shelf("a", plain(300)),
        Shelf("b", plain(300)),
        lambda work, proof: seen.append(compare_state([journaled(proof)], proof.subject).passed(starts)),
    )
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 3 and {1, 2} <= set(seen)


def test_an_answer_out_of_order_is_refused() -> None:
    source, target = Shelf("a", plain(5)), Shelf("b", plain(5))
    target.made = lambda page: RowPage(page.rows[::-1], page.next, page.bytes)
    with pytest.raises(BadAnswer, match=r"b: rows\.scan of orders answered row"):
        compared(job(), source, target)


def test_an_answer_that_leads_nowhere_is_refused() -> None:
    source, target = Shelf("a", plain(5)), Shelf("b", plain(5))
    source.made = lambda page: RowPage((), "", 0)
    with pytest.raises(BadAnswer, match=r"a: rows\.scan of orders"):
        compared(job(), source, target)


def test_the_note_of_a_cursor_is_a_sentence() -> None:
    notes: list[str] = []
    other = plain(100)
    del other[b"000002"]
    compared(job(rows_per_range=50), Shelf("a", plain(100)), Shelf("b", other), lambda w, p: notes.append(p.note))
    assert notes[0] == "orders: 50 rows compared, 0 differ, 1 may still be under way; read up to 000049"
    assert notes[-1] == "orders: 100 rows compared, 1 differ; read to its end"


def test_examples_say_what_a_person_needs() -> None:
    example = one({OLD: b"v"}, {OLD: b"w"}).result.examples[0]
    assert example == Example(b"k".hex(), "d", b"q".hex(), Fault.VALUE, OLD, OLD)
    assert example.column == "d:q"
