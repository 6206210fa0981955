"""How the cells of one row differ between two sides, and which of them the source's retention lets go.

Invariant: pure; a cell is in at most one class. A cell that one side alone shows is no difference where the source's
VERSIONS, TTL or MIN_VERSIONS hide it or are about to: the target removes such cells when it comes to it. Called by
`compare.engine`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b

from hbase_ferry.migration.compare.reading import Cells
from hbase_ferry.migration.sampling import Fault
from hbase_ferry.model.cluster import Family
from hbase_ferry.model.rows import GREATEST_US

FOREVER_SECONDS = 2_147_483_647
"""HBase's TTL of a family whose cells do not expire (HConstants.FOREVER)."""
EXPIRY_SECONDS = 60.0
"""Around a cell's expiry one side may still show what the other does not."""

Column = tuple[str, str]
"""Family, and qualifier in hex."""
Versions = Mapping[int, str]
"""Time in microseconds -> value."""


@dataclass(frozen=True)
class Difference:
    """One cell that differs; see `result.Example`."""

    column: Column
    fault: Fault
    source_us: int | None
    target_us: int | None
    clamped: bool = False


@dataclass(frozen=True)
class RowFound:
    """What one row's comparison found."""

    differences: tuple[Difference, ...] = ()
    gc: int = 0


@dataclass(frozen=True)
class Retention:
    """What the source keeps. `limit`: newest versions of a column that are read at all; 0: all."""

    kept: Mapping[str, Family]
    limit: int
    now_us: int

    def goes(self, family: str, time_us: int, newer_here: int, newer_there: int) -> bool:
        """Whether a cell that only one side shows may be hidden on the other: so many newer versions of its column
        does the source have (`newer_here`), and the side that does not show it (`newer_there`)."""
        known = self.kept.get(family)
        bounds = [n for n in (self.limit, known.versions if known else 0) if n > 0]
        if bounds and newer_there >= min(bounds):
            return True
        if known is None or not 0 < known.ttl_seconds < FOREVER_SECONDS or newer_here < known.min_versions:
            return False
        expires = time_us + known.ttl_seconds * 1_000_000
        return self.now_us >= expires - int(min(EXPIRY_SECONDS, known.ttl_seconds / 2) * 1_000_000)


def compare_row(source: Cells, target: Cells, retention: Retention) -> RowFound:
    """What differs, in column order."""
    ours, theirs = _columns(source), _columns(target)
    found, gc = list[Difference](), 0
    for column in sorted({*ours, *theirs}):
        here, there = ours.get(column, {}), theirs.get(column, {})
        if here != there:
            more, spare = _column(column, here, there, retention)
            found += more
            gc += spare
    return RowFound(tuple(found), gc)


def size_of(source: Cells, target: Cells) -> int:
    """Cells on either side; one that is on both counts once."""
    return len({cell[:3] for cell in (*source, *target)})


def marks(source: Cells, differences: Sequence[Difference], most: int) -> tuple[str, ...]:
    """Fingerprints of all these differences and of `most` single ones, each with what the source has there."""
    ours = _columns(source)
    return (_mark(sorted(source), differences), *(_of_one(ours, d) for d in differences[:most]))


def lasting(
    before: Sequence[str], source: Cells, again: Cells, differences: Sequence[Difference]
) -> tuple[Difference, ...]:
    """Of these differences those that were there when `before` was made, and whose column the source has as then, also
    at its second reading.

    The same difference, not only the same source: a cell that was written and deleted again leaves the source as it
    was, and the target with another cell too many that is under way.
    """
    ours, later = _columns(source), _columns(again)
    whole = before[0] == _mark(sorted(source), differences)
    return tuple(
        d
        for d in differences
        if (whole or _of_one(ours, d) in before[1:]) and ours.get(d.column) == later.get(d.column)
    )


def _of_one(columns: Mapping[Column, Versions], difference: Difference) -> str:
    return _mark(sorted(columns.get(difference.column, {}).items()), difference)


def _mark(*what: object) -> str:
    return blake2b(repr(what).encode(), digest_size=5).hexdigest()


def _columns(cells: Cells) -> dict[Column, dict[int, str]]:
    columns: dict[Column, dict[int, str]] = {}
    for family, qualifier, time_us, value in cells:
        columns.setdefault((family, qualifier), {})[time_us] = value
    return columns


def _column(column: Column, ours: Versions, theirs: Versions, retention: Retention) -> tuple[list[Difference], int]:
    """The differences of one column, and how many of its cells retention explains."""
    found, settled = _clamped(column, ours, theirs)
    both = ours.keys() & theirs.keys()
    found += [Difference(column, Fault.VALUE, t, t) for t in both - settled if ours[t] != theirs[t]]
    lost, more = (sorted(side - both - settled, reverse=True) for side in (ours.keys(), theirs.keys()))
    here, there = sorted(ours), sorted(theirs)
    spare = {t for t in lost if retention.goes(column[0], t, _newer(here, t), _newer(there, t))}
    spare |= {t for t in more if retention.goes(column[0], t, _newer(here, t), _newer(here, t))}
    twins = _twins(ours, theirs, lost, more, spare)
    gone = {t for twin in twins for t in twin}
    found += [Difference(column, Fault.TIMESTAMP, *twin) for twin in twins]
    found += [Difference(column, Fault.MISSING, t, None) for t in lost if t not in gone | spare]
    found += [Difference(column, Fault.EXTRA, None, t) for t in more if t not in gone | spare]
    return found, len(spare - gone)


def _twins(
    ours: Versions, theirs: Versions, lost: Sequence[int], more: Sequence[int], spare: Set[int]
) -> list[tuple[int, int]]:
    """Cells of one side with a cell of the same value and another time on the other, the newest first. Two that
    retention lets go anyhow are none."""
    free: dict[str, list[int]] = {}
    for time_us in reversed(more):
        free.setdefault(theirs[time_us], []).append(time_us)
    found = []
    for time_us in lost:
        other = free.get(ours[time_us])
        if other and not {time_us, other[-1]} <= spare:
            found.append((time_us, other.pop()))
    return found


def _clamped(column: Column, ours: Versions, theirs: Versions) -> tuple[list[Difference], set[int]]:
    """Versions whose time the target cannot hold against the one cell into which they collapse; with the times that
    are thereby settled."""
    if max(ours, default=0) <= GREATEST_US or GREATEST_US not in theirs:
        return [], set()
    group = sorted((t for t in ours if t >= GREATEST_US), reverse=True)
    value = theirs[GREATEST_US]
    carried = any(ours[t] == value for t in group)
    found = [
        Difference(column, Fault.TIMESTAMP if carried or t != group[0] else Fault.VALUE, t, GREATEST_US, clamped=True)
        for t in group
        if (t, ours[t]) != (GREATEST_US, value)
    ]
    return found, {*group, GREATEST_US}


def _newer(times: Sequence[int], time_us: int) -> int:
    return len(times) - bisect_right(times, time_us)
