"""The history: copied by hbase-ferry itself, or by HBase's Export and Google's Beam pipelines as detached jobs.

Whichever carries it, cells keep their timestamps, and the peer holds back every write since before the first row was
read: what changed meanwhile is written over it later, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hbase_ferry.insight.format import count, plural, size
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.imports import import_gates, pipeline_gate
from hbase_ferry.migration.bigtable.names import (
    DROPPED,
    UNCOUNTED,
    BigtableContext,
    backfilled,
    copy_subject,
    history_basis,
    holds_history,
    of_this_history,
)
from hbase_ferry.migration.bigtable.tables import schema_gate
from hbase_ferry.migration.compare.copying import Copying, CopyState, copy_piece, copy_state
from hbase_ferry.migration.compare.result import place
from hbase_ferry.migration.core import Effect, Gate, Progress, Step, Work
from hbase_ferry.migration.steps.base import FerryStep, lost_gates
from hbase_ferry.migration.steps.history import TakeSnapshot
from hbase_ferry.model.bigtable.names import LIMITS
from hbase_ferry.model.cluster import Family, Side
from hbase_ferry.model.view import Proof, View

SPOILED = "spoiled"
"""Kind of the proof that the peer shipped while the table's history was copied."""


def backfill_step(ctx: BigtableContext, **common: Any) -> Step:
    """The step for the engine of the settings; `common`: what every step has."""
    return (PipelineBackfill if ctx.uses_beam else FerryBackfill)(ctx=ctx, **common)


@dataclass(frozen=True, kw_only=True)
class Backfill(FerryStep):
    """What both ways have in common: what must hold before, and what is on record after."""

    ctx: BigtableContext = field(repr=False)

    def gates(self, view: View) -> tuple[Gate, ...]:
        held_back = self.holding(view, "while the history travels")
        return (held_back, schema_gate(self, view, self.lane), *import_gates(self.ctx, view, self.lane))

    def waiting_for(self, view: View) -> str | None:
        return None if backfilled(view, self.lane) else f"the history of {self.lane} is not copied yet"

    def enabled(self, view: View) -> str | None:
        """What a peer that is gone, or ships, does to a copy under way; None: it holds the writes back."""
        if backfilled(view, self.lane) or self.superseded(view) or view.source.peers.current is None:
            return None
        peer, name = view.source.peer(self.ctx.peer_id), self.ctx.peer_id
        if peer is None:
            return f"peer {name} is gone: nothing holds back what is written while {self.lane} is copied"
        if not peer.enabled and not self._spoiled(view):
            return None
        told = f"peer {name} {'is' if peer.enabled else 'was'} ENABLED while the history of {self.lane} is copied"
        return f"{told}: a delete it shipped would come back. Disable it, undo step table:{self.lane} and copy anew"

    def _spoiled(self, view: View) -> bool:
        proof = view.proof(SPOILED, self.lane)
        return proof is not None and of_this_history(view, self.lane, proof)

    def lost(self, view: View) -> Proof | None:
        """A copy over which the peer shipped, be it for a moment."""
        peer = view.source.peer(self.ctx.peer_id)
        begun = holds_history(self.ctx, view, self.lane) and not backfilled(view, self.lane)
        if peer is None or not peer.enabled or not begun or self._spoiled(view) or self.superseded(view):
            return None
        note = f"peer {peer.id} was seen ENABLED before the history of {self.lane} was copied"
        return Proof(SPOILED, self.lane, view.at, history_basis(view, self.lane), note)

    def failure(self, view: View) -> str | None:
        return self.enabled(view)

    def copied(self, view: View, note: str, dropped: int = 0, uncounted: str = "") -> Proof:
        """The history is there, but for what was dropped. `uncounted`: options that may have left out more."""
        basis = history_basis(view, self.lane) | {DROPPED: str(dropped)}
        basis |= {UNCOUNTED: uncounted} if uncounted else {}
        return Proof("backfilled", self.lane, view.at, basis, note)


@dataclass(frozen=True, kw_only=True)
class FerryBackfill(Backfill):
    """Reads the source's table range by range over the wire and writes every cell with its time."""

    def _copying(self, view: View) -> Copying:
        return Copying(
            subject=copy_subject(self.ctx, view, self.lane),
            table=self.lane,
            families=self.ctx.families(view, self.lane),
            rows_per_range=self.ctx.bigtable.backfill.rows_per_range,
            limits=LIMITS,
            clock=self.ctx.clock,
        )

    def state(self, view: View) -> CopyState:
        """How far the copy of the present attempt is."""
        return copy_state(view.proofs, copy_subject(self.ctx, view, self.lane))

    def partly_done(self, view: View) -> bool:
        return self.state(view).begun

    def waiting_for(self, view: View) -> str | None:
        state, text = self.state(view), super().waiting_for(view)
        if text is None or not state.next:
            return text
        return f"the history of {self.lane} is copied up to row {place(state.next)}, not to its end"

    def work(self, view: View) -> Work | None:
        return None if backfilled(view, self.lane) else copy_piece(self._copying(view), view.proofs)

    def says(self, view: View) -> tuple[str, ...]:
        rows = self.ctx.bigtable.backfill.rows_per_range
        return (
            f"reads {self.lane} on {self.name(Side.SOURCE)} in ranges of {count(rows)} rows, every version, "
            f"and writes them to {self.name(Side.TARGET)} with their times",
        )

    def proves(self, view: View) -> Proof | None:
        state = self.state(view)
        if not state.done:
            return None
        left_out = ((state.skipped, "row"), (state.long_keys, "row key"), (state.refused, "cell"))
        left = [plural(number, noun) for number, noun in left_out if number]
        note = f"{count(state.rows)} rows, {size(state.bytes)} of {self.lane} copied"
        return self.copied(view, f"{note}; {' and '.join(left)} too large to copy" if left else note)

    def progress(self, view: View) -> Progress | None:
        state = self.state(view)
        return Progress(state.rows, None, "rows", f"{count(state.rows)} rows, {size(state.bytes)} copied")


