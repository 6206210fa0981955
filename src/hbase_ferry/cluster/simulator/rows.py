"""The content of one table, exact and cheap: an implicit loaded base and an overlay of every row touched since.

A row is a flat tuple with three numbers a family: timestamp and value of its newest cell, and the newest delete
marker. That is what HBase serves with VERSIONS 1, so replayed puts and deletes are idempotent, a put older than a
delete marker stays invisible, and once a major compaction dropped the marker it comes back: HBase's own traps.
`tables` writes and replicates through this; `verification` compares two of them for the MapReduce jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

QUALIFIER = b"v"
"""Of every cell: a row has one column a family."""
Cells = tuple[int, ...]
_OFFSETS = tuple(tuple(3 * bit for bit in range(4) if mask >> bit & 1) for mask in range(16))
"""Where the families of a bit mask stand in a row."""
_POWERS = tuple(int(10 ** (8 - index)) for index in range(8))

EXTRA = 1 << 32
"""Row ids from here on are keys of a KeyBook (canary rows and whatever a test writes)."""


@dataclass(frozen=True)
class Base:
    """Rows 0..rows-1, all loaded at `ts` (epoch ms); the value of each is its id."""

    rows: int
    ts: int


class KeyBook:
    """Row ids and row keys of the whole world. Loaded row i is `%08d`, an inserted one sorts behind its parent."""

    def __init__(self) -> None:
        self._extra: list[bytes] = []
        self._ids: dict[bytes, int] = {}

    def id_of(self, key: bytes, rows: int) -> int:
        """The id of any key; the loaded row's own id where it is one of the table's `rows`."""
        if len(key) == 8 and key.isdigit() and int(key) < rows:
            return int(key)
        if key not in self._ids:
            self._ids[key] = EXTRA + len(self._extra)
            self._extra.append(key)
        return self._ids[key]

    def key_of(self, row: int, rows: int) -> bytes:
        if row >= EXTRA:
            return self._extra[row - EXTRA]
        return b"%08d" % row if row < rows else b"%08d+" % parent(row, rows)

    def position(self, row: int, rows: int) -> int:
        """Where the row sorts among the loaded ones: decides its region."""
        if row < rows:
            return row
        return parent(row, rows) if row < EXTRA else _leading(self._extra[row - EXTRA])


def insertable(rows: int) -> int:
    """How many rows the writers may insert into a table loaded with `rows`."""
    return max(1, rows // 40)


def parent(row: int, rows: int) -> int:
    """The loaded row that an inserted row follows."""
    room = insertable(rows)
    return (row - rows) % room * (rows // room)


def _leading(key: bytes) -> int:
    """The first eight digits of a key as a number, in byte order where they are no digits."""
    number = 0
    for index in range(8):
        char = key[index] if index < len(key) else 0x2F
        if char < 0x30:
            return number * _POWERS[index]
        if char > 0x39:
            return (number + 1) * _POWERS[index]
        number = number * 10 + char - 0x30
    return number


class Rows:
    """One table's rows. `families` gives the order of the numbers in a row."""

    def __init__(self, families: Sequence[str], base: Base | None = None) -> None:
        self.families = tuple(families)
        self.base = base
        self.over: dict[int, Cells] = {}
        self._empty: Cells = (0, 0, 0) * len(self.families)
        self.by_key: list[tuple[bytes, int]] = []
        "kept by `scanning`: key and id of the rows outside the base"
        self.sorted_for = 0
        "how many rows `over` had then"

    def only(self, families: Sequence[str]) -> Rows:
        """The same rows with these families alone."""
        slices = [3 * self.families.index(name) for name in families]
        twin = Rows(families, self.base)
        for key, cells in self.over.items():
            twin.over[key] = tuple(cells[at + step] for at in slices for step in range(3))
        return twin

    def copy(self) -> Rows:
        twin = Rows(self.families, self.base)
        twin.over = self.over.copy()
        return twin

    def row(self, key: int) -> Cells:
        found = self.over.get(key)
        if found is not None:
            return found
        if self.base is not None and key < self.base.rows:
            return (self.base.ts, key, 0) * len(self.families)
        return self._empty

    def put(self, key: int, mask: int, ts: int, value: int) -> None:
        """One cell in each family of `mask`; an older one than the newest changes nothing."""
        cells = list(self.over.get(key) or self.row(key))
        for at in _OFFSETS[mask]:
            if ts >= cells[at]:
                cells[at] = ts
                cells[at + 1] = value
        self.over[key] = tuple(cells)

    def delete(self, key: int, mask: int, ts: int) -> None:
        """A delete marker for each family of `mask`: everything up to `ts` becomes invisible."""
        cells = list(self.over.get(key) or self.row(key))
        for at in _OFFSETS[mask]:
            if ts > cells[at + 2]:
                cells[at + 2] = ts
        self.over[key] = tuple(cells)

    def major_compact(self) -> None:
        """Drops delete markers and what they hide: an older put that arrives later is visible again."""
        for key, cells in self.over.items():
            kept: list[int] = []
            for index in range(0, len(cells), 3):
                ts, value, tomb = cells[index : index + 3]
                kept += (ts, value, 0) if ts > tomb else (0, 0, 0)
            self.over[key] = tuple(kept)

    def visible(self, key: int, families: Iterable[int], before: int | None = None) -> Cells:
        """(timestamp, value) of each family's live cell, (0, 0) where there is none; -1 is a family it lacks."""
        cells = self.over.get(key) or self.row(key)
        found: list[int] = []
        for index in families:
            at = 3 * index
            if index >= 0 and cells[at] > cells[at + 2] and (before is None or cells[at] < before):
                found += cells[at : at + 2]
            else:
                found += (0, 0)
        return tuple(found)

    def exists(self, key: int) -> bool:
        return any(self.visible(key, range(len(self.families))))

    def shown(self, key: int, families: Sequence[str] = ()) -> list[tuple[str, bytes, int, bytes]]:
        """The row's live cells as a reader gets them: family, qualifier, epoch ms, value; the same value on every
        side that holds the same write. No `families`: all."""
        names = sorted(name for name in self.families if not families or name in families)
        found = self.visible(key, [self.families.index(name) for name in names])
        return [
            (name, QUALIFIER, found[2 * at], b"%d" % found[2 * at + 1])
            for at, name in enumerate(names)
            if found[2 * at]
        ]

    def indexes(self, families: Sequence[str]) -> tuple[int, ...]:
        """Positions of `families`, all of them where none is named."""
        return tuple(i for i, name in enumerate(self.families) if not families or name in families)

    def count(self, families: Sequence[str] = (), before: int | None = None) -> int:
        """Rows with at least one live cell."""
        offsets = [3 * index for index in self.indexes(families)]
        live = 0
        for cells in self.over.values():
            for at in offsets:
                if cells[at] > cells[at + 2] and (before is None or cells[at] < before):
                    live += 1
                    break
        return live + self._untouched(self.over)

    def _untouched(self, keys: Iterable[int]) -> int:
        if self.base is None:
            return 0
        return self.base.rows - sum(1 for key in keys if key < self.base.rows)


