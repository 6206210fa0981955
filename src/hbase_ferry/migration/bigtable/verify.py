"""The comparison of both sides: cell by cell by hbase-ferry itself, or by HashTable and Google's sync-table.

hbase-ferry reads what differs again until it is equal or stands still. A difference that is left is a failure, until
somebody accepts exactly that many with a reason: mutations the library dropped show here too. sync-table looks once,
so that only the final comparison judges what it finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hbase_ferry.insight.format import count, plural
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.migration.bigtable.repairs import cbt_delete
from hbase_ferry.migration.compare.cells import FOREVER_SECONDS
from hbase_ferry.migration.compare.pieces import STOP_AFTER, CompareState, Comparison, compare_piece, compare_state
from hbase_ferry.migration.compare.report import report
from hbase_ferry.migration.compare.result import place
from hbase_ferry.migration.context import hash_directory
from hbase_ferry.migration.core import Effect, Gate, Progress, Step, Work
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.migration.steps.catchup import drained_gate
from hbase_ferry.model.bigtable.names import LIMITS
from hbase_ferry.model.cluster import Family, Side
from hbase_ferry.model.view import Proof, View

BUSY = "a range that is written to meanwhile differs without fault"
"""Measured: 176 of 177 ranges of 20 000 rows under 500 writes a second, and none of them in the final comparison."""


def verify_step(ctx: BigtableContext, *, final: bool, **common: Any) -> Step:
    """The step for the engine of the settings; `common`: what every step has."""
    return (HashVerify if ctx.uses_hash_table else CellVerify)(ctx=ctx, final=final, **common)


def verify_why(ctx: BigtableContext, *, final: bool) -> str:
    """The reason of that step, true for the engine of the settings."""
    if final:
        every = "the hashes of all key ranges are" if ctx.uses_hash_table else "every cell is"
        return f"the source stands still: {every} compared, and 0 may differ"
    how = (
        f"sync-table compares hashes of key ranges once, and {BUSY}: of a busy table it proves little"
        if ctx.uses_hash_table
        else "what differs is read again until it is equal or stands still"
    )
    return f"a first comparison while nothing is at stake: {how}"


@dataclass(frozen=True, kw_only=True)
class InstanceVerify(FerryStep):
    """Compares one table. `final`: after the drain, where nothing may differ."""

    ctx: BigtableContext = field(repr=False)
    final: bool = False
    counts: ClassVar[str] = "compare"
    "what of an attempt says how much differs"
    noun: ClassVar[str] = "differences"
    "what it counts"

    def kind(self, view: View) -> str:
        """Part of the ids: a new proof of the drain asks for a new final comparison."""
        return f"final{sum(p.kind == 'drained' for p in view.proofs) or 1}" if self.final else "live"

    def attempt(self, view: View, tool: str) -> str:
        """Id of the present attempt."""
        return self.ctx.job(view, f"{self.kind(view)}-{tool}", self.lane)

    def gates(self, view: View) -> tuple[Gate, ...]:
        drained = (drained_gate(view, self.ctx.peer_id),) if self.final else ()
        found = self.found(view)
        if not found:
            return drained
        name = self.acceptance(view, found)
        text = f"{count(found)} {self.noun} of {self.lane} are to be accepted as they are"
        return (*drained, Gate(name, False, text, str(found), "0", waivable=True, warning=True))

    def acceptance(self, view: View, found: int) -> str:
        """The gate that accepts exactly so many differences of exactly this comparison."""
        part = self.attempt(view, self.counts).removeprefix(f"{self.ctx.run_id}-")
        return f"different.{self.lane}.{part}.{found}"

    def found(self, view: View) -> int:
        """How many differences the finished comparison found; 0: none, or it is not at its end."""
        return 0


@dataclass(frozen=True, kw_only=True)
class CellVerify(InstanceVerify):
    """Reads both sides range by range and compares every cell, version and time."""

    def state(self, view: View) -> CompareState:
        """Where the present attempt stands."""
        return compare_state(view.proofs, self.attempt(view, "compare"))

    def comparison(self, view: View) -> Comparison | None:
        """The present attempt's; None: the table was not seen."""
        table, writes = view.source.table(self.lane), view.source.table_writes(self.lane)
        own = self.ctx.bigtable.compare
        if table is None:
            return None
        starts = tuple(sorted(region.start_hex for region in writes.regions)) if writes else ()
        return Comparison(
            subject=self.attempt(view, "compare"),
            table=self.lane,
            kept=table.families,
            families=self.ctx.families(view, self.lane),
            rows_per_range=own.rows_per_range,
            recheck_seconds=own.recheck_seconds,
            versions=own.versions,
            share=1.0 if self.final or not starts else own.live_share,
            starts=starts,
            stop_after=0 if self.final else STOP_AFTER,  # what is accepted has a number: of the whole table
            clock=self.ctx.clock,
        )

    def partly_done(self, view: View) -> bool:
        return self.state(view).begun

    def work(self, view: View) -> Work | None:
        comparison = self.comparison(view)
        return compare_piece(comparison, view.proofs) if comparison is not None else None

    def says(self, view: View) -> tuple[str, ...]:
        own, state = self.ctx.bigtable.compare, self.state(view)
        share = "every row" if self.final else f"{own.live_share * 100:g}% of the rows"
        newest = plural(own.versions, "newest version")
        cells = f"the {newest} of every column, with value and time" if own.versions else "every cell, version and time"
        plan = f"reads {share} of {self.lane} on both sides: {cells}; changes nothing"
        return (plan, *(self.report(state) if state.begun else ()))

    def report(self, state: CompareState) -> tuple[str, ...]:
        """What was found, with keys and the repair of each class."""
        own = self.ctx.bigtable
        return report(self.lane, state, cbt_delete(own.project, own.instance, self.lane, own.emulator), LIMITS)

    def waiting_for(self, view: View) -> str | None:
        state = self.state(view)
        if state.done:
            return None
        if view.source.table(self.lane) is None:
            return f"{self.lane} on {self.name(Side.SOURCE)} was not seen"
        if state.next:
            return f"{self.lane} is compared up to row {place(state.next)}, not to its end"
        return f"{self.lane} is not compared to its end"

    def found(self, view: View) -> int:
        state = self.state(view)
        unsure = state.pending if self.final else 0
        if not state.done or state.broken_off:
            return 0
        return state.result.different + state.result.not_compared + unsure

    def failure(self, view: View) -> str | None:
        state, found = self.state(view), self.found(view)
        if not state.done or (not found and not state.broken_off) or self.superseded(view):
            return None
        if self.acceptance(view, found) in view.waivers and not state.broken_off:
            return None
        what = "its history is wanted anew" if state.broken_off else "repair the rows of the report"
        ways = "" if state.broken_off else f", or accept gate {self.acceptance(view, found)} with a reason"
        return f"{self.report(state)[0]}: {what}{ways}"

    def retries(self, view: View) -> tuple[str, ...]:
        return (self.attempt(view, "compare").rsplit("-", 1)[0],) if self.failure(view) else ()

    def progress(self, view: View) -> Progress | None:
        state, writes = self.state(view), view.source.table_writes(self.lane)
        starts = sorted(region.start_hex for region in writes.regions) if writes else []
        rows = f"{count(state.result.rows)} rows compared, {count(state.result.different)} differ"
        pending = f", {count(state.pending)} looked at again" if state.pending else ""
        return Progress(state.passed(starts), len(starts) or None, "regions", rows + pending)


