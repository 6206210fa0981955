"""A comparison as pieces of work: one range of rows, or one more look at the rows that differed.

Invariant: the newest `cursor.compare` proof of a subject alone says where the comparison stands and what it found, so
that a stopped one goes on at the next range; a piece that was done but not recorded is done again with the same
totals. Rows that differ are looked at again while later ranges are read, so that a write under way costs no waiting
of its own. Called by the verifying steps of targets whose side answers `rows.scan`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hbase_ferry.insight.format import count, plural
from hbase_ferry.migration.compare.engine import Doubt, compare_range, recheck
from hbase_ferry.migration.compare.reading import Reading
from hbase_ferry.migration.compare.result import RangeResult, pack, place, unpack
from hbase_ferry.migration.compare.spread import leap
from hbase_ferry.migration.core import Caller, Work
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import Family, Side
from hbase_ferry.model.view import Proof

KIND = "cursor.compare"
"""Kind of the proofs that say how far a comparison is; only the newest of a subject is kept."""
DOUBTS = 300
"""Rows whose second look is due that are carried from piece to piece; the range in which one more turns up ends."""
PAUSE_SECONDS = 2.0
"""Between two looks at the same doubtful rows."""
STOP_AFTER = 1_000
"""So many rows that differ are for a new backfill, not for repairs; one of clamped times alone is for neither."""


@dataclass(frozen=True)
class Comparison:
    """One comparison of one table: the same values for each of its pieces."""

    subject: str
    "of its proofs; another attempt or generation has another one"
    table: str
    kept: tuple[Family, ...]
    "the source's families: what their VERSIONS, TTL and MIN_VERSIONS let go is no difference"
    families: tuple[str, ...] = ()
    "only these are read; empty: all that either side has"
    rows_per_range: int = 5_000
    recheck_seconds: float = 30.0
    "how old a difference has to be, its source standing still, to be one"
    versions: int = 0
    "newest versions of a column that are compared; 0: all that a side keeps"
    share: float = 1.0
    "of the table that is read; below 1 keys are leapt over after each range, but no region's beginning"
    starts: tuple[str, ...] = ()
    "the regions' first keys in hex (RegionWrites.start_hex); needed where `share` is below 1"
    stop_after: int = STOP_AFTER
    "rows that differ, in more than clamped times, after which the rest is not read; 0: all are read"
    clock: Clock = field(default_factory=SystemClock, compare=False)


@dataclass(frozen=True)
class CompareState:
    """Where a comparison stands."""

    next: str | None = ""
    "first key, in hex, that was not read yet; None: all ranges are read"
    result: RangeResult = RangeResult()
    doubts: tuple[Doubt, ...] = ()
    "rows that differed at their last look, whose time is not over yet"
    looked: float = 0.0
    "epoch seconds of the newest look at them"
    broken_off: bool = False
    "more rows differ than `stop_after` allows: the rest was not read"

    @property
    def begun(self) -> bool:
        return self.next != "" or self.result.rows > 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.broken_off or (self.next is None and not self.doubts)

    @property
    def pending(self) -> int:
        """Rows of which it is not known yet, or could not be, whether they differ."""
        return self.result.pending + len(self.doubts)

    @property
    def clean(self) -> bool:
        """Whether it is over, and every row that was to be read was read and is equal."""
        found = self.result
        return self.done and not (self.broken_off or found.different or self.pending or found.not_compared)

    def passed(self, starts: Sequence[str]) -> int:
        """How many of the regions with these first keys are read to their end, for a progress in regions."""
        at = self.next
        return len(starts) if at is None else max(0, sum(start <= at for start in starts) - 1)


def compare_state(proofs: Sequence[Proof], subject: str) -> CompareState:
    """Where the comparison of that subject stands; a new one where no proof speaks of it."""
    proof = next((p for p in reversed(proofs) if p.kind == KIND and p.subject == subject), None)
    return CompareState() if proof is None else _unpack(proof.basis)


def compare_piece(job: Comparison, proofs: Sequence[Proof]) -> Work | None:
    """The next piece; None: the comparison is done. Its `run` raises AgentError, Unreachable, BadAnswer."""
    state = compare_state(proofs, job.subject)
    if state.done:
        return None
    if _recheck_due(job, state):
        rows = plural(len(state.doubts), "row that differs", "rows that differ")
        text = f"look again at {rows} in {job.table}: their writes may be under way"
        return Work(text, lambda sides: _proof(job, _look_again(job, state, sides)))
    where = f"from {place(state.next)} on" if state.next else "from its beginning"
    text = f"compare {job.table} {where} ({plural(state.result.rows, 'row')} so far)"
    return Work(text, lambda sides: _proof(job, _one_range(job, state, sides)))


def _recheck_due(job: Comparison, state: CompareState) -> bool:
    if state.next is None or len(state.doubts) >= DOUBTS:
        return True
    return any(job.clock.now() - doubt.at >= max(job.recheck_seconds, PAUSE_SECONDS) for doubt in state.doubts)


def _one_range(job: Comparison, state: CompareState, sides: Mapping[Side, Caller]) -> CompareState:
    start = state.next or ""
    found = compare_range(sides, _reading(job), start, job.rows_per_range, DOUBTS - len(state.doubts))
    after = found.end
    if after is not None and job.share < 1:
        after = leap(found.keys, after, job.share, job.starts)
    looked = job.clock.now() if found.doubts else state.looked
    return replace(
        state, next=after, result=state.result + found.result, doubts=(*state.doubts, *found.doubts), looked=looked
    )


def _look_again(job: Comparison, state: CompareState, sides: Mapping[Side, Caller]) -> CompareState:
    pause = min(PAUSE_SECONDS, job.recheck_seconds)
    job.clock.sleep(min(pause, max(0.0, state.looked + pause - job.clock.now())))
    found = recheck(sides, _reading(job), state.doubts, job.recheck_seconds)
    result = state.result + found.result
    looked = replace(state, result=result, doubts=found.doubts, looked=job.clock.now())
    too_many = 0 < job.stop_after <= result.different - result.clamped_rows
    return replace(looked, broken_off=too_many and not looked.done)


def _reading(job: Comparison) -> Reading:
    kept = {family.name: family for family in job.kept}
    return Reading(job.table, job.families, job.versions, kept, job.clock)


# ---- as a proof


def _proof(job: Comparison, state: CompareState) -> Proof:
    return Proof(KIND, job.subject, job.clock.now(), _pack(state), _note(job, state))


def _note(job: Comparison, state: CompareState) -> str:
    found = state.result
    parts = [f"{count(found.different)} differ"]
    parts += [f"{count(state.pending)} may still be under way"] if state.pending else []
    parts += [f"{count(found.not_compared)} are too large to be compared"] if found.not_compared else []
    if state.broken_off:
        end = f"broken off before {place(state.next)}" if state.next else "broken off"
    elif state.next is None:
        end = "read to its end" if job.share >= 1 else "read in ranges up to its end"
    else:
        end = f"read up to {place(state.next)}"
    return f"{job.table}: {plural(found.rows, 'row')} compared, {', '.join(parts)}; {end}"


def _pack(state: CompareState) -> dict[str, str]:
    return {
        "next": "end" if state.next is None else state.next,
        "doubts": json.dumps([[d.key, d.at, " ".join(d.marks)] for d in state.doubts]),
        "looked": str(state.looked),
        "broken_off": "yes" if state.broken_off else "no",
        **pack(state.result),
    }


def _unpack(basis: Mapping[str, str]) -> CompareState:
    doubts = tuple(Doubt(key, at, tuple(marks.split())) for key, at, marks in json.loads(basis["doubts"]))
    after = None if basis["next"] == "end" else basis["next"]
    return CompareState(after, unpack(basis), doubts, float(basis["looked"]), basis["broken_off"] == "yes")
