"""What a sample calls equal, pending and different, on two dictionaries that change while they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from hbase_ferry import wiring
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.errors import ConfigError, Unreachable
from hbase_ferry.migration import sampling
from hbase_ferry.migration.config import load
from hbase_ferry.migration.sampling import CANARY, Different, Fault, Sampler, points, shown

Table = dict[bytes, dict[bytes, tuple[bytes, int]]]
KEYS = [b"%04d" % n for n in range(0, 10_000, 10)]
SPLITS = (b"2500", b"5000", b"7500")


class Shelf:
    """A RowReader over a dictionary; `read` is called before every reading of rows."""

    def __init__(self, name: str, table: Table, read: Callable[[], None] = lambda: None) -> None:
        self.name, self.table, self.read = name, table, read
        self.told = "a dictionary"
        self.calls = 0

    def regions(self, table: str) -> tuple[tuple[bytes, bytes], ...]:
        return tuple(zip((b"", *SPLITS), (*SPLITS, b""), strict=True))

    def keys(
        self, table: str, start: bytes, stop: bytes, limit: int, families: Sequence[str] = ()
    ) -> tuple[bytes, ...]:
        self.calls += 1
        return tuple(k for k in sorted(self.table) if k >= start and (not stop or k < stop))[:limit]

    def last(self, table: str, families: Sequence[str] = ()) -> bytes | None:
        return max(self.table, default=None)

    def rows(
        self, table: str, keys: Sequence[bytes], families: Sequence[str] = ()
    ) -> Mapping[bytes, Mapping[bytes, tuple[bytes, int]]]:
        self.calls += 1
        self.read()
        return {k: dict(self.table[k]) for k in keys if self.table.get(k)}


def orders() -> Table:
    return {key: {b"d:v": (b"v" + key, 1), b"m:w": (b"w", 2)} for key in KEYS}


def sampler(source: Shelf, target: Shelf) -> Sampler:
    return Sampler(source, target, SteppingClock(1_000.0), under_way_seconds=10)


def test_the_same_rows_are_equal_and_spread_over_every_region() -> None:
    source, target = Shelf("a", orders()), Shelf("b", orders())
    seen: list[bytes] = []
    target.rows = lambda table, keys, families=(): (seen.extend(keys), Shelf.rows(target, table, keys))[1]  # type: ignore[method-assign]
    found = sampler(source, target).sample("t", 40)
    assert (found.regions, found.rows, found.equal, found.pending, found.cells) == (4, 40, 40, 0, 80)
    assert [
        sum(low <= key < high for key in seen)
        for low, high in zip((b"", *SPLITS), (*SPLITS, b":"), strict=True)
    ] == [10] * 4
    assert max(seen) >= b"9000"


def test_keys_that_lie_in_a_corner_of_their_region_are_found_too() -> None:
    cramped: Table = {b"2500\x00%d" % n: {b"d:v": (b"x", 1)} for n in range(9)}
    found = sampler(Shelf("a", cramped), Shelf("b", dict(cramped))).sample("t", 40)
    assert (found.rows, found.equal) == (9, 9)


def test_each_way_to_differ_has_its_name() -> None:
    source, target = orders(), orders()
    a, b, c, d, e = KEYS[0], KEYS[250], KEYS[500], KEYS[750], KEYS[10]
    del target[a]
    target[b][b"d:v"] = (b"other", 1)
    target[c][b"m:w"] = (b"w", 99)
    target[d][b"m:x"] = (b"more", 1)
    del target[e][b"m:w"]
    found = sampler(Shelf("a", source), Shelf("b", target)).sample("t", 1000)
    assert {row.key: row for row in found.different} == {
        a: Different(a, {b"d:v": Fault.MISSING, b"m:w": Fault.MISSING}, whole=True),
        b: Different(b, {b"d:v": Fault.VALUE}),
        c: Different(c, {b"m:w": Fault.TIMESTAMP}),
        d: Different(d, {b"m:x": Fault.EXTRA}),
        e: Different(e, {b"m:w": Fault.MISSING}),
    }
    assert found.counts() == {Fault.MISSING: 2, Fault.EXTRA: 1, Fault.VALUE: 1, Fault.TIMESTAMP: 1}
    assert (found.equal, found.pending) == (995, 0)


def test_a_write_that_arrives_meanwhile_is_pending_and_no_difference() -> None:
    source, target = orders(), orders()
    source[KEYS[0]] = {b"d:v": (b"new", 7)}
    shelf = Shelf("b", target)
    shelf.read = lambda: target.update({KEYS[0]: dict(source[KEYS[0]])}) if shelf.calls > 21 else None
    found = sampler(Shelf("a", source), shelf).sample("t", 1000)
    assert (found.pending, found.different) == (1, ())


def test_a_row_that_is_written_all_the_time_is_pending() -> None:
    source, target = orders(), orders()
    shelf = Shelf("a", source)
    shelf.read = lambda: source[KEYS[0]].update({b"d:v": (b"%d" % shelf.calls, shelf.calls)})
    found = sampler(shelf, Shelf("b", target)).sample("t", 1000)
    assert (found.pending, found.different) == (1, ())


def test_a_lost_cell_shows_although_another_cell_of_its_row_never_stands_still() -> None:
    source, target = orders(), orders()
    del target[KEYS[0]][b"m:w"]
    shelf = Shelf("a", source)
    shelf.read = lambda: source[KEYS[0]].update({b"d:v": (b"%d" % shelf.calls, shelf.calls)})
    found = sampler(shelf, Shelf("b", target)).sample("t", 1000)
    assert [row.cells for row in found.different] == [{b"m:w": Fault.MISSING}]


def test_a_row_deleted_on_the_source_while_it_is_compared_is_pending() -> None:
    source, target = orders(), orders()
    source[KEYS[0]][b"d:v"] = (b"new", 5)
    shelf = Shelf("a", source)
    begun: list[int] = []
    shelf.read = lambda: (begun.append(1), source.pop(KEYS[0], None) if len(begun) > 21 else None)[1]
    found = sampler(shelf, Shelf("b", target)).sample("t", 1000)
    assert (found.pending, found.different) == (1, ())


def test_canary_rows_are_never_sampled() -> None:
    source = {KEYS[0] + CANARY + b"7": {b"d:ferry": (b"7", 1)}, **orders()}
    found = sampler(Shelf("a", source), Shelf("b", orders())).sample("t", 2000)
    assert (found.rows, found.different) == (1000, ())


def test_an_empty_table_is_an_empty_sample() -> None:
    found = sampler(Shelf("a", {}), Shelf("b", {})).sample("t", 100)
    assert (found.rows, found.equal, found.different) == (0, 0, ())


def test_a_sample_ends_although_every_answer_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppingClock(0.0)
    monkeypatch.setattr(sampling, "LIMIT_SECONDS", 60.0)
    slow = Shelf("slow", orders(), lambda: clock.sleep(14))
    with pytest.raises(
        Unreachable, match="the sample of t took longer than 60 s: slow or b answers too slowly"
    ):
        Sampler(slow, Shelf("b", orders()), clock).sample("t", 1000)


def test_points_stay_inside_their_region() -> None:
    assert list(points(b"", b"\x80", 2)) == [b"", b"\x40\x00\x00\x00\x00"]
    inside = list(points(b"ab", b"ac", 50))
    assert inside == sorted(set(inside)) and inside[0] == b"ab" and inside[-1] < b"ac"


def test_a_hostile_key_is_shown_harmlessly() -> None:
    assert shown("\x1b[31m\u202e[red]\\".encode()) == "\\x1B[31m\\xE2\\x80\\xAE[red]\\x5C"


def test_a_target_that_is_no_cluster_has_no_thrift_server_to_sample() -> None:
    settings = load(Path(__file__).parents[2] / "sample_configs/bigtable-small.yaml")
    with pytest.raises(ConfigError, match="target: is no HBase cluster"), wiring.sampler(settings):
        pass
