"""Why a peer stalls: what both sides show that would stop it, each with its evidence and a remedy. Pure.

Invariant: a cause is named only from something observed. HBase itself says nothing of it in its metrics: a
source whose target lacks a table retries for ever with isRunning true, and failedBatches stays 0
(hbase-replication.md §6). Called for the chosen peer by the console, and by the steps that wait for a peer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hbase_ferry.insight.format import duration, plural, size
from hbase_ferry.insight.lag import PeerState, held_back, judge_peer, lasting_dark_servers
from hbase_ferry.insight.queues import NODE_BANDWIDTH, longest_pause, lowest_limit
from hbase_ferry.model.cluster import ClusterView, Peer, Table


@dataclass(frozen=True)
class Cause:
    """One reason. `name` is a short stable word, `evidence` and `remedy` are sentences."""

    name: str
    evidence: str
    remedy: str


def causes(peer_id: str, source_history: Sequence[ClusterView], target: ClusterView) -> tuple[Cause, ...]:
    """Every cause that the newest views show, the likeliest first; empty: none is seen, which does not
    mean none is.

    Tables are compared only where the source's view holds them: the two sides are asked for the same tables. What a
    disabled peer would find missing is not there yet on purpose, and no cause.
    """
    if not source_history:
        return ()
    source = source_history[-1]
    peer = source.peer(peer_id)
    if peer is None:
        return ()
    found = [
        *_unreachable(target),
        *(_tables(peer, source, target) if peer.enabled else ()),
        *_queues(peer, source_history),
        *_cluster_key(peer, target),
        *limited(peer, source_history),
    ]
    return tuple(dict.fromkeys(found))


def covered_tables(peer: Peer, source: ClusterView) -> tuple[tuple[Table, tuple[str, ...]], ...]:
    """(table, families with scope 1) of every observed table of the source whose edits this peer ships."""
    found = []
    for table in source.tables.current or ():
        named = peer.table_cfs.get(table.name)
        whole = peer.replicate_all or table.namespace in peer.namespaces
        if named is None and not whole:
            continue
        families = [f.name for f in table.families if f.scope and (whole or not named or f.name in named)]
        found.append((table, tuple(families)))
    return tuple(found)


def _unreachable(target: ClusterView) -> Iterator[Cause]:
    if target.identity.error:
        yield Cause(
            "target unreachable",
            f"{target.name} does not answer: {target.identity.error}",
            f"look at the master and ZooKeeper of {target.name}; the source keeps trying by itself",
        )
    identity = target.identity.current
    if identity is not None and not identity.servers:
        yield Cause(
            "target has no region server",
            f"{target.name} has no live region server, {plural(len(identity.dead_servers), 'dead one')}",
            f"start the region servers of {target.name}",
        )
    elif identity is not None and identity.dead_servers:
        yield Cause(
            "target lost region servers",
            f"{plural(len(identity.dead_servers), 'dead region server')} on {target.name}: "
            + ", ".join(identity.dead_servers[:3]),
            "wait until their regions are open elsewhere (regions in transition: "
            f"{identity.regions_in_transition})",
        )


def _tables(peer: Peer, source: ClusterView, target: ClusterView) -> Iterator[Cause]:
    if target.tables.current is None:
        return
    for table, families in covered_tables(peer, source):
        if families:
            yield from _table(table, families, target)


def _table(table: Table, families: Sequence[str], target: ClusterView) -> Iterator[Cause]:
    there = target.table(table.name)
    known = target.namespaces.current
    if there is None and known is not None and table.namespace not in known:
        yield Cause(
            "namespace missing",
            f"{target.name} has no namespace {table.namespace}, which {table.name} needs",
            f"create namespace {table.namespace} and table {table.name} on {target.name}",
        )
    elif there is None:
        yield Cause(
            "table missing",
            f"{target.name} has no table {table.name}; its edits block every table in the same WALs",
            f"restore the snapshot of {table.name} on {target.name}; the peer goes on by itself",
        )
    elif not there.enabled:
        yield Cause(
            "table disabled",
            f"{table.name} is disabled on {target.name}",
            f"enable {table.name} on {target.name}",
        )
    else:
        missing = [name for name in families if there.family(name) is None]
        if missing:
            yield Cause(
                "family missing",
                f"{table.name} on {target.name} lacks {'family' if len(missing) == 1 else 'families'} "
                + ", ".join(missing),
                f"add what is missing to {table.name} on {target.name}, or take it out of the peer's table CFs",
            )


def _queues(peer: Peer, history: Sequence[ClusterView]) -> Iterator[Cause]:
    view = history[-1]
    if view.load.current is None or view.identity.current is None:
        return
    dark = lasting_dark_servers(history, peer.id)
    if dark:
        yield Cause(
            "region server dark",
            f"{plural(len(dark), 'live region server')} without a queue of peer {peer.id}: "
            + ", ".join(dark[:3]),
            "look for 'Error while adding a new peer' in its log; a restart of that region server makes the queue",
        )
    stopped = [queue.server for queue in view.queues(peer.id) if queue.running is False]
    if stopped:
        kind = f"endpoint {peer.endpoint}" if peer.endpoint else "HBase's own endpoint"
        yield Cause(
            "endpoint not running",
            f"{kind} does not run on {plural(len(stopped), 'region server')}: " + ", ".join(stopped[:3]),
            "its class must be on every region server, and the target's ZooKeeper reachable from there; "
            "see the region server's log",
        )
    orphans = [queue for queue in view.queues(peer.id) if queue.recovered]
    if orphans and judge_peer(peer.id, history).state is PeerState.STALLED:
        yield Cause(
            "recovered queue",
            f"{plural(len(orphans), 'queue')} of dead region servers still to ship: {orphans[0].queue_id}",
            "one region server ships such a queue alone; look for EOF or FileNotFound in the log of "
            + orphans[0].server,
        )


def limited(peer: Peer, history: Sequence[ClusterView]) -> Iterator[Cause]:
    """The peer's bandwidth limit, or the site's, while edits wait and it may be what holds them back."""
    held = held_back(peer.id, history)
    limit = lowest_limit(history, peer.id)
    if held and limit:
        worst = max(held.values(), key=lambda truth: truth.lag_ms or 0)
        yield Cause(
            "bandwidth limit",
            f"peer {peer.id} may ship {size(limit)}/s from each region server, and pauses for up to "
            f"{duration(longest_pause(limit, history[-1]))} after a batch: {worst.text}",
            f"raise it with set_peer_bandwidth '{peer.id}', BYTES in the hbase shell (0: the site's {NODE_BANDWIDTH}); "
            "a pause that has begun lasts to its end",
        )


def _cluster_key(peer: Peer, target: ClusterView) -> Iterator[Cause]:
    identity = target.identity.current
    if identity is None or peer.endpoint or same_key(peer.cluster_key, identity.cluster_key):
        return
    yield Cause(
        "another cluster key",
        f"peer {peer.id} ships to {peer.cluster_key or 'no cluster key'}, "
        f"while {target.name} calls itself {identity.cluster_key}",
        "see that both name one ZooKeeper; the key of an existing peer cannot be changed, only a new peer",
    )


def same_key(first: str, second: str) -> bool:
    """Whether two cluster keys, `host[:port],host:port:/znode`, name the same servers and znode, in any
    order."""

    def parts(key: str) -> tuple[frozenset[tuple[str, str]], str]:
        quorum, port, znode = (["", "", *key.strip().rsplit(":", 2)])[-3:]
        hosts = (host.strip().lower().partition(":") for host in quorum.split(","))
        return frozenset((host, own or port.strip()) for host, _, own in hosts), znode.strip().rstrip("/")

    return parts(first) == parts(second)
