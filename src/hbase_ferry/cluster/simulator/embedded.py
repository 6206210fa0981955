"""The pair that `make demo` and the tests use: a busy 2.4 cluster, an empty newer one, and writers that never stop.

Everything is derived from the seed and the clock's first reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from hbase_ferry.cluster.simulator.cluster import Server, SimCluster, new_wal
from hbase_ferry.cluster.simulator.replication import SimPeer
from hbase_ferry.cluster.simulator.tables import SimFamily, SimTable, digest, make_table
from hbase_ferry.cluster.simulator.wal import Wal
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.simulator.writers import Writer
from hbase_ferry.migration.settings import Settings, SideSettings, TableSettings, TransportKind
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import Side

SOURCE_NAME, TARGET_NAME = "prod-bj", "emr6"
ORDERS, CUSTOMERS = "shop:orders", "shop:customers"
TB = 10**12
DAY_MS = 86_400_000
EDIT_BYTES = 24_000
_SITE = {
    "dfs.replication": "3",
    "hbase.master.cleaner.interval": "60000",
    "hbase.master.hfilecleaner.ttl": "300000",
    "hbase.master.logcleaner.ttl": "60000",
    "hbase.regionserver.msginterval": "3000",
    "mapreduce.framework.name": "yarn",
}


def embedded_pair(
    seed: int,
    clock: Clock,
    tables: int = 0,
    *,
    source_version: str = "2.4.17",
    target_version: str = "2.6.1",
    rate: float = 300.0,
    busy: bool = True,
) -> World:
    """Two clusters with live writes (`rate` rows a second on shop:orders).

    `tables`: that many more on each side. `busy` False: no bystander writes and no peer `dr_backup`, so that an
    idle table means an idle WAL.
    """
    world = World(seed, clock)
    world.outside_keys.add("zk1.dr1:2181:/hbase")
    source = make_cluster(world, Side.SOURCE, SOURCE_NAME, source_version, "2.10.2", 2 * TB)
    target = make_cluster(world, Side.TARGET, TARGET_NAME, target_version, "3.3.6", 3 * TB)
    _shop(world, source)
    add_bystanders(world, source, ("audit:log", "audit:sessions", "ads:clicks", "metrics"), busy=busy)
    add_bystanders(world, target, ("reports:daily",), busy=False)
    for cluster in (source, target):
        names = [f"app{number // 20:02d}:t{number:03d}" for number in range(tables)]
        add_bystanders(world, cluster, names, busy=False)
    if busy:
        add_backup_peer(source)
    world.writers = [Writer(ORDERS, rate, f"{seed}/orders"), Writer(CUSTOMERS, rate / 10, f"{seed}/customers")]
    for cluster in world.clusters.values():
        for server in cluster.servers:
            cluster.beat(server, world.now_ms)
            cluster.sample(server)
    return world


def demo_settings(
    name: str = "orders-to-emr6",
    tables: Sequence[str] = (ORDERS,),
    *,
    peer_id: str = "ferry_orders",
    journal: str = "",
    poll_seconds: float = 1.0,
) -> Settings:
    """A migration of `tables` between the embedded pair."""
    return Settings(
        name=name,
        source=SideSettings(SOURCE_NAME, TransportKind.SIMULATED),
        target=SideSettings(TARGET_NAME, TransportKind.SIMULATED),
        tables=tuple(TableSettings(table) for table in tables),
        peer_id=peer_id,
        journal=journal,
        poll_seconds=poll_seconds,
    )


def make_cluster(world: World, side: Side, name: str, version: str, hadoop: str, capacity: int) -> SimCluster:
    """Three servers without tables, six weeks old."""
    uuid = digest("cluster", world.seed, name)
    cluster_id = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
    cluster = SimCluster(side, name, version, hadoop, cluster_id, world.area(f"hdfs://{name}/hbase"),
                         f"zk1.{name},zk2.{name},zk3.{name}:2181:/hbase", capacity, world.keys)  # fmt: skip
    started = world.start_ms - 41 * DAY_MS
    for index in range(3):
        server = Server(index, f"rs{index + 1}.{name}", started + index * 911, Wal("", 0))
        server.wal = new_wal(server, world.start_ms - 600_000)
        cluster.servers.append(server)
    cluster.settings = dict(_SITE)
    cluster.pages.jars = [f"hbase-client-{version}.jar", f"hbase-server-{version}.jar", "zookeeper-3.5.7.jar"]
    cluster.other_bytes = capacity // 10
    world.clusters[side] = cluster
    return cluster


def _shop(world: World, cluster: SimCluster) -> None:
    cluster.namespaces.add("shop")
    families = (SimFamily("d", share=0.88), SimFamily("m", share=0.12, compression="NONE"))
    for name, regions, rows, row_bytes in ((ORDERS, 8, 200_000, 200_000), (CUSTOMERS, 4, 40_000, 90_000)):
        cluster.add_table(
            make_table(name, world.number_of(name), families, regions=regions, rows=rows, row_bytes=row_bytes,
                       edit_bytes=EDIT_BYTES, servers=len(cluster.servers), keys=world.keys,
                       loaded_ms=world.start_ms - DAY_MS, salt=cluster.cluster_id)
        )


def add_bystanders(world: World, cluster: SimCluster, names: Sequence[str], *, busy: bool) -> None:
    """Tables nobody migrates. `busy`: they are written to, and `audit:log` is replicated."""
    for name in names:
        cluster.namespaces.add(name.rpartition(":")[0] or "default")
        scope = 1 if name == "audit:log" else 0
        table = make_table(name, world.number_of(name), (SimFamily("f", scope=scope),), regions=2 + len(name) % 3,
                           rows=0, row_bytes=0, servers=len(cluster.servers), loaded_ms=None, keys=world.keys,
                           salt=cluster.cluster_id)  # fmt: skip
        table.bulk_rate = 120.0 if busy else 0.0
        table.bulk_since_ms = world.start_ms - DAY_MS
        cluster.add_table(table)
    if busy:
        cluster.bulk_bytes = 600_000
        cluster.bulk_edits = 40
        cluster.bulk_table = world.number_of("audit:log")


def add_backup_peer(cluster: SimCluster) -> None:
    """An enabled peer to a cluster outside, for `audit:log`."""
    peer = SimPeer("dr_backup", "zk1.dr1:2181:/hbase", {"audit:log": ()}, enabled=True)
    cluster.peers[peer.id] = peer
    cluster.add_sources(peer)


def create_table(world: World, side: Side, like: SimTable, *, enabled: bool = True) -> SimTable:
    """An empty table with `like`'s families and splits, scopes 0: what enable_table_replication leaves on a target."""
    cluster = world.clusters[side]
    families = [SimFamily(f.name, 0, f.compression, f.encoding, f.ttl_seconds, f.share)
                for f in like.descriptor.families]  # fmt: skip
    table = make_table(like.name, like.number, families, regions=len(like.regions), rows=like.loaded,
                       row_bytes=like.row_bytes, edit_bytes=like.edit_bytes,
                       servers=len(cluster.servers), loaded_ms=None, keys=world.keys,
                       salt=cluster.cluster_id)  # fmt: skip
    table.enabled = enabled
    cluster.namespaces.add(like.name.rpartition(":")[0] or "default")
    cluster.add_table(table)
    return table
