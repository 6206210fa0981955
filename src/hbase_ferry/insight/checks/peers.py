"""Checks of replication as it is: the peer's id, peers beside it, queues left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hbase_ferry.insight.checks.base import Ask, Finding, missing
from hbase_ferry.insight.format import plural
from hbase_ferry.insight.stalls import covered_tables, same_key
from hbase_ferry.model.cluster import Peer, Side

_PEER_ID = re.compile(r"[A-Za-z0-9_.]{1,100}", re.ASCII)


def findings(ask: Ask) -> Iterator[Finding]:
    """Every check of this module."""
    yield _valid(ask)
    yield _free(ask)
    yield _left_behind(ask)
    yield _others(ask)
    yield _back(ask)


def source_findings(ask: Ask) -> Iterator[Finding]:
    """Those that ask nothing of an HBase target."""
    yield _valid(ask)
    yield _free(ask)
    yield _left_behind(ask)
    yield _others(ask)


def _valid(ask: Ask) -> Finding:
    """HBase refuses '-' (recovered queues are named <peer>-<server>, HBASE-11394); the rest keeps it
    typeable."""
    check = "peer-id"
    if "-" in ask.peer_id:
        return Finding(check, "block", f"peer id {ask.peer_id} holds '-', which HBase refuses", Side.SOURCE)
    if not _PEER_ID.fullmatch(ask.peer_id) or not ask.peer_id.strip("."):
        text = "the peer id needs 1 to 100 of the characters A-Z a-z 0-9 _ ."
        return Finding(check, "block", text, Side.SOURCE)
    return Finding(check, "ok", f"peer id {ask.peer_id} is one HBase takes", Side.SOURCE)


def _free(ask: Ask) -> Finding:
    check, source = "peer-free", ask.view.source
    if source.peers.current is None:
        return missing(check, source, "peers", source.peers)
    peer = source.peer(ask.peer_id)
    if peer is None:
        return Finding(check, "ok", f"no peer {ask.peer_id} on {source.name} yet", Side.SOURCE)
    differs = _differs(ask, peer)
    if differs:
        text = f"{source.name} already has a peer {ask.peer_id} that is not ours: {differs}"
        return Finding(check, "block", text, Side.SOURCE)
    state = "ENABLED" if peer.enabled else "disabled"
    text = f"{source.name} already has our peer {ask.peer_id}, {state}"
    return Finding(check, "warn" if peer.enabled else "ok", text, Side.SOURCE)


def _differs(ask: Ask, peer: Peer) -> str:
    """What tells the peer from the one this migration would add; empty: nothing."""
    target = ask.view.target.identity.current
    if peer.endpoint != ask.endpoint:
        return f"its endpoint is {peer.endpoint or 'that of HBase'}"
    if peer.replicate_all or peer.namespaces:
        return "it ships more than these tables"
    if {name: set(cfs) for name, cfs in peer.table_cfs.items()} != {
        t.name: set(t.families) for t in ask.tables
    }:
        return (
            f"it ships {', '.join(sorted(peer.table_cfs)[:3]) or 'no table'}, with other tables or families"
        )
    if ask.endpoint:
        return f"it has a CONFIG of its own: {', '.join(sorted(peer.config)[:3])}" if peer.config else ""
    if target is not None and not same_key(peer.cluster_key, target.cluster_key):
        return f"it ships to {peer.cluster_key}, and {ask.view.target.name} is {target.cluster_key}"
    return ""


def _left_behind(ask: Ask) -> Finding:
    """HBase refuses to add a peer while queues of an earlier one with its id remain ("undeleted queue for
    peerId")."""
    check, source = "leftover-queues", ask.view.source
    if source.load.current is None or source.peers.current is None:
        part = source.load if source.load.current is None else source.peers
        return missing(check, source, "replication queues", part)
    known = {peer.id for peer in source.peers.current}
    orphans = {q.peer for load in source.load.current for q in load.queues} - known
    if ask.peer_id in orphans:
        text = f"queues of an earlier peer {ask.peer_id} remain on {source.name} (hbck2 replication --fix)"
        return Finding(check, "block", text, Side.SOURCE)
    if orphans:
        text = f"queues without a peer keep WALs on {source.name}: {', '.join(sorted(orphans)[:3])}"
        return Finding(check, "warn", text, Side.SOURCE)
    return Finding(check, "ok", "every queue has its peer", Side.SOURCE)


def _others(ask: Ask) -> Finding:
    check, source = "other-peers", ask.view.source
    if source.peers.current is None:
        return missing(check, source, "peers", source.peers)
    wished = {wish.name for wish in ask.tables}
    others = [peer for peer in source.peers.current if peer.id != ask.peer_id]
    sharing = [peer.id for peer in others if _ships(peer, wished) or _seen_to_ship(ask, peer, wished)]
    if sharing:
        text = (
            f"{plural(len(sharing), 'other peer')} of {source.name} cover these tables too: {', '.join(sharing[:3])}; "
            "raising the scope makes them ship as well"
        )
        return Finding(check, "warn", text, Side.SOURCE)
    return Finding(check, "ok", f"{plural(len(others), 'other peer')}, none for these tables", Side.SOURCE)


def _ships(peer: Peer, wished: set[str]) -> bool:
    spaces = {name.split(":", 1)[0] if ":" in name else "default" for name in wished}
    return peer.replicate_all or bool(spaces & set(peer.namespaces)) or bool(wished & set(peer.table_cfs))


def _seen_to_ship(ask: Ask, peer: Peer, wished: set[str]) -> bool:
    return any(table.name in wished and families for table, families in covered_tables(peer, ask.view.source))


def _back(ask: Ask) -> Finding:
    """Entries carry the ids of the clusters they passed, so a loop ends by itself
    (ClusterMarkingEntryFilter)."""
    check, target = "peers-of-target", ask.view.target
    identity = ask.view.source.identity.current
    if target.peers.current is None:
        return missing(check, target, "peers", target.peers)
    if identity is None:
        return missing(check, ask.view.source, "cluster key", ask.view.source.identity)
    back = [p.id for p in target.peers.current if same_key(p.cluster_key, identity.cluster_key)]
    if back:
        text = f"{target.name} replicates back to {ask.view.source.name} through peer {', '.join(back[:3])}"
        return Finding(check, "warn", text, target.side)
    return Finding(check, "ok", f"{target.name} does not replicate to {ask.view.source.name}", target.side)
