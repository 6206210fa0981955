"""Assembles the plan of a migration between two HBase clusters: the safe order, one lane a table between shared steps.

The order and the reason for it: docs/architecture.md. Every `why` here is shown to the operator.
"""

from __future__ import annotations

from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Plan, Risk, Step
from hbase_ferry.migration.steps import catchup, cutover, history, prepare, restore, verify


def hbase_plan(ctx: Context) -> Plan:
    """The plan between two HBase clusters; see `targets.build_plan`."""
    tables = tuple(table.name for table in ctx.settings.tables)
    steps: list[Step] = [
        *_prepare(ctx),
        *_scopes(ctx, tables),
        *_snapshots(ctx, tables),
        *(step for table in tables for step in _copy(ctx, table)),
        *_catch_up(ctx, tables),
        *_cut_over(ctx, tables),
        *_clean_up(ctx),
    ]
    return Plan(tuple(steps), tables)


def _prepare(ctx: Context) -> list[Step]:
    peer = ctx.peer_id
    return [
        prepare.Preflight(
            id="preflight",
            title="check both clusters",
            risk=Risk.SAFE,
            ctx=ctx,
            why="what would break the migration is cheaper to find before anything is touched",
        ),
        prepare.Namespaces(
            id="namespaces",
            title="create the namespaces on the target",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            why="a restore into a namespace that does not exist fails",
        ),
        prepare.AddPeer(
            id="add-peer",
            title=f"add peer {peer}, DISABLED",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            confirm_name=peer,
            undo_note="removing the peer drops every write it holds back: the migration starts again",
            why="from its creation on the source keeps every WAL until the peer has shipped it; DISABLED, "
            "nothing reaches the target before the history is there",
        ),
        prepare.Queues(
            id="queues",
            title="every region server holds the peer's queue",
            risk=Risk.SAFE,
            ctx=ctx,
            why="a server without the queue would delete its WALs, and the writes in them would be lost",
        ),
    ]


def _scopes(ctx: Context, tables: tuple[str, ...]) -> list[Step]:
    steps: list[Step] = [
        prepare.Scope(
            id=f"scope:{t}",
            title=f"replicate {t}",
            risk=Risk.REVERSIBLE,
            lane=t,
            ctx=ctx,
            undo_note="writes made meanwhile carry scope 1; nothing is lost",
            why="each write carries the scope it was written with: only from now on are writes shipped, "
            "so the scope is raised before the snapshot",
        )
        for t in tables
    ]
    source = ctx.settings.source.name
    hold = history.HoldSplits(
        id="hold-splits",
        title="hold splits and merges",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        hold=True,
        why=f"below HBase 2.6 a split or merge on {source} makes a running snapshot fail (HBASE-26323)",
    )
    return [*steps, hold]


def _snapshots(ctx: Context, tables: tuple[str, ...]) -> list[Step]:
    steps: list[Step] = [
        history.TakeSnapshot(
            id=f"snapshot:{t}",
            title=f"snapshot {t}",
            risk=Risk.REVERSIBLE,
            lane=t,
            ctx=ctx,
            why="the snapshot flushes: a write is in its files, or in a WAL the peer holds, or in both",
        )
        for t in tables
    ]
    release = history.HoldSplits(
        id="release-splits",
        title="allow splits and merges again",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        hold=False,
        why="the snapshots are taken; the switches go back to what they were",
    )
    return [*steps, release]


