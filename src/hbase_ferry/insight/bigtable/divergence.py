"""The ways in which Bigtable may end up other than HBase although the peer ships. Pure.

The documentation of the library names three: multi-cluster routing, dropped mutations, gaps of HBase's own replication.
Invariant: each is named only from something observed. Called by the stall causes and the front ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import by_server, counters, left_behind, of_peer
from hbase_ferry.insight.bigtable.pages import read, value
from hbase_ferry.insight.format import plural
from hbase_ferry.insight.lag import lasting_dark_servers
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.model.cluster import ClusterView


def causes(peer_id: str, history: Sequence[ClusterView], target: ClusterView) -> Iterator[Cause]:
    """The three, in the documentation's order."""
    if not history:
        return
    yield from _routing(history[-1], target)
    yield from _dropped(peer_id, history[-1])
    yield from _gaps(peer_id, history)


def _routing(source: ClusterView, target: ClusterView) -> Iterator[Cause]:
    settings = target.identity.current.settings if target.identity.current else {}
    profiles = {value(facts, library.APP_PROFILE) or "default" for facts in read(source.servers.current or ())}
    for profile in sorted(profiles):
        if settings.get(f"profile.{profile}.routing", "").startswith("multi"):
            yield Cause(
                "multi-cluster routing",
                f"app profile {profile} of {target.name} routes to several clusters: the last writer wins between "
                "them, in another order than HBase's",
                "use a profile that routes to a single cluster, and copy and compare again what was shipped so far",
            )


def _dropped(peer_id: str, source: ClusterView) -> Iterator[Cause]:
    each = by_server(counters(source.servers.current or ())).values()
    number = sum(of_peer(found, peer_id, library.DROPPED) or 0 for found in each if not left_behind(found, peer_id))
    if number:
        yield Cause(
            "dropped mutations",
            f"the library dropped {plural(number, 'mutation')} that Bigtable cannot do (attempts counted)",
            "stop such deletes in the application; compare, and copy again the rows that differ",
        )


def _gaps(peer_id: str, history: Sequence[ClusterView]) -> Iterator[Cause]:
    source = history[-1]
    remedy = "HBase's replication may lose edits there: the comparison before the cutover decides, and repairs"
    identity = source.identity.current
    if source.load.current is None or identity is None:
        return
    recovered = [queue.queue_id for queue in source.queues(peer_id) if queue.recovered]
    recovered += [
        key.queue
        for key in counters(source.servers.current or ())
        if key.peer == peer_id and key.recovered and key.name == library.LOG_QUEUE and key.queue not in recovered
    ]
    dark = lasting_dark_servers(history, peer_id)
    if dark:
        text = f"{plural(len(dark), 'live region server')} without a queue of peer {peer_id}: {', '.join(dark[:3])}"
        yield Cause("replication gap", f"{text}; what they write is not kept for Bigtable", remedy)
    if recovered:
        text = f"{plural(len(recovered), 'queue')} of dead region servers still to ship: {recovered[0]}"
        yield Cause("replication gap", text, remedy)
