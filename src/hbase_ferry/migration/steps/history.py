"""Phase 2: the history. Splits held, snapshot, export, check of what arrived.

The snapshot flushes, so that every write before it is in a file and every write after it in a held-back WAL; what
is in both is replayed over the restored rows with its own timestamp, which changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.insight import versions
from hbase_ferry.insight.format import size
from hbase_ferry.migration import commands, tools
from hbase_ferry.migration.context import attempt, ours_on_target, staging_folders
from hbase_ferry.migration.core import Action, Effect, Gate, Progress
from hbase_ferry.migration.steps.base import FerryStep, lost_gates
from hbase_ferry.model.cluster import Side, SnapshotStats
from hbase_ferry.model.view import Proof, View


def archive_path(rootdir: str, table: str) -> str:
    """Where ExportSnapshot puts a table's files below a root directory."""
    return f"{rootdir.rstrip('/')}/archive/{_place(table)}"


def data_path(rootdir: str, table: str) -> str:
    """Where a table's own files lie below a root directory."""
    return f"{rootdir.rstrip('/')}/{_place(table)}"


def _place(table: str) -> str:
    namespace, _, qualifier = table.rpartition(":")
    return f"data/{namespace or 'default'}/{qualifier}"


@dataclass(frozen=True, kw_only=True)
class HoldSplits(FerryStep):
    """Holds splits and merges while snapshots are taken, where the line needs it (below 2.6: HBASE-26323)."""

    hold: bool = True

    def needed(self, view: View) -> bool | None:
        identity = view.source.identity.current
        if identity is None:
            return None
        return identity.split_enabled is not None and not versions.snapshot_guards_splits(identity.hbase_version)

    def _wanted(self, view: View) -> tuple[bool, bool]:
        before = view.proof("before-splits", "migration")
        if self.hold or before is None:
            return (not self.hold, not self.hold)
        return (before.basis["split"] == "True", before.basis["merge"] == "True")

    def effects(self, view: View) -> tuple[Effect, ...]:
        if self.needed(view) is False:
            return ()
        split, merge = self._wanted(view)
        action = self.act(
            Side.SOURCE,
            "switch.split_merge",
            {"split": split, "merge": merge},
            commands.splits_and_merges(split, merge),
            f"split and merge switches of {self.name(Side.SOURCE)}",
        )
        identity = view.source.identity.current
        if identity is None:
            return (Effect(action, None),)
        done = (identity.split_enabled, identity.merge_enabled) == (split, merge)
        done = done or (not self.hold and view.proof("before-splits", "migration") is None)
        if self.hold and not done:
            done = all(view.source.snapshot(self.ctx.snapshot(view, t.name)) for t in self.ctx.settings.tables)
        return (Effect(action, done),)

    def prior(self, view: View) -> Proof | None:
        identity = view.source.identity.current
        if not self.hold or identity is None:
            return None
        basis = {"split": str(identity.split_enabled), "merge": str(identity.merge_enabled)}
        return Proof("before-splits", "migration", view.at, basis, "split and merge switches before they were held")

    def undo(self, view: View) -> tuple[Action, ...]:
        before, identity = view.proof("before-splits", "migration"), view.source.identity.current
        if not self.hold or before is None or identity is None:
            return ()
        if (str(identity.split_enabled), str(identity.merge_enabled)) == (before.basis["split"], before.basis["merge"]):
            return ()
        split, merge = before.basis["split"] == "True", before.basis["merge"] == "True"
        return (
            self.act(
                Side.SOURCE,
                "switch.split_merge",
                {"split": split, "merge": merge},
                commands.splits_and_merges(split, merge),
                f"split and merge switches of {self.name(Side.SOURCE)}, as they were",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class TakeSnapshot(FerryStep):
    """Takes the snapshot, with flush."""

    def effects(self, view: View) -> tuple[Effect, ...]:
        name = self.ctx.snapshot(view, self.lane)
        known = view.source.snapshots.current is not None
        found = view.source.snapshot(name)
        done = (found is not None and found.table == self.lane) if known else None
        if done is False and self.carried(view):
            done = True
        action = self.act(
            Side.SOURCE,
            "snapshot.create",
            {"name": name, "table": self.lane},
            f"snapshot {commands.ruby(self.lane)}, {commands.ruby(name)}",
            f"{self.lane} on {self.name(Side.SOURCE)}: flushed; its files are kept until the snapshot goes",
        )
        return (Effect(action, done),)

    def gates(self, view: View) -> tuple[Gate, ...]:
        target = None if view.target.tables.current is None else view.target.table(self.lane) is None
        return (
            self.holding(view, "while the history travels"),
            Gate(
                "target.absent",
                target,
                f"table {self.lane} must not exist on {self.name(Side.TARGET)}: "
                f"a restore would write over it or be refused",
            ),
        )

    def carried(self, view: View) -> bool:
        """Whether this snapshot's rows are on the target already, so that it need not be taken again."""
        return ours_on_target(view, self.lane)

    def undo(self, view: View) -> tuple[Action, ...]:
        name = self.ctx.snapshot(view, self.lane)
        if view.source.snapshot(name) is None:
            return ()
        return (
            self.act(
                Side.SOURCE,
                "snapshot.delete",
                {"name": name},
                f"delete_snapshot {commands.ruby(name)}",
                f"snapshot {name} on {self.name(Side.SOURCE)}",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Export(FerryStep):
    """Copies the snapshot's files to the target's root directory and checks what arrived."""

    def target_root(self, view: View) -> str | None:
        identity = view.target.identity.current
        return self.ctx.settings.target.rootdir or (identity.rootdir if identity else None)

    def effects(self, view: View) -> tuple[Effect, ...]:
        root, table = self.target_root(view), self.lane
        done = self.arrived(view) is None or ours_on_target(view, table)
        settings, folders = self.ctx.settings.export, staging_folders(self.ctx)
        if folders is None:
            return (self._export(view, "export", Side.SOURCE, root, done=True if done else None),)
        staging, landing = (f"{folder}/{self.ctx.snapshot(view, table)}" for folder in folders)
        copy_id = self.ctx.job(view, "copy", table)
        copy = self.job(
            view,
            Side.SOURCE,
            copy_id,
            tools.copy_staging(settings, copy_id, staging, landing),
            f"{staging} copied to {landing}",
            done=True if done else None,
        )
        return (
            self._export(view, "stage", Side.SOURCE, staging, done=True if done else None),
            copy,
            self._export(view, "import", Side.TARGET, root, copy_from=landing, done=True if done else None),
        )

    def _export(
        self, view: View, kind: str, side: Side, to: str | None, *, copy_from: str = "", done: bool | None = None
    ) -> Effect:
        base, name = self.ctx.base(view, kind, self.lane), self.ctx.snapshot(view, self.lane)
        job_id = self.ctx.job(view, kind, self.lane)
        target, settings = view.target.identity.current, self.ctx.settings.export
        trap = target is not None and versions.cleaner_deletes_half_copied(target.hbase_version)
        skip = settings.skip_tmp if settings.skip_tmp is not None else trap
        argv = tools.export(
            self.ctx.settings.side(side),
            job_id,
            name,
            to or "<target hbase.rootdir>",
            settings,
            skip_tmp=skip,
            verify_checksum=self._verify_checksum(view),
            copy_from=copy_from,
            again=attempt(view, base) > 1,
        )
        stats = view.source.snapshot_stats(name)
        amount = size(stats.bytes) if stats else "its size is known once the snapshot exists"
        return self.job(
            view,
            side,
            job_id,
            argv,
            f"files of {name} below {to or '<target hbase.rootdir>'}: {amount}",
            unknown=() if to else ("target hbase.rootdir",),
            done=done,
        )

    def _verify_checksum(self, view: View) -> bool:
        wanted = self.ctx.settings.export.checksum_verify
        if wanted is not None:
            return wanted
        source = view.source.identity.current
        root = self.target_root(view)
        return source is None or root is None or source.rootdir.split(":", 1)[0] == root.split(":", 1)[0]

    def jobs(self, view: View) -> tuple[str, ...]:
        return tuple(effect.action.job for effect in self.effects(view))

    def arrived(self, view: View) -> str | None:
        """None when the target's snapshot is whole; else what is missing, as a sentence."""
        name = self.ctx.snapshot(view, self.lane)
        if any(
            job.id.startswith(self.ctx.run_id) and job.alive
            for kind in ("export", "stage", "copy", "import")
            if (job := view.job(self.ctx.job(view, kind, self.lane))) is not None
        ):
            return "the copy is still running"
        there, here = view.target.snapshot_stats(name), view.source.snapshot_stats(name)
        if view.target.snapshot(name) is None or there is None:
            return f"snapshot {name} is not on {self.name(Side.TARGET)}"
        if here is None:
            return f"the size of snapshot {name} on {self.name(Side.SOURCE)} was not seen"
        return _difference(here, there, name, self.name(Side.TARGET))

    def waiting_for(self, view: View) -> str | None:
        return None if ours_on_target(view, self.lane) else self.arrived(view)

    def failure(self, view: View) -> str | None:
        if ours_on_target(view, self.lane) or self.arrived(view) is None:
            return None
        if failed := self.job_failure(view, *self.jobs(view)):
            return failed
        last = view.job(self.jobs(view)[-1])
        whole = view.target.snapshots.current is not None and view.target.stats.current is not None
        if last is not None and last.succeeded and whole and _seen_after(view, last.ended_ms):
            return f"the export ended with 0, but {self.arrived(view)}"
        return None

    def retries(self, view: View) -> tuple[str, ...]:
        if self.failure(view) is None:
            return ()
        return tuple(job_id.rsplit("-", 1)[0] for job_id in self.jobs(view) if view.job(job_id) is not None)

    def progress(self, view: View) -> Progress | None:
        stats, root = view.source.snapshot_stats(self.ctx.snapshot(view, self.lane)), self.target_root(view)
        disk = view.target.disk.current
        if stats is None or root is None or disk is None:
            return None
        path = archive_path(root, self.lane)
        there = next((usage.bytes for usage in disk.others if usage.path == path), 0)
        copied = min(there, stats.bytes)
        return Progress(copied, stats.bytes, "bytes", f"{size(copied)} of {size(stats.bytes)} on the target")

    def gates(self, view: View) -> tuple[Gate, ...]:
        stats, disk = view.source.snapshot_stats(self.ctx.snapshot(view, self.lane)), view.target.disk.current
        if stats is None:
            return (Gate("snapshot.size", None, f"the size of {self.ctx.snapshot(view, self.lane)} was not seen"),)
        gates = [
            *lost_gates(view, self.jobs(view)),
            Gate(
                "snapshot.whole",
                not stats.corrupt and not stats.missing_files,
                f"snapshot {stats.name} must be whole: {stats.missing_files} files are missing",
            ),
        ]
        if disk is None or disk.capacity <= 0:
            gates.append(Gate("target.space", disk is not None, "free space of the target was not seen", waivable=True))
        else:
            gates.append(
                Gate(
                    "target.space",
                    disk.remaining > stats.bytes * 2,
                    f"{size(disk.remaining)} free on {self.name(Side.TARGET)} for {size(stats.bytes)}, "
                    f"twice of which is wanted (copy and major compaction)",
                    waivable=True,
                )
            )
        return tuple(gates)

    def undo(self, view: View) -> tuple[Action, ...]:
        name = self.ctx.snapshot(view, self.lane)
        if view.target.snapshot(name) is None or ours_on_target(view, self.lane):
            return ()
        return (
            self.act(
                Side.TARGET,
                "snapshot.delete",
                {"name": name},
                f"delete_snapshot {commands.ruby(name)}",
                f"snapshot {name} on {self.name(Side.TARGET)}; its files go with the next HFileCleaner run",
            ),
        )


def _difference(here: SnapshotStats, there: SnapshotStats, name: str, target: str) -> str | None:
    if there.corrupt or there.missing_files:
        return f"snapshot {name} on {target} lacks {there.missing_files} files"
    if (here.files, here.bytes) != (there.files, there.bytes):
        return (
            f"snapshot {name} on {target} has {there.files} files with {there.bytes} bytes, "
            f"the source has {here.files} with {here.bytes}"
        )
    return None


def _seen_after(view: View, ended_ms: int | None) -> bool:
    """Whether the target's snapshots were looked at after the job's end (two seconds for clocks)."""
    at = view.target.snapshots.at
    return ended_ms is None or (at is not None and at * 1000 > ended_ms + 2000)
