"""The comparison of one range of rows on both sides, and the second look at the rows that differed.

Invariant: a range's memory is bounded by a few pages of each side and by the doubts it may find, never by the table; a
row counts as different only where it differs in the same way at its first look and once the time a write may
be under way is over, in a column that stood still on the source. Called by `compare.pieces`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from hbase_ferry.migration.compare.cells import Difference, Retention, RowFound, compare_row, lasting, marks, size_of
from hbase_ferry.migration.compare.reading import ROW_BYTES, Cells, Item, Reading, Stream, read_page
from hbase_ferry.migration.compare.result import EXAMPLES, Example, RangeResult
from hbase_ferry.migration.core import Caller
from hbase_ferry.model.cluster import Side

MARKS = 16
"""Differences of a doubtful row that are told apart; of further ones only whether all of them last."""
MARKED = 8
"""Keys of a range, evenly apart, that show how dense it is; see `spread`."""
LOOKERS = 4
"""Doubtful rows that are looked at side by side."""


@dataclass(frozen=True)
class Doubt:
    """A row that differed at its last look."""

    key: str
    at: float
    "epoch seconds of its first look"
    marks: tuple[str, ...] = ()
    "fingerprints of what differed then; see `cells.marks`"


@dataclass(frozen=True)
class Found:
    """What a range or a second look found. `end`: first key after the range; None: the table's end."""

    result: RangeResult
    doubts: tuple[Doubt, ...] = ()
    keys: tuple[str, ...] = ()
    "some of the range's, evenly apart in rows"
    end: str | None = None


def compare_range(sides: Mapping[Side, Caller], reading: Reading, start: str, rows: int, room: int) -> Found:
    """Compares from `start` on until a side gave `rows` rows or `room` of them differ.

    Raises AgentError, Unreachable, BadAnswer.
    """
    tally, end = _Tally(reading, max(1, rows // MARKED)), None
    source, target = sides[Side.SOURCE], sides[Side.TARGET]
    with Stream(source, reading, start, rows) as here, Stream(target, reading, start, rows) as there:
        for key, ours, theirs in pairs(here, there):
            tally.take(key, ours, theirs)
            if len(tally.doubts) >= room:
                end = f"{key}00"
                break
        else:
            end = min((end for end in (here.end, there.end) if end is not None), default=None)
    return Found(tally.result(), tuple(tally.doubts), tuple(tally.keys), end)


def pairs(source: Stream, target: Stream) -> Iterator[tuple[str, Cells | None, Cells | None]]:
    """Every key that either side has, with its cells on both, up to where the first of them was read; see `Item`."""
    here, there = iter(source), iter(target)
    ours, theirs = next(here, None), next(there, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and ours[0] < theirs[0]):
            assert ours is not None
            if theirs is None and _beyond(ours, target):
                return
            yield ours[0], ours[1], ()
            ours = next(here, None)
        elif ours is None or theirs[0] < ours[0]:
            if ours is None and _beyond(theirs, source):
                return
            yield theirs[0], (), theirs[1]
            theirs = next(there, None)
        else:
            yield ours[0], ours[1], theirs[1]
            ours, theirs = next(here, None), next(there, None)


def _beyond(item: Item, ended: Stream) -> bool:
    """Whether the side that gave its last row may have more at this key."""
    return ended.end is not None and item[0] >= ended.end


class _Tally:
    """Counts the rows of one range, and keeps every so many'th key."""

    def __init__(self, reading: Reading, apart: int) -> None:
        self._reading, self._apart = reading, apart
        self._rows = self._cells = self._equal = self._gc = 0
        self._too_large: list[str] = []
        self.keys: list[str] = []
        self.doubts: list[Doubt] = []

    def take(self, key: str, ours: Cells | None, theirs: Cells | None) -> None:
        if not (self._rows + len(self._too_large)) % self._apart:
            self.keys.append(key)
        if ours is None or theirs is None:
            self._too_large.append(key)
        elif ours == theirs:
            self._rows += 1
            self._equal += 1
            self._cells += len(ours)
        else:
            self._judge(key, ours, theirs)

    def _judge(self, key: str, ours: Cells, theirs: Cells) -> None:
        found = compare_row(ours, theirs, _retention(self._reading))
        self._rows += 1
        self._cells += size_of(ours, theirs)
        if found.differences:
            self.doubts.append(Doubt(key, self._reading.clock.now(), marks(ours, found.differences, MARKS)))
        else:
            self._equal += 1
            self._gc += found.gc

    def result(self) -> RangeResult:
        return RangeResult(
            rows=self._rows,
            cells=self._cells,
            equal=self._equal,
            gc=self._gc,
            not_compared=len(self._too_large),
            not_compared_keys=tuple(self._too_large[:EXAMPLES]),
        )


def recheck(sides: Mapping[Side, Caller], reading: Reading, doubts: Sequence[Doubt], patience: float) -> Found:
    """Looks at each of these rows again. `patience`: seconds after its first look at which a difference is one.

    Raises AgentError, Unreachable, BadAnswer.
    """
    with ThreadPoolExecutor(LOOKERS, "recheck") as pool:
        looks = list(pool.map(lambda doubt: _look(sides, reading, doubt, patience), doubts))
    result = sum((look.result for look in looks), RangeResult())
    return Found(result, tuple(doubt for look in looks for doubt in look.doubts))


def _look(sides: Mapping[Side, Caller], reading: Reading, doubt: Doubt, patience: float) -> Found:
    ours = row_of(sides[Side.SOURCE], reading, doubt.key)
    theirs = row_of(sides[Side.TARGET], reading, doubt.key)
    if ours is None or theirs is None:
        return Found(_too_large(doubt.key))
    found = compare_row(ours, theirs, _retention(reading))
    if not found.differences:
        return Found(RangeResult(equal=1, gc=found.gc))
    waited = reading.clock.now() - doubt.at
    if 0 <= waited < patience:
        return Found(RangeResult(), (doubt,))
    if waited < 0:
        return Found(RangeResult(), (replace(doubt, at=reading.clock.now()),))
    # a write that came between the two readings moves the source, which is why it is read once more
    again = row_of(sides[Side.SOURCE], reading, doubt.key)
    if again is None:
        return Found(_too_large(doubt.key))
    real = lasting(doubt.marks, ours, again, found.differences)
    return Found(_settled(doubt.key, RowFound(real, found.gc)))


def row_of(side: Caller, reading: Reading, key: str) -> Cells | None:
    """The row's cells, none where it does not exist; None: it is too large to be answered."""
    page = read_page(side, replace(reading, page_bytes=ROW_BYTES), key, f"{key}00", 1)
    if key in page.skipped:
        return None
    return next((cells for found, cells in page.rows if found == key), ())


def _settled(key: str, found: RowFound) -> RangeResult:
    if not found.differences:
        return RangeResult(pending=1, gc=found.gc, pending_keys=(key,))
    return RangeResult(
        different=1,
        gc=found.gc,
        clamped=sum(d.clamped for d in found.differences),
        clamped_rows=int(all(d.clamped for d in found.differences)),
        faults=Counter(d.fault for d in found.differences),
        examples=tuple(_example(key, d) for d in found.differences),
    )


def _example(key: str, found: Difference) -> Example:
    return Example(key, *found.column, found.fault, found.source_us, found.target_us, found.clamped)


def _too_large(key: str) -> RangeResult:
    return RangeResult(rows=-1, not_compared=1, not_compared_keys=(key,))


def _retention(reading: Reading) -> Retention:
    return Retention(reading.kept, reading.versions, int(reading.clock.now() * 1_000_000))