@dataclass(frozen=True, kw_only=True)
class HashVerify(InstanceVerify):
    """HashTable on the source, then Google's sync-table; its counters decide, its exit code says nothing."""

    counts: ClassVar[str] = "sync"
    noun: ClassVar[str] = "differing ranges"

    def jobs(self, view: View) -> tuple[str, str]:
        """Job ids of the present attempt."""
        return self.attempt(view, "hash"), self.attempt(view, "sync")

    def folder(self, view: View) -> str:
        """Where the hashes of the present attempt go, and with them the ranges that differ."""
        base = hash_directory(self.ctx, view)
        return f"{base}/{self.jobs(view)[0]}" if base else "<hash directory>"

    def effects(self, view: View) -> tuple[Effect, ...]:
        (hash_id, sync_id), folder = self.jobs(view), self.folder(view)
        settings, own = self.ctx.settings, self.ctx.bigtable
        end = None if self.final else self._end_ms(view)
        families = self.ctx.families(view, self.lane)
        hashes, sync = beam.compare_commands(
            settings, own, self.lane, families, folder, hash_id, sync_id, end,
            self._kept(self._families(view, families)),
        )  # fmt: skip
        unknown = (*(() if hash_directory(self.ctx, view) else ("source file system",)), *beam.lacking(own))
        touched = f"reads {self.lane}, writes hashes to {folder}"
        return (
            self.job(view, Side.SOURCE, hash_id, hashes, touched, unknown=unknown),
            self.job(view, Side.SOURCE, sync_id, sync, f"reads {self.lane} on both sides", unknown=unknown),
        )

    def gates(self, view: View) -> tuple[Gate, ...]:
        fading = self._fading(view)
        if not fading:
            return super().gates(view)
        text = (
            f"sync-table compares hashes and knows no retention: cells of {', '.join(fading)} that TTL or VERSIONS let "
            f"go differ until both sides have removed them. Set compare.engine: ferry, which leaves those out"
        )
        return (*super().gates(view), Gate(f"sync-table.retention.{self.lane}", False, text, warning=True))

    def _fading(self, view: View) -> tuple[str, ...]:
        """Families of which cells are compared that the source hides by now or soon, and the target removes later."""
        families = self._families(view, self.ctx.families(view, self.lane))
        versions = beam.compared_versions(self.ctx.bigtable, self._kept(families))
        return tuple(f.name for f in families if 0 < f.ttl_seconds < FOREVER_SECONDS or f.versions < versions)

    def _families(self, view: View, names: tuple[str, ...]) -> tuple[Family, ...]:
        table = view.source.table(self.lane)
        return tuple(family for name in names if table and (family := table.family(name)))

    def _kept(self, families: tuple[Family, ...]) -> int:
        """VERSIONS where all families keep the same; 0: they do not, or were not seen."""
        found = {family.versions for family in families}
        return found.pop() if len(found) == 1 else 0

    def _end_ms(self, view: View) -> int | None:
        """Writes younger than this may still be on their way."""
        identity = view.source.identity.current
        return identity.time_ms - self.ctx.settings.gates.max_lag_ms if identity else None

    def result(self, view: View) -> beam.SyncResult:
        """What the present attempt counted."""
        return beam.sync_result(view.job(self.jobs(view)[1]))

    def found(self, view: View) -> int:
        return (self.result(view).different or 0) if self.final else 0

    def failure(self, view: View) -> str | None:
        if failed := self.job_failure(view, *self.jobs(view)):
            return failed
        state = view.job(self.jobs(view)[1])
        if state is None or not state.succeeded:
            return None
        result = beam.sync_result(state)
        if result.matched is None or result.different is None:
            return f"job {state.id} ended with 0 but printed no counters: nothing is proved"
        accepted = not self.final or self.acceptance(view, result.different) in view.waivers
        if not result.different or accepted or self.superseded(view):
            return None
        return self._differ(view, result.different, result.matched + result.different)

    def _differ(self, view: View, different: int, ranges: int) -> str:
        """The refusal: how many of how many, where they are listed, and every way out."""
        return (
            f"sync-table found {count(different)} of {plural(ranges, 'range')} of {self.lane} that differ; 0 are "
            f"allowed. Look into these ranges: {beam.differing(self.folder(view))}* lists them until step put-back, "
            f"compare.engine: ferry names cells and keys, `hbase-ferry repair CONFIG {self.lane} ROW` writes a row "
            f"again; or accept gate {self.acceptance(view, different)} with a reason"
        )

    def proves(self, view: View) -> Proof | None:
        """What was counted, on record: a step that is done shows no progress."""
        result = self.result(view)
        if result.matched is None or result.different is None or self.failure(view):
            return None
        basis = {beam.MATCHED: str(result.matched), beam.NOT_MATCHED: str(result.different)}
        note = f"{self.lane}: {_told(result.matched, result.different)}"
        note += f"; {BUSY}" if result.different and not self.final else ""
        return Proof("compared", self.jobs(view)[1], view.at, basis, note)

    def retries(self, view: View) -> tuple[str, ...]:
        if self.failure(view) is None:
            return ()
        return tuple(job_id.rsplit("-", 1)[0] for job_id in self.jobs(view) if view.job(job_id) is not None)

    def progress(self, view: View) -> Progress | None:
        states, result = [view.job(job_id) for job_id in self.jobs(view)], self.result(view)
        ended = sum(state is not None and state.succeeded for state in states)
        if result.matched is None or result.different is None:
            said = next((line for state in states if (line := beam.newest_line(state))), "")
        else:
            said = _told(result.matched, result.different)
        return Progress(ended, len(states), "jobs", said)


def _told(matched: int, different: int) -> str:
    return f"{plural(matched, 'range matches', 'ranges match')}, {count(different)} differ"
