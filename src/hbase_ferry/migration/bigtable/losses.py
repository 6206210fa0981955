"""The loss ledger of one migration: from the servers' counters, the journal's memory of them, the sample and the copy.

Invariant: an entry that loses something closes the cutover until its gate, which carries the number, is accepted with a
reason. What the counters showed is put on disk as it grows, since a restarted server begins at 0 again; and so is the
moment from which an endpoint was seen not to start, since what it counts down to is hours away, and where it failed to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hbase_ferry.insight.bigtable import startup
from hbase_ferry.insight.bigtable.ledger import Loss, Sampled, ledger, remembered, totals, unseen
from hbase_ferry.migration.bigtable.names import (
    BigtableContext,
    copy_subject,
    dropped_from_history,
    dry_peer,
    uncounted_from_history,
)
from hbase_ferry.migration.bigtable.sample import SAMPLED
from hbase_ferry.migration.compare.copying import copy_state
from hbase_ferry.migration.core import Gate
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.cluster import ClusterView
from hbase_ferry.model.view import Proof, View

MEMORY = "cursor.losses"
"""Kind of the proof that keeps what the counters showed; only the newest is kept."""
NOT_STARTED = "cursor.not-started"
"""Kind of the proof that keeps since when a peer's endpoint has not started, by server."""
FAILED_STARTS = "cursor.failed-starts"
"""Kind of the proof that keeps on which servers an endpoint of a peer failed to start, with the look, in epoch
seconds, that showed it."""
BEGUN = "before-dry-run"
"""Kind of the proof with which a dry run begins: the counters as `counters_now` gave them (`dryrun.AddDryRunPeer`)."""


def remember(view: View, settings: Settings, history: Sequence[ClusterView]) -> tuple[Proof, ...]:
    """What of this view has to be on disk, of the migration's peer and of its dry run's; empty: nothing of weight
    changed, or nothing was read. `history`: this process's looks at the source, oldest first."""
    dry = dry_peer(settings.peer_id)
    known = _dry_memory(view, dry)
    memories = {settings.peer_id: _memory(view, settings.peer_id)} | ({} if known is None else {dry: known})
    found = {peer: remembered(memory, view.source, peer) for peer, memory in memories.items()}
    note = "the library's loss counters, as the servers show them"
    counted = (Proof(MEMORY, peer, view.at, basis, note) for peer, basis in found.items() if basis)
    since = (proof for peer in (settings.peer_id, dry) for proof in _not_started(view, peer))
    failed = (proof for peer in (settings.peer_id, dry) for proof in _failed(view, peer, history))
    return (*counted, *since, *failed)


def not_started_since(view: View, peer_id: str) -> Mapping[str, str]:
    """Server -> epoch seconds since when the peer's endpoint was seen not to be started, as it is on record."""
    proof = view.proof(NOT_STARTED, peer_id)
    return proof.basis if proof is not None else {}


def _not_started(view: View, peer_id: str) -> Iterator[Proof]:
    """A region server aborts over it after hours, and neither a process nor its history is sure to last as long."""
    found = startup.since(not_started_since(view, peer_id), view.source, peer_id)
    if found is not None:
        where = f"has not started on {', '.join(sorted(found))}" if found else "is not seen to be stopped anywhere"
        yield Proof(NOT_STARTED, peer_id, view.at, found, f"the endpoint of peer {peer_id} {where}")


def failed_starts(view: View) -> tuple[str, ...]:
    """Servers, each in one life, on which an endpoint of the migration's peers failed to start."""
    found = (proof.basis for proof in view.proofs if proof.kind == FAILED_STARTS)
    return tuple(dict.fromkeys(server for basis in found for server in basis))


