"""Verification by HBase's own engines: HashTable + SyncTable (dry run) and row counts; VerifyReplication at the end.

VerifyReplication opens the peer's scan at the first source row of each region, so that it misses target-only rows
before it; HashTable + SyncTable sees them. Exit codes say nothing about differences: the counters do.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.insight.format import count
from hbase_ferry.migration import tools
from hbase_ferry.migration.context import hash_directory
from hbase_ferry.migration.core import Effect, Gate, Progress
from hbase_ferry.migration.steps.base import FerryStep
from hbase_ferry.migration.steps.catchup import drained_gate
from hbase_ferry.model.cluster import Identity, Side
from hbase_ferry.model.view import JobState, View

SYNC_DIFFERENCES = ("ROWSWITHDIFFS", "SOURCEMISSINGROWS", "TARGETMISSINGROWS")
"""Counters of SyncTable that say a row differs; ROWSWITHDIFFS includes the missing ones."""


@dataclass(frozen=True, kw_only=True)
class Verify(FerryStep):
    """Compares one table on both sides. `final`: after the drain, where nothing may differ."""

    final: bool = False

    def kind(self, view: View) -> str:
        """Part of the job ids: a new proof of the drain asks for a new final comparison."""
        return f"final{sum(p.kind == 'drained' for p in view.proofs) or 1}" if self.final else "live"

    def _id(self, view: View, tool: str) -> str:
        return self.ctx.job(view, f"{self.kind(view)}-{tool}", self.lane)

    def directory(self, view: View) -> str | None:
        """Where the hashes of this attempt go: a new directory each time, below the source's file system."""
        base = hash_directory(self.ctx, view)
        return f"{base}/{self._id(view, 'hash')}" if base else None

    def effects(self, view: View) -> tuple[Effect, ...]:
        settings, table, families = self.ctx.settings, self.lane, self.ctx.families(view, self.lane)
        directory, identity = self.directory(view), view.source.identity.current
        key = settings.source.cluster_key or (identity.cluster_key if identity else None)
        end = None if self.final or identity is None else self._end_ms(view, identity)
        unknown = tuple(t for t, v in (("source file system", directory), ("source cluster key", key)) if not v)
        hash_id, sync_id = self._id(view, "hash"), self._id(view, "sync")
        named = self.ctx.table(table).families
        effects = [
            self.job(
                view,
                Side.SOURCE,
                hash_id,
                tools.hash_table(settings, hash_id, table, named, directory or "<hash directory>", end),
                f"reads {table} on {self.name(Side.SOURCE)}, writes hashes to {directory}",
                unknown=unknown,
            ),
            self.job(
                view,
                Side.TARGET,
                sync_id,
                tools.sync_table(
                    settings, sync_id, table, key or "<source quorum:port:znode>", directory or "<hash directory>"
                ),
                f"reads {table} on both sides; changes nothing (dry run)",
                unknown=unknown,
            ),
        ]
        if settings.verify.row_counts:
            for side in (Side.SOURCE, Side.TARGET):
                job_id = self._id(view, f"count-{side.value}")
                effects.append(
                    self.job(
                        view,
                        side,
                        job_id,
                        tools.row_counter(settings.side(side), settings, job_id, table, families),
                        f"counts {table} on {self.name(side)}",
                    )
                )
        if settings.verify.verify_replication and self.final:
            job_id = self._id(view, "verifyrep")
            argv = tools.verify_replication(settings, job_id, self.ctx.peer_id, table, named, end)
            effects.append(self.job(view, Side.SOURCE, job_id, argv, f"reads {table} on both sides"))
        return tuple(effects)

    def _end_ms(self, view: View, source: Identity) -> int:
        """Writes younger than this may still be on their way: past by the clock of the source and by ours."""
        return min(int(view.at * 1000), source.time_ms) - self.ctx.settings.gates.max_lag_ms

    def jobs(self, view: View) -> tuple[str, ...]:
        return tuple(effect.action.job for effect in self.effects(view))

    def gates(self, view: View) -> tuple[Gate, ...]:
        if not self.final:
            return ()
        return (drained_gate(view, self.ctx.peer_id),)

    def failure(self, view: View) -> str | None:
        return self.job_failure(view, *self.jobs(view)) or self._unproved(view) or self.difference(view)

    def _unproved(self, view: View) -> str | None:
        """An engine that ended with 0 and printed no counter proved nothing."""
        for job_id in self.jobs(view):
            job = view.job(job_id)
            if job is not None and job.succeeded and not job.counters:
                return f"job {job_id} ended with 0 but printed no counters: nothing is proved"
        return None

    def difference(self, view: View) -> str | None:
        """What the engines found different, as a sentence; None: nothing, or nothing beyond the live tolerance."""
        sync, rep = view.job(self._id(view, "sync")), view.job(self._id(view, "verifyrep"))
        different = max(sync.counters.get(name, 0) for name in SYNC_DIFFERENCES) if _ended(sync) and sync else 0
        bad = rep.counters.get("BADROWS", 0) if _ended(rep) and rep else 0
        source, target = (self.rows(view, side) for side in (Side.SOURCE, Side.TARGET))
        if self.final:
            if different:
                return f"SyncTable found {count(different)} rows of {self.lane} that differ; 0 are allowed"
            if bad:
                return f"VerifyReplication found {count(bad)} bad rows of {self.lane}; 0 are allowed"
            if source is not None and target is not None and source != target:
                return f"{self.lane} has {count(source)} rows on the source and {count(target)} on the target"
            return None
        allowed = int((source or 0) * self.ctx.settings.verify.live_tolerance)
        if source is not None and max(different, bad) > allowed:
            return (
                f"{count(max(different, bad))} of {count(source)} rows of {self.lane} differ while writes flow; "
                f"more than {count(allowed)} is more than rows that changed during the comparison"
            )
        return None

    def rows(self, view: View, side: Side) -> int | None:
        """RowCounter's ROWS of one side; None: not counted. An absent counter of a finished job is 0."""
        job = view.job(self._id(view, f"count-{side.value}"))
        return job.counters.get("ROWS", 0) if job is not None and _ended(job) and job.counters else None

    def retries(self, view: View) -> tuple[str, ...]:
        if self.failure(view) is None:
            return ()
        return tuple(j.rsplit("-", 1)[0] for j in self.jobs(view) if view.job(j) is not None)

    def progress(self, view: View) -> Progress | None:
        states = [view.job(job_id) for job_id in self.jobs(view)]
        ended = sum(state is not None and state.succeeded for state in states)
        sync = view.job(self._id(view, "sync"))
        found = ""
        if _ended(sync) and sync:
            found = f"SyncTable: {count(max(sync.counters.get(n, 0) for n in SYNC_DIFFERENCES))} rows differ"
        return Progress(ended, len(states), "jobs", found)


def _ended(job: JobState | None) -> bool:
    return job is not None and job.succeeded
