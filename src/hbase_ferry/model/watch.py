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
    server_settings: tuple[str, ...] = ()
    "keys to read in every server's /conf; `?key` asks only whether it is set, and gives `(set)`"
    server_metrics: tuple[str, ...] = ()
    "last parts of the names wanted from every region server's replication bean"
    server_jars: tuple[str, ...] = ()
    "texts to look for in the file names on every server's class path"

    @property
    def servers(self) -> bool:
        """Whether the servers' own pages are asked for at all."""
        return bool(self.server_settings or self.server_metrics or self.server_jars)