def _copy(ctx: Context, table: str) -> list[Step]:
    return [
        history.Export(
            id=f"export:{table}",
            title=f"export {table}",
            risk=Risk.REVERSIBLE,
            lane=table,
            ctx=ctx,
            undo_note="files already copied are removed by the target's HFileCleaner",
            why="the history travels as files, outside the write path, and is compared on arrival",
        ),
        restore.Restore(
            id=f"restore:{table}",
            title=f"restore {table} on {ctx.settings.target.name}",
            risk=Risk.REVERSIBLE,
            lane=table,
            ctx=ctx,
            confirm_name=table,
            undo_note="dropping the table drops every row that was shipped to it",
            why="the table must hold the history before the peer ships anything to it",
        ),
        restore.HoldCompaction(
            id=f"hold-compaction:{table}",
            title=f"hold major compaction of {table}",
            risk=Risk.REVERSIBLE,
            lane=table,
            ctx=ctx,
            why="a delete may arrive before its put; a major compaction in between would bring the row back for good",
        ),
    ]


def _catch_up(ctx: Context, tables: tuple[str, ...]) -> list[Step]:
    peer = ctx.peer_id
    steps: list[Step] = [
        catchup.EnablePeer(
            id="enable-peer",
            title=f"enable peer {peer}",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            why="the peer ships what it held back since its creation, then every new write",
        ),
        catchup.DrainProof(
            id="caught-up",
            title="caught up, proved by canary rows",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            kind="caught-up",
            why="HBase shows lag 0 for a peer that ships nothing; a row that went through every region "
            "server's queue and arrived is proof",
        ),
    ]
    steps += [
        verify.Verify(
            id=f"verify:{t}",
            title=f"compare {t} under live writes",
            risk=Risk.SAFE,
            lane=t,
            ctx=ctx,
            why="a first comparison while nothing is at stake; rows that change while they are compared may "
            "differ, lost history would show",
        )
        for t in tables
    ]
    return steps


def _cut_over(ctx: Context, tables: tuple[str, ...]) -> list[Step]:
    name, target = ctx.settings.name, ctx.settings.target.name
    steps: list[Step] = [
        catchup.StopWriters(
            id="stop-writers",
            title="stop the writers",
            risk=Risk.CUTOVER,
            ctx=ctx,
            confirm_name=name,
            why="stop your clients' writes now; the write counters of every region must stand still",
        ),
        catchup.DrainProof(
            id="drained",
            title="drained, proved by canary rows",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            kind="drained",
            final=True,
            why="after the last write a canary row goes through every queue: what was written before it "
            "has arrived when it has",
        ),
    ]
    steps += [
        verify.Verify(
            id=f"final-verify:{t}",
            title=f"compare {t}: nothing may differ",
            risk=Risk.SAFE,
            lane=t,
            ctx=ctx,
            final=True,
            why="both sides stand still: every row is compared, and 0 may differ",
        )
        for t in tables
    ]
    steps.append(
        cutover.Switch(
            id="switch",
            title=f"clients use {target}",
            risk=Risk.CUTOVER,
            ctx=ctx,
            confirm_name=name,
            why="tell your clients to switch, then say so here: no cluster can show it",
        )
    )
    return steps


def _clean_up(ctx: Context) -> list[Step]:
    peer = ctx.peer_id
    return [
        cutover.DisablePeer(
            id="disable-peer",
            title=f"disable peer {peer}",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            undo_note="enabling it again would replay its WALs over the target's new writes",
            why="nothing may flow from the old cluster over the new one's writes",
        ),
        cutover.RemovePeer(
            id="remove-peer",
            title=f"remove peer {peer}",
            risk=Risk.DESTRUCTIVE,
            ctx=ctx,
            confirm_name=peer,
            undo_note="a removed peer's position is gone",
            why="while the peer exists the source keeps every WAL and its disk fills",
        ),
        cutover.DeleteSnapshots(
            id="delete-snapshots",
            title="delete this migration's snapshots",
            risk=Risk.DESTRUCTIVE,
            ctx=ctx,
            confirm_name=f"ferry-{ctx.run_id}",
            undo_note="a deleted snapshot is gone",
            why="the snapshots keep old files on both disks; the restored table keeps its own",
        ),
        cutover.PutBack(
            id="put-back",
            title="put changed settings back",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            why="replication scopes and major compaction go back to what they were before the first step",
        ),
    ]
