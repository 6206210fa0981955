"""One simulated cluster: servers, tables, peers, queues, WALs, disk, and how a tick moves them.

Invariant: everything that depends on time happens in `tick` or in a scheduled event of the world, so reading never
changes anything. What a heartbeat carries (the replication load) is a copy made each 3 s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hbase_ferry.cluster.simulator.errors import version_of
from hbase_ferry.cluster.simulator.hdfs import REPLICAS, Area
from hbase_ferry.cluster.simulator.replication import BATCH_BYTES, BATCH_EDITS, Endpoint, Router, SimPeer, Source
from hbase_ferry.cluster.simulator.rows import KeyBook
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wal import BLOCK, BULK, DELETE, PUT, Wal, pack
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json

ROLL_BYTES = 128 * 1024 * 1024
ROLL_MS = 3_600_000
HEARTBEAT_MS = 3_000
DELETE_BYTES = 120

BEAN_MS = 10_000
"""How long the metrics system keeps what the replication bean shows."""
REGION_REPLICA = "org.apache.hadoop.hbase.replication.regionserver.RegionReplicaReplicationEndpoint"
"""An endpoint class that HBase itself brings (before 3.0); it ships nothing of tables without region replicas."""

Heartbeat = dict[str, Json]


@dataclass
class Pages:
    """What a server's information pages show beyond its site file: settings, jars on its class path; or why nothing."""

    settings: dict[str, str] = field(default_factory=dict)
    jars: list[str] = field(default_factory=list)
    error: str = ""


@dataclass
class Server:
    """A region server with its open WAL and its closed ones that still lie in WALs/."""

    index: int
    host: str
    started_ms: int
    wal: Wal
    alive: bool = True
    closed: list[Wal] = field(default_factory=list)
    heartbeat: Heartbeat = field(default_factory=dict)
    bean: dict[str, int] = field(default_factory=dict)
    "the replication bean as its page shows it, up to BEAN_MS old"

    @property
    def name(self) -> str:
        return f"{self.host},16020,{self.started_ms}"


