"""Assembles the plan of a migration from HBase to a Bigtable instance.

The order and the reason for it: docs/architecture.md. Every `why` here is shown to the operator.
"""

from __future__ import annotations

from hbase_ferry.migration.bigtable import backfill, cutover, dryrun, peer, preflight, sample, tables, verify
from hbase_ferry.migration.bigtable.names import BigtableContext, instance_path
from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Plan, Risk, Step
from hbase_ferry.migration.steps import shared


def bigtable_plan(context: Context) -> Plan:
    """The steps in their order; see `targets.build_plan`."""
    ctx = BigtableContext(context.settings, context.run_id, context.clock)
    names = tuple(table.name for table in ctx.settings.tables)
    steps: list[Step] = [
        *_prepare(ctx, names),
        *(_dry_run(ctx, names) if ctx.bigtable.dry_run else ()),
        *_hold_back(ctx),
        *([] if ctx.bigtable.dry_run else shared.scopes(ctx, names, peer.HeldScope)),
        *(shared.snapshots(ctx, names, backfill.SnapshotForPipeline) if ctx.uses_snapshot else ()),
        *(_backfill(ctx, table) for table in names),
        *_catch_up(ctx, names),
        *_cut_over(ctx, names),
        *_clean_up(ctx),
    ]
    return Plan(tuple(steps), names)


def _prepare(ctx: BigtableContext, names: tuple[str, ...]) -> list[Step]:
    checks = preflight.BigtablePreflight(
        id="preflight",
        title="check the source, its servers and the instance",
        risk=Risk.SAFE,
        ctx=ctx,
        why="a server without the library or its keys aborts some hours after the peer is added; "
        "a table, name or setting that Bigtable cannot take stalls the peer or loses writes",
    )
    return [
        checks,
        *(
            sample.SampleRows(
                id=f"sample:{t}",
                title=f"look into {t} for what Bigtable cannot hold",
                risk=Risk.SAFE,
                lane=t,
                ctx=ctx,
                why="times above Bigtable's range collapse into one version, cells and rows above its limits stall "
                "the peer: better found in a sample than at the cutover",
            )
            for t in names
        ),
        *(
            tables.TargetTable(
                id=f"table:{t}",
                title=f"create {t} on {ctx.settings.target.name}",
                risk=Risk.REVERSIBLE,
                lane=t,
                ctx=ctx,
                confirm_name=t,
                undo_note="dropping the table drops every row that was copied or shipped to it",
                why="the library creates nothing: on a missing table or family it retries 1 200 times a second, "
                "36 GB of log an hour and server",
            )
            for t in names
        ),
    ]


def _dry_run(ctx: BigtableContext, names: tuple[str, ...]) -> list[Step]:
    peer_id = ctx.dry_peer_id
    return [
        *shared.scopes(ctx, names, dryrun.EarlyScope),
        dryrun.AddDryRunPeer(
            id="dry-run",
            title=f"add peer {peer_id}, which only counts",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            why="it reads every write and counts what the library could not carry over; nothing is sent",
        ),
        dryrun.CountIncompatible(
            id="dry-run-count",
            title="count what could not be carried over",
            risk=Risk.SAFE,
            ctx=ctx,
            why="deletes and timestamps that Bigtable does not know are better found before the clients move",
        ),
        dryrun.RemoveDryRunPeer(
            id="dry-run-remove",
            title=f"remove peer {peer_id}",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            undo_note="the result of the dry run stays on record",
            why="a dry-run peer that is switched to shipping goes on counting: the real one needs an id of its own",
        ),
    ]


def _hold_back(ctx: BigtableContext) -> list[Step]:
    return [
        peer.RollWals(
            id="roll-wals",
            title="begin a new WAL on every region server",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            undo_note="a rolled WAL stays rolled; it costs nothing",
            why="a new peer ships from the beginning of the open WAL: edits older than the peer would come along",
        ),
        shared.add_peer(ctx, peer.AddEndpointPeer),
        shared.queues(
            ctx,
            "every region server holds the queue and runs the endpoint",
            "add_peer answers ok for an endpoint that cannot start; lag 0 and the peer's state do not show it",
            peer.RunningQueues,
        ),
    ]


def _backfill(ctx: BigtableContext, table: str) -> Step:
    return backfill.backfill_step(
        ctx,
        id=f"backfill:{table}",
        title=f"copy the history of {table}",
        risk=Risk.REVERSIBLE,
        lane=table,
        undo_note="rows that were copied stay on the target until its table is dropped",
        why="every cell keeps its timestamp: what a held write changes meanwhile is written over it later, in order",
    )


def _catch_up(ctx: BigtableContext, names: tuple[str, ...]) -> list[Step]:
    return [
        peer.EnableEndpointPeer(
            id="enable-peer",
            title=f"enable peer {ctx.peer_id}",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            undo_note="enabling it again ships every WAL still in the queue from its beginning: counters double",
            why="the peer ships what it held back since its creation, then every new write",
        ),
        shared.caught_up(ctx),
        *(
            verify.verify_step(
                ctx,
                final=False,
                id=f"verify:{t}",
                title=f"compare {t} under live writes",
                risk=Risk.SAFE,
                lane=t,
                why=verify.verify_why(ctx, final=False),
            )
            for t in names
        ),
    ]


def _cut_over(ctx: BigtableContext, names: tuple[str, ...]) -> list[Step]:
    also = ". What the library dropped or changed must be accepted with a reason before"
    return [
        *shared.stop_and_drain(ctx, also, cutover.StopWritersOnceAccepted),
        *(
            verify.verify_step(
                ctx,
                final=True,
                id=f"final-verify:{t}",
                title=f"compare {t}: nothing may differ",
                risk=Risk.SAFE,
                lane=t,
                why=verify.verify_why(ctx, final=True),
            )
            for t in names
        ),
        shared.switch(
            ctx,
            f"tell your clients to write to {instance_path(ctx.bigtable)}, then say so here: no service can show it",
            cutover.SwitchToInstance,
        ),
    ]


def _clean_up(ctx: BigtableContext) -> list[Step]:
    why = "the snapshots keep old files on the source's disk"
    snapshots = [shared.delete_snapshots(ctx, why, cutover.DeleteSourceSnapshots)] if ctx.uses_snapshot else []
    put_back = shared.put_back(
        ctx, "replication scopes go back to what they were; folders of this migration go", cutover.PutBackOnSource
    )
    return [*shared.retire_peer(ctx), *snapshots, put_back]