@dataclass
class Comparison:
    """What differs between two tables: row ids, and cells counted as SyncTable counts them."""

    equal: int = 0
    only_source: list[int] = field(default_factory=list)
    only_target: list[int] = field(default_factory=list)
    different: list[int] = field(default_factory=list)
    source_missing_cells: int = 0
    target_missing_cells: int = 0
    different_values: int = 0

    @property
    def rows(self) -> list[int]:
        return [*self.only_source, *self.only_target, *self.different]


def compare(source: Rows, target: Rows, families: Sequence[str] = (), before: int | None = None) -> Comparison:
    """Every row of both sides; cells at or after `before` (epoch ms) are not seen, as with an end time."""
    names = list(families) or [*source.families, *(n for n in target.families if n not in source.families)]
    left, right = _places(source, names), _places(target, names)
    result = Comparison()
    touched = source.over.keys() | target.over.keys()
    alike = source.families == target.families
    for key in sorted(touched):
        ours = source.visible(key, left, before)
        same = alike and key in source.over and source.over[key] == target.over.get(key)
        _one(result, key, ours, ours if same else target.visible(key, right, before))
    if source.base == target.base and [i < 0 for i in left] == [i < 0 for i in right]:
        result.equal += source._untouched(touched)
    else:
        for key in range(max(s.base.rows for s in (source, target) if s.base is not None)):
            if key not in touched:
                _one(result, key, source.visible(key, left, before), target.visible(key, right, before))
    return result


def _places(rows: Rows, names: Sequence[str]) -> tuple[int, ...]:
    return tuple(rows.families.index(name) if name in rows.families else -1 for name in names)


def _one(result: Comparison, key: int, ours: Cells, theirs: Cells) -> None:
    if ours == theirs:
        result.equal += any(ours)
        return
    for index in range(0, len(ours), 2):
        if ours[index] == theirs[index]:
            result.different_values += ours[index + 1] != theirs[index + 1]
        else:
            result.target_missing_cells += ours[index] > 0
            result.source_missing_cells += theirs[index] > 0
    where = result.different if any(ours) and any(theirs) else result.only_source if any(ours) else result.only_target
    where.append(key)
