"""The copy of a small table's history through the wire, as pieces of work: one range of rows each.

Invariant: cells keep their times, so that a piece done twice is the same as done once; the newest `cursor.copy` proof
of a subject alone says where the copy stands, and what could not be carried is counted in it. Canary rows are left
out: one that this copy brought would prove nothing about replication. Called by the backfill of targets that answer
`rows.write`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hbase_ferry.insight.format import plural, size
from hbase_ferry.migration.compare.engine import row_of
from hbase_ferry.migration.compare.reading import Reading, Stream, is_canary
from hbase_ferry.migration.compare.result import EXAMPLES, place
from hbase_ferry.migration.core import Caller, Work
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import GREATEST_US, Cell, Limits, Row, RowPage
from hbase_ferry.model.view import Proof

KIND = "cursor.copy"
"""Kind of the proofs that say how far a copy is; only the newest of a subject is kept."""
PAGE_BYTES = 1_000_000
"""Keys and values, about, that are read and written by one call; a row above four times that travels alone."""
RANGE_BYTES = 64_000_000
"""After which a range ends, however few its rows are: between two ranges a stop is heard."""
PAGE_ROWS = 2_000


@dataclass(frozen=True)
class Copying:
    """One copy of one table: the same values for each of its pieces."""

    subject: str
    "of its proofs; another attempt or generation has another one"
    table: str
    families: tuple[str, ...] = ()
    "only these; empty: all that the source has"
    rows_per_range: int = 5_000
    limits: Limits = Limits()
    "of the target: what is above them is counted and left out"
    clock: Clock = field(default_factory=SystemClock, compare=False)


@dataclass(frozen=True)
class CopyState:
    """Where a copy stands. `skipped` rows, those with `long_keys`, `refused` and `merged` cells are losses."""

    next: str | None = ""
    "first key, in hex, that was not copied yet; None: all are"
    rows: int = 0
    cells: int = 0
    bytes: int = 0
    "of keys and values"
    skipped: int = 0
    "rows too large for one answer: not copied"
    skipped_keys: tuple[str, ...] = ()
    "of rows that were not copied, also of those with `long_keys`: in hex, the first EXAMPLES of them"
    refused: int = 0
    "cells of other rows with a qualifier or value larger than the target takes: not copied"
    clamped: int = 0
    "cells whose time the target cannot hold: written with the greatest it can"
    merged: int = 0
    "of those, the ones that a newer version of the same column took the place of"
    long_keys: int = 0
    "other rows, with a key longer than the target takes: not copied"

    @property
    def begun(self) -> bool:
        return self.next != "" or self.rows > 0

    @property
    def done(self) -> bool:
        return self.next is None


_NUMBERS = ("rows", "cells", "bytes", "skipped", "refused", "clamped", "merged", "long_keys")


def copy_state(proofs: Sequence[Proof], subject: str) -> CopyState:
    """Where the copy of that subject stands; a new one where no proof speaks of it."""
    proof = next((p for p in reversed(proofs) if p.kind == KIND and p.subject == subject), None)
    if proof is None:
        return CopyState()
    basis = proof.basis
    after, keys = basis["next"], tuple(basis["skipped_keys"].split())
    numbers = {name: int(basis.get(name, "0")) for name in _NUMBERS}
    return CopyState(None if after == "end" else after, **numbers, skipped_keys=keys)


def copy_piece(job: Copying, proofs: Sequence[Proof]) -> Work | None:
    """The next range; None: the copy is done. Its `run` raises AgentError, Unreachable, BadAnswer."""
    state = copy_state(proofs, job.subject)
    if state.done:
        return None
    where = f"from {place(state.next)} on" if state.next else "from its beginning"
    text = f"copy {job.table} {where} ({plural(state.rows, 'row')}, {size(state.bytes)} so far)"
    return Work(text, lambda sides: _proof(job, _one_range(job, state, sides)), changes=True)


def _one_range(job: Copying, state: CopyState, sides: Mapping[Side, Caller]) -> CopyState:
    reading = Reading(job.table, job.families, values="full", page_rows=PAGE_ROWS, page_bytes=PAGE_BYTES)
    with Stream(sides[Side.SOURCE], reading, state.next or "", job.rows_per_range) as stream:
        before = state.bytes
        for page in stream.pages():
            state = _one_page(job, state, sides[Side.TARGET], page)
            for key in page.skipped:
                state = _one_row(job, state, sides, key)
            if page.next is not None and state.bytes - before >= RANGE_BYTES:
                return replace(state, next=page.next)
    return replace(state, next=stream.end)


def _one_row(job: Copying, state: CopyState, sides: Mapping[Side, Caller], key: str) -> CopyState:
    """A row too large for a page among others."""
    cells = row_of(sides[Side.SOURCE], Reading(job.table, job.families, values="full"), key)
    if cells is None:
        return replace(state, skipped=state.skipped + 1, skipped_keys=_examples(state, [key]))
    size_of_it = (len(key) + sum(len(cell[1]) + len(cell[3]) for cell in cells)) // 2
    return _one_page(job, state, sides[Side.TARGET], RowPage(((key, cells),) if cells else (), None, size_of_it))


def _examples(state: CopyState, keys: Sequence[str]) -> tuple[str, ...]:
    return (*state.skipped_keys, *keys)[:EXAMPLES]


def _one_page(job: Copying, state: CopyState, target: Caller, page: RowPage) -> CopyState:
    read = [row for row in page.rows if not is_canary(row[0])]
    taken = [(key, taken_of(job.limits, cells)) for key, cells in read if job.limits.takes_key(key)]
    rows = [fitted(row) for row in taken if row[1]]
    if rows:
        write_rows(target, job.table, [row for row, _, _ in rows])
    long = [key for key, _ in read if not job.limits.takes_key(key)]
    kept, offered = sum(len(cells) for _, cells in taken), {key: len(cells) for key, cells in read}
    return replace(
        state,
        rows=state.rows + len(rows),
        cells=state.cells + sum(len(cells) for (_, cells), _, _ in rows),
        bytes=state.bytes + page.bytes,
        skipped_keys=_examples(state, long),
        long_keys=state.long_keys + len(long),
        refused=state.refused + sum(offered[key] for key, _ in taken) - kept,
        clamped=state.clamped + sum(clamped for _, clamped, _ in rows),
        merged=state.merged + sum(merged for _, _, merged in rows),
    )


def taken_of(limits: Limits, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Of a row's cells those that are not above the limits."""
    return tuple(cell for cell in cells if limits.takes(cell))


