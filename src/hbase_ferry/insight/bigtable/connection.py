"""The one connection of a region server: made by its first Bigtable peer, shared by all, leaked by failed starts.

SharedResources of the library's CloudBigtableReplicator counts references; a start that fails counts one that is never
given back, so that the connection outlives its peers until the server restarts. Invariant: named only where peers or
looks differ. Called by the stall causes and the checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from hbase_ferry.insight.bigtable import library, startup
from hbase_ferry.insight.bigtable.pages import read, value
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.model.cluster import ClusterView, Peer


def shared(peer: Peer, source: ClusterView) -> Iterator[Cause]:
    """Other Bigtable peers that name another connection than this one."""
    own = connection_keys(peer, source)
    for other in source.peers.current or ():
        if other.id == peer.id or not library.ships_to_bigtable(other.endpoint):
            continue
        differ = [key for key, wanted in connection_keys(other, source).items() if wanted != own.get(key, "")]
        if differ:
            yield Cause(
                "shared connection",
                f"peer {other.id} ships to Bigtable too and names another {', '.join(differ)}: all such peers of a "
                "region server use the connection of the one that started first",
                f"remove one of {peer.id} and {other.id}, and restart the region servers",
            )


def leaked(peer: Peer, history: Sequence[ClusterView], failed: Collection[str] = ()) -> Iterator[Cause]:
    """Servers on which this peer runs after a Bigtable endpoint was seen not to start, in the same life. `failed`:
    those of which that is on record (`startup.failed`), from before this history."""
    servers = _failed_before(peer, history, failed)
    if servers:
        yield Cause(
            "leaked connection",
            f"a Bigtable endpoint failed to start on {', '.join(servers[:3])} before: such a server keeps its first "
            "connection, with the keys of then, whatever peers are removed and added",
            "restart that region server",
        )


def connection_keys(peer: Peer, source: ClusterView) -> Mapping[str, str]:
    """The connection keys a peer asks for: those of its CONFIG, before those of the servers."""
    pages = read(source.servers.current or ())
    site = {key: next((text for f in pages if (text := value(f, key))), "") for key in library.CONNECTION_KEYS}
    return {key: peer.config.get(key, site[key]) for key in library.CONNECTION_KEYS}


def _failed_before(peer: Peer, history: Sequence[ClusterView], recorded: Collection[str]) -> tuple[str, ...]:
    """A start that takes its time is no failure: one that is seen for longer than any start takes is."""
    ours = {queue.server for queue in history[-1].queues(peer.id)} - set(startup.not_started(history[-1], peer.id))
    failed = set(recorded)
    begun: dict[tuple[str, str], float] = {}
    for view in history[:-1]:
        at = view.load.at or view.servers.at
        if at is None or view.peers.current is None:
            continue
        peers = [other.id for other in view.peers.current if library.ships_to_bigtable(other.endpoint)]
        starting = {(other, server) for other in peers for server in startup.not_started(view, other)}
        begun = {each: begun.get(each, at) for each in starting}
        failed.update(server for (_, server), since in begun.items() if at - since >= startup.FAILED_SECONDS)
    return tuple(sorted(ours & failed))