def _failed(view: View, peer_id: str, history: Sequence[ClusterView]) -> Iterator[Proof]:
    """Such a server keeps its first connection until it restarts, however long ago that was."""
    known = view.proof(FAILED_STARTS, peer_id)
    before = dict(known.basis) if known is not None else {}
    late = startup.failed(history, peer_id)
    if not before.keys() >= set(late):
        found = dict.fromkeys(late, str(int(view.at))) | before
        note = f"the endpoint of peer {peer_id} failed to start on {', '.join(sorted(found))}"
        yield Proof(FAILED_STARTS, peer_id, view.at, found, note)


def counters_now(view: View, peer_id: str) -> dict[str, str]:
    """The loss counters of a peer as they stand, as the memory keeps them."""
    return dict(remembered({}, view.source, peer_id) or {})


def losses(ctx: BigtableContext, view: View) -> tuple[Loss, ...]:
    """Every entry, those that close the cutover first."""
    return _ledger(ctx, view, ctx.peer_id, _memory(view, ctx.peer_id), _sampled(ctx, view))


def dry_run_losses(ctx: BigtableContext, view: View, before: Mapping[str, str]) -> tuple[Loss, ...]:
    """What the dry-run peer counted since `before`, on servers that restarted or ended meanwhile too."""
    memory = _dry_memory(view, ctx.dry_peer_id)
    return _ledger(ctx, view, ctx.dry_peer_id, before if memory is None else memory, Sampled())


def loss_gates(ctx: BigtableContext, view: View) -> tuple[Gate, ...]:
    """One gate an entry: closed until accepted where something is lost, a warning where nothing is."""
    servers = view.source.servers
    if servers.at is None and servers.error is None:
        return (Gate("losses", None, f"the library's counters on {view.source.name} were not seen"),)
    return tuple(
        Gate(
            loss.gate,
            False,
            f"{loss.text}; {loss.remedy}" + (f"; or accept {loss.gate} with a reason" if loss.closes else ""),
            str(loss.count),
            "0",
            waivable=loss.closes,
            warning=not loss.closes,
        )
        for loss in losses(ctx, view)
    )


def _memory(view: View, peer_id: str) -> Mapping[str, str]:
    proof = view.proof(MEMORY, peer_id)
    return proof.basis if proof is not None else {}


def _dry_memory(view: View, dry_peer_id: str) -> Mapping[str, str] | None:
    """What is remembered of the newest dry run, from what its servers showed before it on; None: none was begun.

    The proof that begins a dry run is a memory itself, and what was remembered of an earlier one stands before it.
    """
    kinds = (MEMORY, BEGUN)
    ours = (p.basis for p in reversed(view.proofs) if p.kind in kinds and p.subject == dry_peer_id)
    return next(ours, None)


def _ledger(
    ctx: BigtableContext, view: View, peer_id: str, memory: Mapping[str, str], sampled: Sampled
) -> tuple[Loss, ...]:
    counted = totals(view.source, peer_id, memory)
    return ledger(view, peer_id, counted, tables=ctx.wishes, sampled=sampled, gone=unseen(view.source, memory))


def _sampled(ctx: BigtableContext, view: View) -> Sampled:
    names = [table.name for table in ctx.settings.tables]
    samples = {name: proof.basis for name in names if (proof := view.proof(SAMPLED, name)) is not None}
    copies = {name: copy_state(view.proofs, copy_subject(ctx, view, name)) for name in names}

    def of(key: str, name: str) -> int:
        return int(samples.get(name, {}).get(key, "0"))

    return Sampled(
        skipped_rows={n: max(of("skipped_rows", n), copies[n].skipped) for n in names},
        large_cells={n: max(of("large_cells", n), copies[n].refused) for n in names},
        long_keys={n: max(of("long_keys", n), copies[n].long_keys) for n in names},
        reverse_timestamps={n: max(of("reverse_timestamps", n), copies[n].clamped) for n in names},
        backfill_dropped={n: dropped_from_history(view, n) for n in names},
        backfill_uncounted={n: filters for n in names if (filters := uncounted_from_history(view, n))},
    )
