"""What a look at one cluster reads besides its listings. The migration says it, `cluster.client` reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Watch:
    """Names whose details are wanted; an empty tuple asks for none of that kind."""

    tables: tuple[str, ...] = ()
    "write counters of these tables"
    snapshots: tuple[str, ...] = ()
    "SnapshotInfo numbers of these, where they exist"
    paths: tuple[str, ...] = ()
    "content summaries of these paths or URIs"
    settings: tuple[str, ...] = ()
    "hbase-site keys for the identity"
