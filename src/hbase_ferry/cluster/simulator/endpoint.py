"""Google's replication endpoint on the simulated source: what it ships to the instance, counts and gets stuck on.

Modelled on purpose, each as it was measured on real servers (facts: lab-bigtable.md):
- a permanent error (no such table or family, another instance) is retried without a pause: the eligible counters grow
  by SPIN_RATE a second while nothing ships; with the target away there is one attempt in each mutate timeout (§5);
- every attempt counts again: the library's counters are no progress (§5);
- a dry run sends nothing, but the position advances and HBase counts what it handed over as shipped (§5.1);
- family deletes within the threshold become deletes of the whole family and count as incompatible, others are dropped;
  times above Bigtable's last one collapse into it (§5.1);
- it does not start without the library, without the keys, or with a CONFIG whose keys are not in core-site.xml, unless
  the server's one shared connection is open already; after a failed start that one is never closed again (§4).
  core-site.xml is read when a server takes up the peer: written later, it counts for the next peer, without a restart;
- the library's counters of a removed peer stay until the server restarts (§4.8).

Not modelled: later rows of a batch that reach Bigtable although one fails, the server's abort after the start ladder,
bulk loads, two-way replication. Called by the cluster's tick, through `SimCluster.endpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hbase_ferry.cluster.simulator.cluster import Pages, Server, SimCluster
from hbase_ferry.cluster.simulator.instance import InstanceTable
from hbase_ferry.cluster.simulator.replication import SimPeer, Source
from hbase_ferry.cluster.simulator.rows import QUALIFIER
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wal import DELETE, pack
from hbase_ferry.cluster.simulator.world import TICK_MS, World
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.rows import GREATEST_US

_CLASS = "com.google.cloud.bigtable.hbase{line}_x.replication.HbaseToCloudBigtableReplicationEndpoint"
JAR = "bigtable-hbase-{line}.x-replication-2.20.0.jar"
PROJECT, INSTANCE = "google.bigtable.project.id", "google.bigtable.instance.id"
DRY_RUN = "google.bigtable.replication.enable_dry_run"
TIMEOUT = "google.bigtable.mutate.rpc.timeout.ms"
SPIN_RATE = 1_200
DAY_MS = 86_400_000
STRANGE = 3
"""The operation of a WAL entry that says nothing by itself: see `Strange`."""

INCOMPATIBLE, DROPPED = "bigtableIncompatibleMutations", "bigtableDroppedIncompatibleMutations"
DELETES, OVERFLOW = "bigtableIncompatibleDeleteMutations", "bigtableIncompatibleTimestampOverflowMutation"
FUTURE = "bigtablePutsInFutureMutations"
ENTRIES, MUTATIONS = "oneWayReplEligibleWALEntries", "oneWayReplEligibleMutations"


class Strange(StrEnum):
    """Writes that Bigtable has no like of."""

    FAMILY_VERSION = "delete of a family's version"
    OLD_FAMILY = "delete of a family up to an old time"
    OVERFLOW = "put at a reverse timestamp"
    FUTURE = "put of tomorrow"


class BigtableEndpoint:
    """The endpoint class of one line of HBase, for all peers of one source. Implements `replication.Endpoint`."""

    def __init__(self, world: World) -> None:
        self.core_site = False
        "the connection keys are in core-site.xml too, for peers that are added from here on"
        self._world = world
        self._started: list[Source] = []
        self._failed: set[str] = set()
        "servers, by full name, on which a start has failed"
        self._read: list[tuple[SimPeer, str, bool]] = []
        "peer, server by full name, and whether core-site.xml held the keys when that server took it up"
        self._leaked: set[str] = set()
        "servers whose connection is never closed"
        self._busy_until: dict[tuple[str, str], int] = {}
        "server and queue -> when the attempt under way gives up"
        self._strange: dict[tuple[int, int, int], Strange] = {}
        "table number, row and time -> what it was"

    # ---- start

    def starts(self, cluster: SimCluster, peer: SimPeer, source: Source) -> bool:
        """Whether it runs. What has started goes on: configuration is read at the start alone."""
        if any(one is source for one in self._started):
            return True
        server = cluster.servers[source.server]
        if not self._can_start(cluster, server, peer):
            self._failed.add(server.name)
            return False
        self._started = [one for one in self._started if any(one is there for there in cluster.sources)]
        self._started.append(source)
        if server.name in self._failed:
            self._leaked.add(server.name)
        self._count(cluster, source, dict.fromkeys((INCOMPATIBLE, DROPPED, DELETES, OVERFLOW, FUTURE), 0))
        return True

    def _can_start(self, cluster: SimCluster, server: Server, peer: SimPeer) -> bool:
        pages = pages_of(cluster, server)
        if not any("bigtable" in jar for jar in pages.jars):
            return False
        connected = server.name in self._leaked or any(
            one.server == server.index and any(one is there for there in cluster.sources) for one in self._started
        )
        keys = bool(pages.settings.get(PROJECT)) and bool(pages.settings.get(INSTANCE))
        copied = self._core_site(cluster, server, peer) if peer.config else True
        return connected or (keys and copied)

    def _core_site(self, cluster: SimCluster, server: Server, peer: SimPeer) -> bool:
        self._read = [each for each in self._read if any(each[0] is there for there in cluster.peers.values())]
        known = next((held for one, name, held in self._read if one is peer and name == server.name), None)
        if known is None:
            self._read.append((peer, server.name, self.core_site))
        return self.core_site if known is None else known

    # ---- shipping

    def ship(
        self, cluster: SimCluster, peer: SimPeer, source: Source, table: SimTable, row: int, op: int, mask: int, ts: int
    ) -> bool:
        """One edit. False: it stays at the head of the queue."""
        if not self._goes(cluster, peer, source, table, mask):
            return False
        self._busy_until.pop((cluster.servers[source.server].name, source.queue_id), None)
        cells = mask.bit_count()
        self._count(cluster, source, {ENTRIES: 1, MUTATIONS: cells})
        strange = self._strange.get((table.number, row, ts)) if op == STRANGE else None
        self._count(cluster, source, _incompatible(strange, op, cells))
        instance = self._world.instance
        if _dry(peer) or instance is None or strange in (Strange.FAMILY_VERSION, Strange.OLD_FAMILY):
            return True
        if strange is None:
            instance.take(table, row, op, mask, ts)
        else:
            late = (ts + DAY_MS) * 1000 if strange is Strange.FUTURE else GREATEST_US
            key = table.keys.key_of(row, table.loaded)
            for family in table.names:
                instance.tables[table.name].put(key, family, QUALIFIER, late, b"%d" % ts)
        return True

    def _goes(self, cluster: SimCluster, peer: SimPeer, source: Source, table: SimTable, mask: int) -> bool:
        """Whether an attempt at this edit works; counts the attempts that do not."""
        if _dry(peer):
            return True
        server, now = cluster.servers[source.server], self._world.now_ms
        if self._world.faults.cut_off(Side.TARGET):
            if now >= self._busy_until.get((server.name, source.queue_id), 0):
                timeout = int(pages_of(cluster, server).settings.get(TIMEOUT, "600000"))
                self._busy_until[server.name, source.queue_id] = now + timeout
                self._count(cluster, source, dict.fromkeys((ENTRIES, MUTATIONS), max(1, source.ahead)))
            return False
        there = self._there(cluster, source, table)
        wanted = [name for index, name in enumerate(table.names) if mask >> index & 1]
        if there is not None and all(name in there.families for name in wanted):
            return True
        self._count(cluster, source, dict.fromkeys((ENTRIES, MUTATIONS), SPIN_RATE * TICK_MS // 1000))
        return False

    def _there(self, cluster: SimCluster, source: Source, table: SimTable) -> InstanceTable | None:
        """The table by HBase's full name, in the instance that the server's keys name."""
        instance = self._world.instance
        keys = pages_of(cluster, cluster.servers[source.server]).settings
        path = f"projects/{keys.get(PROJECT)}/instances/{keys.get(INSTANCE)}"
        return instance.tables.get(table.name) if instance is not None and instance.path == path else None

    # ---- counters

    @staticmethod
    def _count(cluster: SimCluster, source: Source, more: Mapping[str, int]) -> None:
        """In the server's bean: of the queue, and of all queues together (1.x has no prefix there)."""
        found = cluster.library_counters.setdefault(cluster.servers[source.server].name, {})
        shared = "source." if cluster.release >= (2,) else ""
        for name, value in more.items():
            for full in (f"source.{source.queue_id}.{name}", shared + name):
                found[full] = found.get(full, 0) + value

    # ---- writers of what Bigtable has no like of

    def write(self, cluster: SimCluster, name: str, row: int, strange: Strange) -> None:
        """One such write by an application, in every family of the table, at this moment."""
        table, now = cluster.tables[name], self._world.now_ms
        region = table.region_of(row)
        ts, mask = now + cluster.skew_ms, table.all_mask
        self._strange[table.number, row, ts] = strange
        code = pack(row, STRANGE, mask, region.scopes & mask, table.number)
        cluster.servers[region.server].wal.append(ts, code, table.edit_bytes)
        region.writes += 1
        if strange in (Strange.FAMILY_VERSION, Strange.OLD_FAMILY):
            table.rows.delete(row, mask, ts)
        else:
            late = ts + DAY_MS if strange is Strange.FUTURE else 2**63 - 1 - ts
            table.rows.put(row, mask, late, ts)


