"""One cluster as it was observed: identity, tables, peers, replication queues, snapshots, disk.

Field names are those of HBase's Java API. Sizes are bytes, durations milliseconds unless a name says otherwise,
moments epoch milliseconds where HBase's own clock gave them (`*_ms`) and epoch seconds of this machine where we
took them (`at`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

PARTS = (
    "identity",
    "namespaces",
    "tables",
    "writes",
    "peers",
    "load",
    "snapshots",
    "stats",
    "disk",
    "servers",
)
"""The names of a ClusterView's observed parts."""


class Side(StrEnum):
    """Which cluster of the migration."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> Side:
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


@dataclass(frozen=True)
class Observed(Generic[T]):
    """A value with its age. After a failed look the last value stays, with its old `at` and the new `error`."""

    value: T | None = None
    at: float | None = None
    "epoch seconds when `value` was observed; None: never"
    error: str | None = None
    "why the newest look failed; None: it did not"

    @property
    def current(self) -> T | None:
        """The value if the newest look gave one, else None: decisions use this, screens may show `value` greyed."""
        return self.value if self.error is None else None


@dataclass(frozen=True)
class Identity:
    """What the cluster says it is (ClusterMetrics / ClusterStatus and the edge node's hbase-site.xml)."""

    cluster_id: str
    hbase_version: str
    hadoop_version: str
    rootdir: str
    wal_dir: str
    "hbase.wal.dir, or rootdir where it is not set"
    cluster_key: str
    "quorum:port:znode, as add_peer takes it"
    master: str
    servers: tuple[str, ...]
    "live region servers, host,port,startcode"
    dead_servers: tuple[str, ...]
    regions_in_transition: int
    balancer_on: bool | None
    replication_enabled: bool
    "hbase.replication of 1.x; always true from 2.0 on"
    split_enabled: bool | None
    merge_enabled: bool | None
    user: str
    "whom HBase sees behind the agent"
    time_ms: int
    "the edge node's clock at the moment of the answer"
    settings: Mapping[str, str] = field(default_factory=dict)
    "the hbase-site keys the preflight asks for, where they are set; of another service what it says of itself"
    product: str = "HBase"
    "what this side is; a service without a version of its own has an empty `hbase_version`"

    @property
    def title(self) -> str:
        """Product and version, for people."""
        return f"{self.product} {self.hbase_version}".strip()

    @property
    def major(self) -> int:
        """HBase's major version: 1, 2 or 3. 0 where the version text is not understood."""
        head = self.hbase_version.split(".", 1)[0]
        return int(head) if head.isdigit() else 0


@dataclass(frozen=True)
class Family:
    """One column family and the attributes a migration depends on."""

    name: str
    scope: int
    compression: str
    data_block_encoding: str
    versions: int
    ttl_seconds: int
    keep_deleted_cells: str
    mob: bool
    min_versions: int = 0
    retention: str = ""
    "what is kept, as cbt writes it (`maxversions=3 or maxage=86400s`, `never`): of a side that has no VERSIONS and TTL"


@dataclass(frozen=True)
class Table:
    """One table: `ns:qualifier` (no `default:` prefix), state and descriptor."""

    name: str
    enabled: bool
    regions: int
    families: tuple[Family, ...]
    coprocessors: tuple[str, ...] = ()
    durability: str = "USE_DEFAULT"
    major_compaction: str | None = None
    "the table's own hbase.hregion.majorcompaction, None: not set on the table"
    attributes: Mapping[str, str] = field(default_factory=dict)
    "what else its service says of it, such as deletion_protection"

    @property
    def namespace(self) -> str:
        return self.name.split(":", 1)[0] if ":" in self.name else "default"

    def family(self, name: str) -> Family | None:
        return next((family for family in self.families if family.name == name), None)


@dataclass(frozen=True)
class RegionWrites:
    """A region's write request counter, as its server last reported it. Starts again at 0 when the region moves."""

    region: str
    server: str
    writes: int
    start_hex: str = ""
    "the region's first key, in hex; empty: the table's beginning"


@dataclass(frozen=True)
class TableWrites:
    """Write counters of one table's open regions."""

    table: str
    regions: tuple[RegionWrites, ...]

    @property
    def total(self) -> int:
        return sum(region.writes for region in self.regions)


@dataclass(frozen=True)
class Peer:
    """A replication peer with its full configuration and state."""

    id: str
    enabled: bool
    cluster_key: str
    endpoint: str
    "endpoint class; empty: HBase's own inter-cluster endpoint"
    replicate_all: bool
    table_cfs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "table -> families; an empty tuple means every family with scope 1"
    namespaces: tuple[str, ...] = ()
    serial: bool = False
    bandwidth: int = 0
    "bytes a second and region server; 0: no limit"
    config: Mapping[str, str] = field(default_factory=dict)
    "the peer's CONFIG map"


@dataclass(frozen=True)
class ReplicationQueue:
    """One queue of one peer on one region server (ReplicationLoadSource). None: this HBase line does not say."""

    server: str
    peer: str
    queue_id: str
    recovered: bool | None
    running: bool | None
    size: int
    "WALs in the queue, the open one included: 1 a WAL group is nothing waiting"
    age_last_shipped_ms: int
    last_shipped_ms: int
    "epoch ms of the last shipped edit's write; 0: nothing shipped since the source object started"
    next_to_ship_ms: int | None
    lag_ms: int
    "HBase's own number: 0 for a peer that ships nothing; never shown alone"
    edits_read: int | None
    ops_shipped: int | None
    has_edits_since_restart: bool | None


@dataclass(frozen=True)
class ServerLoad:
    """The replication part of one region server's heartbeat."""

    server: str
    reported_ms: int
    queues: tuple[ReplicationQueue, ...]
    sink_age_last_applied_ms: int | None = None
    sink_last_applied_ms: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A completed snapshot."""

    name: str
    table: str
    created_ms: int
    type: str
    ttl_seconds: int
    owner: str


@dataclass(frozen=True)
class SnapshotStats:
    """SnapshotInfo's numbers of one snapshot (snapshot.SnapshotInfo.getSnapshotStats)."""

    name: str
    files: int
    bytes: int
    shared_bytes: int
    archived_bytes: int
    corrupt: bool
    missing_files: int


@dataclass(frozen=True)
class Usage:
    """Content summary of one path. `space` counts every replica; an open WAL counts 0 bytes and whole blocks."""

    path: str
    bytes: int
    space: int
    files: int
    exists: bool = True


@dataclass(frozen=True)
class Disk:
    """The WAL file system: capacity and where it goes (FsStatus, ContentSummary). Bytes."""

    filesystem: str
    capacity: int
    used: int
    remaining: int
    wals: Usage
    old_wals: Usage
    archive: Usage
    others: tuple[Usage, ...] = ()
    "paths asked for by the caller"


@dataclass(frozen=True)
class ServerFacts:
    """What one server's own information pages say: /conf, the replication bean and the class path of /jmx.

    HBase caches the bean's values for 10 s, so `metrics` may be that much older than `at_ms`.
    """

    server: str
    "host,port,startcode"
    role: str
    "master | region server"
    at_ms: int
    settings: Mapping[str, str] = field(default_factory=dict)
    "of the keys asked for those that are set in the running server"
    metrics: Mapping[str, int] = field(default_factory=dict)
    "full name in the bean (source.<peer>.<name>) -> value, of the names asked for"
    jars: tuple[str, ...] = ()
    "file names on its class path that hold one of the texts asked for"
    error: str = ""
    "why its pages could not be read; then the maps are empty and nothing is known"


@dataclass(frozen=True)
class ClusterView:
    """One side at one moment. Each part is observed, or fails, on its own."""

    side: Side
    name: str
    identity: Observed[Identity] = Observed()
    namespaces: Observed[tuple[str, ...]] = Observed()
    tables: Observed[tuple[Table, ...]] = Observed()
    writes: Observed[tuple[TableWrites, ...]] = Observed()
    peers: Observed[tuple[Peer, ...]] = Observed()
    load: Observed[tuple[ServerLoad, ...]] = Observed()
    snapshots: Observed[tuple[Snapshot, ...]] = Observed()
    stats: Observed[tuple[SnapshotStats, ...]] = Observed()
    "of this migration's snapshots that exist on this side"
    disk: Observed[Disk] = Observed()
    servers: Observed[tuple[ServerFacts, ...]] = Observed()
    "every server's own pages; empty where the migration asks for none"
    parts: tuple[str, ...] = PARTS
    "what this kind of side has; the other parts are never observed"

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables.current or () if table.name == name), None)

    def peer(self, peer_id: str) -> Peer | None:
        return next((peer for peer in self.peers.current or () if peer.id == peer_id), None)

    def snapshot(self, name: str) -> Snapshot | None:
        return next((snap for snap in self.snapshots.current or () if snap.name == name), None)

    def snapshot_stats(self, name: str) -> SnapshotStats | None:
        return next((stats for stats in self.stats.current or () if stats.name == name), None)

    def table_writes(self, name: str) -> TableWrites | None:
        return next((writes for writes in self.writes.current or () if writes.table == name), None)

    def queues(self, peer_id: str) -> tuple[ReplicationQueue, ...]:
        return tuple(q for load in self.load.current or () for q in load.queues if q.peer == peer_id)
