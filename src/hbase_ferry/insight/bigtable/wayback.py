"""Whether a stream from Bigtable back to HBase would recognise what the replication library wrote, and the other way.

The library tags its writes with its `hbase_qualifier` and drops entries tagged with `cbt_qualifier`; Google's Dataflow
template does the reverse. Each side has defaults of its own, which do not fit each other (bigtable.md §6.3), so that a
way back works only where both are set and equal on every server. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbase_ferry.insight.bigtable.counters import REGION_SERVER
from hbase_ferry.insight.bigtable.library import BIDIRECTIONAL, CBT_QUALIFIER, HBASE_QUALIFIER
from hbase_ferry.insight.bigtable.pages import switch, value
from hbase_ferry.model.cluster import ServerFacts

LIBRARY_DEFAULTS = {HBASE_QUALIFIER: "SOURCE_HBASE", CBT_QUALIFIER: "SOURCE_CBT"}
"""HBaseToCloudBigtableReplicationConfiguration's own."""


@dataclass(frozen=True)
class WayBack:
    """`ok` None: not every server could be read."""

    ok: bool | None
    text: str


def way_back(servers: Sequence[ServerFacts], hbase_qualifier: str, cbt_qualifier: str) -> WayBack:
    """Compares every region server's qualifiers with those the stream back is started with."""
    read = [server for server in servers if server.role == REGION_SERVER and not server.error]
    unread = [server.server for server in servers if server.role == REGION_SERVER and server.error]
    if not read or unread:
        return WayBack(None, f"the qualifiers of {', '.join(unread) or 'the region servers'} were not seen")
    for server in read:
        fault = mismatch(server, hbase_qualifier, cbt_qualifier)
        if fault:
            return WayBack(False, f"{server.server} {fault}")
    return WayBack(True, f"{len(read)} region servers and the stream back use the same qualifiers")


def mismatch(server: ServerFacts, hbase_qualifier: str, cbt_qualifier: str) -> str:
    """What of a region server's page does not fit that stream back, as words after its name; empty: it fits."""
    if not switch(server, BIDIRECTIONAL, False):
        return f"does not run with {BIDIRECTIONAL}=true: a stream back would loop"
    for key, wanted in {HBASE_QUALIFIER: hbase_qualifier, CBT_QUALIFIER: cbt_qualifier}.items():
        own = value(server, key) or LIBRARY_DEFAULTS[key]
        if own != wanted:
            return f"runs with {key}={own}, the stream back with {wanted}: it would loop"
    return ""