@dataclass
class SimCluster:
    """The state of one side. `ship_rate`: rows a second and region server."""

    side: Side
    name: str
    version: str
    hadoop: str
    cluster_id: str
    area: Area
    cluster_key: str
    capacity: int
    keys: KeyBook
    servers: list[Server] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    tables: dict[str, SimTable] = field(default_factory=dict)
    numbers: dict[int, SimTable] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=lambda: {"default", "hbase"})
    peers: dict[str, SimPeer] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    old_wals: list[Wal] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    switches: dict[str, bool] = field(default_factory=lambda: {"split": True, "merge": True})
    balancer: bool = True
    skew_ms: int = 0
    other_bytes: int = 0
    "what else lies on the file system"
    bulk_bytes: int = 0
    "bytes a second and server that bystander tables write"
    bulk_edits: int = 0
    "replicated bystander edits a second and server, of table `bulk_table`"
    bulk_table: int = 0
    ship_rate: int = 2_000
    pages: Pages = field(default_factory=Pages)
    "of every server that has none of its own"
    own_pages: dict[str, Pages] = field(default_factory=dict)
    "by host"
    library_counters: dict[str, dict[str, int]] = field(default_factory=dict)
    "what endpoints add to a server's bean: server name -> full name (source.<peer>.<counter>) -> value"
    endpoints: dict[str, Endpoint | None] = field(default_factory=lambda: {REGION_REPLICA: None})
    "endpoint classes that its servers can load; None: one that takes every edit and keeps none"
    full: bool = False
    changes: int = 0
    "grows with every change to tables or descriptors; readers may cache by it"

    @property
    def filesystem(self) -> str:
        return self.area.uri.rsplit("/", 1)[0]

    @property
    def release(self) -> tuple[int, ...]:
        return version_of(self.version)

    @property
    def backs_off(self) -> bool:
        """HBASE-27632 is in 2.6.0 and 3."""
        return self.release >= (2, 6)

    @property
    def protects_tmp(self) -> bool:
        """Whether this master's HFile cleaner spares snapshots in progress (HBASE-23202 and before HBASE-21387)."""
        v = self.release
        risky = (
            (1, 3, 3) <= v < (1, 4) or (1, 4, 9) <= v < (2, 0) or (2, 1, 2) <= v < (2, 2) or (2, 2) <= v < (2, 3)
        )
        return not risky

    @property
    def master(self) -> str:
        return f"master1.{self.name},16000,{self.servers[0].started_ms - 4000}"

    def live(self) -> list[Server]:
        return [server for server in self.servers if server.alive]

    def add_table(self, table: SimTable) -> None:
        self.tables[table.name] = table
        self.numbers[table.number] = table
        self.changes += 1

    def drop_table(self, name: str) -> SimTable:
        table = self.tables.pop(name)
        del self.numbers[table.number]
        self.changes += 1
        return table

    def setting_ms(self, key: str, default: int) -> int:
        return int(self.settings.get(key, default))

    # ---- writing

    def write(self, table: SimTable, row: int, op: int, families: int, now_ms: int) -> None:
        """One client write: into the WAL with the region's scopes of this moment, and into the table."""
        region = table.region_of(row)
        wal = self.servers[region.server].wal
        ts = now_ms + self.skew_ms
        size = DELETE_BYTES if op == DELETE else table.edit_bytes
        wal.append(ts, pack(row, op, families, region.scopes & families, table.number), size)
        region.writes += 1
        if op == PUT:
            table.rows.put(row, families, ts, ts)
            table.unflushed += table.edit_bytes
        else:
            table.rows.delete(row, families, ts)

    # ---- write-ahead logs

    def roll(self, server: Server, now_ms: int) -> None:
        """Closes the open WAL; the one closed before it goes to oldWALs; every queue of the server gets the new one."""
        self.old_wals += server.closed
        old = server.wal
        old.closed_ms = now_ms
        server.closed = [old]
        server.wal = new_wal(server, now_ms)
        for source in self.sources:
            if source.server == server.index and not source.recovered:
                source.wals.append(server.wal)
                server.wal.held += 1
        if not old.held:
            old.held = 1
            old.release()

    def drop_source(self, source: Source) -> None:
        """Forgets a queue: its WALs are held by one queue less."""
        for wal in source.wals:
            wal.release()
        self.sources.remove(source)

    def add_sources(self, peer: SimPeer) -> None:
        """A queue on every live server, holding the open WAL from its start."""
        for server in self.live():
            self.sources.append(Source(peer.id, server.index, peer.id, [server.wal]))
            server.wal.held += 1

    def clean_logs(self, now_ms: int) -> None:
        """A run of the log cleaner: what no queue holds and is older than the TTL goes."""
        ttl = self.setting_ms("hbase.master.logcleaner.ttl", 600_000)
        self.old_wals = [w for w in self.old_wals if w.held > 0 or now_ms - (w.closed_ms or now_ms) <= ttl]

    def clean_files(self, now_ms: int) -> None:
        """A run of the HFile cleaner over this cluster's own archive."""
        ttl = self.setting_ms("hbase.master.hfilecleaner.ttl", 300_000)
        linked = {t.name: {f.key for f in t.files if f.link} for t in self.tables.values()}
        self.area.clean(now_ms, ttl, linked, protects_tmp=self.protects_tmp)

    # ---- disk

    def wal_usage(self) -> tuple[int, int, int]:
        """Length, space with replicas and files of WALs/: an open log has length 0 and whole blocks."""
        closed = [wal for server in self.servers for wal in server.closed]
        size = sum(wal.bytes for wal in closed)
        open_logs = len(self.live())
        return size, size * REPLICAS + open_logs * BLOCK * REPLICAS, len(closed) + open_logs

    def old_usage(self) -> tuple[int, int]:
        return sum(wal.bytes for wal in self.old_wals), len(self.old_wals)

    def used(self) -> int:
        """Bytes on disk with all replicas; open logs with what they really hold."""
        data = sum(table.bytes for table in self.tables.values())
        logs = self.wal_usage()[0] + self.old_usage()[0] + sum(server.wal.bytes for server in self.live())
        return (data + logs + self.area.archive_totals()[0] + self.other_bytes) * REPLICAS

    # ---- time

    def tick(self, now_ms: int, tick_ms: int, router: Router) -> None:
        """Everything of one tick but the clients' writes."""
        self._bystanders(now_ms, tick_ms)
        self._sunk()
        budget = self.ship_rate * tick_ms // 1000
        backs_off = self.backs_off
        for source in list(self.sources):
            peer = self.peers.get(source.peer)
            if peer is not None and self.servers[source.server].alive:
                endpoint = self.endpoints.get(peer.endpoint)
                source.running = endpoint is None or endpoint.starts(self, peer, source)
                if not source.running:
                    continue
                rows, edit_ms = self._limited(peer, budget)
                source.run(peer, router, now_ms, rows, backs_off=backs_off, edit_ms=edit_ms)
                if source.recovered and len(source.wals) == 1 and source.position >= len(source.wals[0].codes):
                    self.drop_source(source)
        for server in self.live():
            wal = server.wal
            if wal.bytes >= ROLL_BYTES or (wal.bytes and now_ms - wal.opened_ms >= ROLL_MS):
                self.roll(server, now_ms)

    def _limited(self, peer: SimPeer, budget: int) -> tuple[int, float]:
        """Rows of one batch, and the milliseconds that each costs where the peer has a bandwidth limit."""
        if not peer.bandwidth:
            return budget, 0.0
        size = max([1, *(self.tables[name].edit_bytes for name in peer.table_cfs if name in self.tables)])
        return min(BATCH_EDITS, max(1, BATCH_BYTES // size)), max(1000 * size / peer.bandwidth, 1000 / self.ship_rate)

    def _bystanders(self, now_ms: int, tick_ms: int) -> None:
        if not self.bulk_bytes or self.full:
            return
        size = self.bulk_bytes * tick_ms // 1000
        edits = self.bulk_edits * tick_ms // 1000
        scopes = 1 if self.bulk_table else 0
        code = pack(edits, BULK, 1, scopes, self.bulk_table)
        for server in self.live():
            server.wal.append(now_ms + self.skew_ms, code, size)

    def _sunk(self) -> None:
        """Replicated writes go through this cluster's WALs too."""
        size = 0
        for table in self.tables.values():
            if table.sunk:
                size += table.sunk * table.edit_bytes
                table.sunk = 0
        live = self.live()
        for server in live if size else ():
            server.wal.bytes += size // len(live)

    def beat(self, server: Server, now_ms: int) -> None:
        """One heartbeat: what the master knows of this server until the next."""
        stamp = now_ms + self.skew_ms
        queues: list[Json] = [
            source.report(server.name, stamp) for source in self.sources if source.server == server.index
        ]
        server.heartbeat = {"server": server.name, "reported_ms": stamp, "queues": queues,
                            "sink_age_last_applied_ms": 0, "sink_last_applied_ms": server.started_ms}  # fmt: skip


    def sample(self, server: Server) -> None:
        """Takes the replication bean anew."""
        queues = {s.queue_id: s.bean() for s in self.sources if s.server == server.index}
        shared = "source." if self.release >= (2,) else ""
        bean = {f"source.{queue}.{name}": value for queue, numbers in queues.items() for name, value in numbers.items()}
        for numbers in queues.values():
            for name, value in numbers.items():
                name = "numInitializing" if name == "isInitializing" else name
                bean[shared + name] = bean.get(shared + name, 0) + value
        server.bean = bean | self.library_counters.get(server.name, {})


def new_wal(server: Server, now_ms: int) -> Wal:
    """The next log file of a server, named as HBase names it."""
    return Wal(f"{server.host}%2C16020%2C{server.started_ms}.{now_ms}", now_ms)