def _incompatible(strange: Strange | None, op: int, cells: int) -> dict[str, int]:
    """What the library counts of one mutation in that many families."""
    if strange in (Strange.FAMILY_VERSION, Strange.OLD_FAMILY):
        return dict.fromkeys((INCOMPATIBLE, DELETES, DROPPED), cells)
    if strange is Strange.OVERFLOW:
        return dict.fromkeys((INCOMPATIBLE, OVERFLOW, FUTURE), cells)
    if strange is Strange.FUTURE:
        return {FUTURE: cells}
    return dict.fromkeys((INCOMPATIBLE, DELETES), cells) if op == DELETE else {}


def _dry(peer: SimPeer) -> bool:
    return peer.config.get(DRY_RUN) == "true"


def pages_of(cluster: SimCluster, server: Server) -> Pages:
    """What that server runs with."""
    return cluster.own_pages.get(server.host, cluster.pages)


def class_of(cluster: SimCluster) -> str:
    """The endpoint's class for this line of HBase."""
    return _CLASS.format(line=1 if cluster.release < (2,) else 2)


def install(world: World, cluster: SimCluster, keys: Mapping[str, str]) -> BigtableEndpoint:
    """The library on the master and on every server, which run with `keys` from now on."""
    endpoint = BigtableEndpoint(world)
    cluster.endpoints[class_of(cluster)] = endpoint
    cluster.pages.settings.update(keys)
    cluster.pages.jars.append(JAR.format(line=1 if cluster.release < (2,) else 2))
    return endpoint
