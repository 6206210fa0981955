"""Assembles the plan of a migration between two HBase clusters: the safe order, one lane a table between shared steps.

The order and the reason for it: docs/architecture.md. Every `why` here is shown to the operator.
"""

from __future__ import annotations

from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Plan, Risk, Step
from hbase_ferry.migration.steps import catchup, checks, history, prepare, restore, shared, verify


def hbase_plan(ctx: Context) -> Plan:
    """The plan between two HBase clusters; see `targets.build_plan`."""
    tables = tuple(table.name for table in ctx.settings.tables)
    steps: list[Step] = [
        *_prepare(ctx),
        *shared.scopes(ctx, tables),
        *shared.snapshots(ctx, tables),
        *(step for table in tables for step in _copy(ctx, table)),
        *_catch_up(ctx, tables),
        *_cut_over(ctx, tables),
        *shared.retire_peer(ctx),
        shared.delete_snapshots(
            ctx, "the snapshots keep old files on both disks; the restored table keeps its own"
        ),
        shared.put_back(
            ctx, "replication scopes and major compaction go back to what they were before the first step"
        ),
    ]
    return Plan(tuple(steps), tables)


def _prepare(ctx: Context) -> list[Step]:
    return [
        checks.Preflight(
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
        shared.add_peer(ctx),
        shared.queues(
            ctx,
            "every region server holds the peer's queue",
            "a server without the queue would delete its WALs, and the writes in them would be lost",
        ),
    ]


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
        shared.caught_up(ctx),
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
    return [
        *shared.stop_and_drain(ctx),
        *(
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
        ),
        shared.switch(ctx, "tell your clients to switch, then say so here: no cluster can show it"),
    ]
