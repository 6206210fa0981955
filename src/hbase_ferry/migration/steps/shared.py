"""The parts of a plan that every kind of target has in common, with the words an operator reads of them.

A plan's assembly (`migration.plan`, `migration.bigtable.plan`) puts them in their places; where its own kind needs
another class of step, it names it.
"""

from __future__ import annotations

from collections.abc import Iterable

from hbase_ferry.migration.context import Context
from hbase_ferry.migration.core import Risk, Step
from hbase_ferry.migration.steps.catchup import DrainProof, StopWriters
from hbase_ferry.migration.steps.cutover import DeleteSnapshots, DisablePeer, PutBack, RemovePeer, Switch
from hbase_ferry.migration.steps.history import HoldSplits, TakeSnapshot
from hbase_ferry.migration.steps.prepare import AddPeer, Queues, Scope


def add_peer(ctx: Context, step: type[AddPeer] = AddPeer) -> Step:
    """The peer, DISABLED."""
    return step(
        id="add-peer",
        title=f"add peer {ctx.peer_id}, DISABLED",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        confirm_name=ctx.peer_id,
        undo_note="removing the peer drops every write it holds back: the migration starts again",
        why="from its creation on the source keeps every WAL until the peer has shipped it; DISABLED, "
        "nothing reaches the target before the history is there",
    )


def queues(ctx: Context, title: str, why: str, step: type[Queues] = Queues) -> Step:
    """The peer's queue on every region server."""
    return step(id="queues", title=title, risk=Risk.SAFE, ctx=ctx, why=why)


def scopes(ctx: Context, tables: Iterable[str], step: type[Scope] = Scope) -> list[Step]:
    """One table after another is replicated."""
    return [
        step(
            id=f"scope:{t}",
            title=f"replicate {t}",
            risk=Risk.REVERSIBLE,
            lane=t,
            ctx=ctx,
            undo_note="writes made meanwhile carry scope 1; nothing is lost",
            why="each write carries the scope it was written with: only from now on are writes shipped, "
            "so the scope is raised before the history is read",
        )
        for t in tables
    ]


def snapshots(ctx: Context, tables: Iterable[str], step: type[TakeSnapshot] = TakeSnapshot) -> list[Step]:
    """The snapshots, while nothing splits."""
    source = ctx.settings.source.name
    taken: list[Step] = [
        step(
            id=f"snapshot:{t}",
            title=f"snapshot {t}",
            risk=Risk.REVERSIBLE,
            lane=t,
            ctx=ctx,
            why="the snapshot flushes: a write is in its files, or in a WAL the peer holds, or in both",
        )
        for t in tables
    ]
    hold = HoldSplits(
        id="hold-splits",
        title="hold splits and merges",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        hold=True,
        why=f"below HBase 2.6 a split or merge on {source} makes a running snapshot fail (HBASE-26323)",
    )
    release = HoldSplits(
        id="release-splits",
        title="allow splits and merges again",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        hold=False,
        why="the snapshots are taken; the switches go back to what they were",
    )
    return [hold, *taken, release]


def caught_up(ctx: Context) -> Step:
    """The proof that the peer replayed what it held back."""
    return DrainProof(
        id="caught-up",
        title="caught up, proved by canary rows",
        risk=Risk.REVERSIBLE,
        ctx=ctx,
        kind="caught-up",
        why="HBase shows lag 0 for a peer that ships nothing; a row that went through every region "
        "server's queue and arrived is proof",
    )


def stop_and_drain(ctx: Context, also: str = "", stop: type[StopWriters] = StopWriters) -> list[Step]:
    """The writers stop, and what they wrote has arrived. `also`: a further sentence of why."""
    return [
        stop(
            id="stop-writers",
            title="stop the writers",
            risk=Risk.CUTOVER,
            ctx=ctx,
            confirm_name=ctx.settings.name,
            why="stop your clients' writes now; the write counters of every region must stand still" + also,
        ),
        DrainProof(
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


def switch(ctx: Context, why: str, step: type[Switch] = Switch) -> Step:
    """The clients use the target."""
    return step(
        id="switch",
        title=f"clients use {ctx.settings.target.name}",
        risk=Risk.CUTOVER,
        ctx=ctx,
        confirm_name=ctx.settings.name,
        why=why,
    )


def retire_peer(ctx: Context) -> list[Step]:
    """The old peer is disabled for good, then removed."""
    return [
        DisablePeer(
            id="disable-peer",
            title=f"disable peer {ctx.peer_id}",
            risk=Risk.REVERSIBLE,
            ctx=ctx,
            undo_note="enabling it again would replay its WALs over the target's new writes",
            why="nothing may flow from the old cluster over the new one's writes",
        ),
        RemovePeer(
            id="remove-peer",
            title=f"remove peer {ctx.peer_id}",
            risk=Risk.DESTRUCTIVE,
            ctx=ctx,
            confirm_name=ctx.peer_id,
            undo_note="a removed peer's position is gone",
            why="while the peer exists the source keeps every WAL and its disk fills",
        ),
    ]


def delete_snapshots(ctx: Context, why: str, step: type[DeleteSnapshots] = DeleteSnapshots) -> Step:
    """This run's snapshots go."""
    return step(
        id="delete-snapshots",
        title="delete this migration's snapshots",
        risk=Risk.DESTRUCTIVE,
        ctx=ctx,
        confirm_name=f"ferry-{ctx.run_id}",
        undo_note="a deleted snapshot is gone",
        why=why,
    )


def put_back(ctx: Context, why: str, step: type[PutBack] = PutBack) -> Step:
    """Changed settings go back."""
    return step(id="put-back", title="put changed settings back", risk=Risk.REVERSIBLE, ctx=ctx, why=why)