def write_rows(target: Caller, table: str, rows: Sequence[Row]) -> None:
    """One call of `rows.write`: the cells as they are, with their times."""
    sent: list[Json] = [[key, [list(cell) for cell in cells]] for key, cells in rows]
    target.call("rows.write", {"table": table, "rows": sent})


def fitted(row: Row) -> tuple[Row, int, int]:
    """The row with times that the target can hold, how many cells got another time, and how many of those fell onto
    the time of a newer one, which stays."""
    key, cells = row
    if all(cell[2] <= GREATEST_US for cell in cells):
        return row, 0, 0
    kept: dict[tuple[str, str, int], Cell] = {}
    for family, qualifier, time_us, value in sorted(cells, key=lambda cell: -cell[2]):
        time_us = min(time_us, GREATEST_US)
        kept.setdefault((family, qualifier, time_us), (family, qualifier, time_us, value))
    clamped = sum(cell[2] > GREATEST_US for cell in cells)
    ordered = sorted(kept.values(), key=lambda cell: (cell[0], cell[1], -cell[2]))
    return (key, tuple(ordered)), clamped, len(cells) - len(kept)


def _proof(job: Copying, state: CopyState) -> Proof:
    basis = {
        "next": "end" if state.next is None else state.next,
        "skipped_keys": " ".join(state.skipped_keys),
        **{name: str(getattr(state, name)) for name in _NUMBERS},
    }
    return Proof(KIND, job.subject, job.clock.now(), basis, _note(job, state))


def _note(job: Copying, state: CopyState) -> str:
    parts = [f"{job.table}: {plural(state.rows, 'row')}, {size(state.bytes)} copied"]
    parts += [f"{plural(state.skipped, 'row')} too large to be copied"] if state.skipped else []
    parts += [f"{plural(state.long_keys, 'row')} with a key too long for the target"] if state.long_keys else []
    parts += [f"{plural(state.refused, 'cell')} too large for the target"] if state.refused else []
    parts += [f"{plural(state.clamped, 'cell')} later than the target can hold"] if state.clamped else []
    parts.append("to its end" if state.next is None else f"up to {place(state.next)}")
    return ", ".join(parts)