@dataclass(frozen=True, kw_only=True)
class PipelineBackfill(Backfill):
    """An export on the source, then Google's pipeline, both detached on the source's edge node."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        ctx, table = self.ctx, self.lane
        done = True if backfilled(view, table) else None
        folder = f"{ctx.bigtable.backfill.export_dir.rstrip('/')}/ferry-{ctx.run_id}"
        export_id, import_id = self.jobs(view)
        export, pipeline = beam.backfill_commands(
            ctx.settings, ctx.bigtable, table, ctx.families(view, table), ctx.snapshot(view, table), folder,
            export_id, import_id, self._all_families(view), beam.snappy(self._carried(view)),
        )  # fmt: skip
        unknown, rows = beam.lacking(ctx.bigtable), f"rows of {table} on {self.name(Side.TARGET)}"
        return (
            self.job(view, Side.SOURCE, export_id, export, f"{table}, written to {folder}", done=done, unknown=unknown),
            self.job(view, Side.SOURCE, import_id, pipeline, rows, done=done, unknown=unknown),
        )

    def _carried(self, view: View) -> tuple[Family, ...]:
        """All families of the source's table: a snapshot carries those that stay behind too."""
        table = view.source.table(self.lane)
        return table.families if table else ()

    def _all_families(self, view: View) -> tuple[str, ...]:
        return tuple(family.name for family in self._carried(view))

    def _export_gates(self, view: View) -> tuple[Gate, ...]:
        identity = view.source.identity.current
        names = self.ctx.families(view, self.lane)
        text = beam.export_fault(identity.major if identity else 2, self.lane, names, self._all_families(view))
        return (Gate(f"export.families.{self.lane}", False, text),) if text else ()

    def jobs(self, view: View) -> tuple[str, str]:
        """Job ids of the present attempt."""
        return self.ctx.job(view, "export", self.lane), self.ctx.job(view, "import", self.lane)

    def gates(self, view: View) -> tuple[Gate, ...]:
        pipeline = pipeline_gate(self.ctx, view, self.jobs(view)[1])
        lost = (*lost_gates(view, self.jobs(view)), *((pipeline,) if pipeline else ()))
        export = self._snapshot_gates(view) if self.ctx.uses_snapshot else self._export_gates(view)
        return (*super().gates(view), *lost, *export)

    def _snapshot_gates(self, view: View) -> tuple[Gate, ...]:
        """A snapshot is imported whole, and of each column the newest version alone."""
        table, gates = view.source.table(self.lane), []
        names = self.ctx.families(view, self.lane)
        seen = [family for name in names if table and (family := table.family(name))]
        if foreign := self.ctx.unwanted_families(view, self.lane):
            text = f"importsnapshot cannot leave out {', '.join(foreign)} of {self.lane}; set backfill.engine: import"
            gates.append(Gate(f"snapshot.families.{self.lane}", False, text))
        if older := beam.left_by_importsnapshot(seen):
            text = (
                f"importsnapshot copies the newest version of each column alone, and {', '.join(older)} of {self.lane} "
                f"keeps more: set backfill.engine: import, or accept snapshot.versions.{self.lane} with a reason"
            )
            gates.append(Gate(f"snapshot.versions.{self.lane}", False, text, waivable=True))
        if unread := beam.unread_codecs(self._carried(view)):
            text = (
                f"it is not known whether importsnapshot reads the compression of {', '.join(unread)} of {self.lane}: "
                f"set backfill.engine: import, or accept snapshot.codec.{self.lane} with a reason"
            )
            gates.append(Gate(f"snapshot.codec.{self.lane}", False, text, waivable=True))
        return tuple(gates)

    def failure(self, view: View) -> str | None:
        return None if backfilled(view, self.lane) else self.enabled(view) or self.job_failure(view, *self.jobs(view))

    def retries(self, view: View) -> tuple[str, ...]:
        if self.failure(view) is None:
            return ()
        return tuple(job_id.rsplit("-", 1)[0] for job_id in self.jobs(view) if view.job(job_id) is not None)

    def proves(self, view: View) -> Proof | None:
        pipeline = view.job(self.jobs(view)[1])
        if pipeline is None or not pipeline.succeeded:
            return None
        dropped = beam.dropped_by_import(pipeline)
        left = f"; {count(dropped)} rows, cells or keys were dropped" if dropped else ""
        filters = ", ".join(beam.uncounted_filters(self.ctx.bigtable, pipeline))
        left += f"; what {filters} left out was not counted" if filters else ""
        return self.copied(view, f"the pipeline imported {self.lane}{left}", dropped, filters)

    def progress(self, view: View) -> Progress | None:
        export, pipeline = (view.job(job_id) for job_id in self.jobs(view))
        ended = sum(state is not None and state.succeeded for state in (export, pipeline))
        return Progress(ended, 2, "jobs", beam.followed(export, pipeline))


@dataclass(frozen=True, kw_only=True)
class SnapshotForPipeline(TakeSnapshot):
    """The snapshot the pipeline reads. The target's table exists already, and is empty."""

    def gates(self, view: View) -> tuple[Gate, ...]:
        return (self.holding(view, "while the history travels"),)

    def carried(self, view: View) -> bool:
        return backfilled(view, self.lane)
