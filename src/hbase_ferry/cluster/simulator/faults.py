"""What can go wrong on purpose, at once or at a set moment, for tests and for the demo.

Lasting kinds (`heal` takes them back):
  unreachable   calls fail at once: edge node or agent away      hung     calls never answer
  network       the other side cannot reach this cluster         frozen   hung and network (a stopped process)
  slow          details: method, seconds more                    error    details: method, cls, text
  refused       unreachable and network (a stopped service)
  permission    details: names, of the permissions that the account of an instance lacks
  routing       details: profile, of an instance: routed to any cluster
Done at once:
  server_dies   details: server (index): regions move, its queues are claimed as recovered ones
  server_joins  details: server            region_moves  details: table, region, to        roll
  disk_fills    details: remaining         clock_skew    details: ms       major_compaction  details: table
  job_lost      details: job               job_fails     details: job      corrupt_row       details: table, row
  client_dies   details: job: the edge node's process is gone, its work on YARN goes on (and nobody finishes it)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hbase_ferry.cluster.simulator.cluster import SimCluster, new_wal
from hbase_ferry.cluster.simulator.hdfs import REPLICAS
from hbase_ferry.cluster.simulator.replication import Source
from hbase_ferry.model.cluster import Side

if TYPE_CHECKING:
    from hbase_ferry.cluster.simulator.world import World

LASTING = ("unreachable", "hung", "network", "frozen", "refused", "slow", "error", "permission", "routing")
FAILOVER_MS = 5_000


class Faults:
    """The faults of both sides."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lasting: dict[tuple[Side, str], dict[str, Any]] = {}
        self._once: dict[str, Callable[..., None]] = {
            "server_dies": self._server_dies, "server_joins": self._server_joins,
            "region_moves": self._region_moves, "roll": self._roll, "disk_fills": self._disk_fills,
            "clock_skew": self._clock_skew, "major_compaction": self._major_compaction,
            "job_lost": self._job_lost, "job_fails": self._job_fails, "corrupt_row": self._corrupt_row,
            "client_dies": self._client_dies,
        }  # fmt: skip

    def inject(self, side: Side, kind: str, **details: Any) -> None:
        """Raises ValueError for an unknown kind."""
        if kind in LASTING:
            self._lasting[side, kind] = details
        elif kind in self._once:
            self._once[kind](self._world.clusters[side], **details)
        else:
            raise ValueError(f"unknown fault {kind}; known: {', '.join([*LASTING, *self._once])}")

    def later(self, seconds: float, side: Side, kind: str, **details: Any) -> None:
        """The same, `seconds` of simulated time from now."""
        due = self._world.now_ms + round(seconds * 1000)
        self._world.at(due, lambda: self.inject(side, kind, **details))

    def heal(self, side: Side, kind: str) -> None:
        self._lasting.pop((side, kind), None)

    def cut_off(self, side: Side) -> bool:
        """Whether the other side cannot reach it."""
        return any((side, kind) in self._lasting for kind in ("network", "frozen", "refused"))

    def unreachable(self, side: Side) -> bool:
        return (side, "unreachable") in self._lasting or (side, "refused") in self._lasting

    def details(self, side: Side, kind: str) -> dict[str, Any]:
        """Of a lasting fault; empty where it is not there."""
        return self._lasting.get((side, kind), {})

    def hung(self, side: Side) -> bool:
        return (side, "hung") in self._lasting or (side, "frozen") in self._lasting

    def delay(self, side: Side, method: str) -> float:
        """Extra seconds of a call."""
        found = self._lasting.get((side, "slow"), {})
        return float(found.get("seconds", 1.0)) if found and found.get("method", method) == method else 0.0

    def error(self, side: Side, method: str) -> tuple[str, str] | None:
        """Class and text that the call shall fail with."""
        found = self._lasting.get((side, "error"), {})
        if not found or found.get("method", method) != method:
            return None
        return str(found.get("cls", "java.io.IOException")), str(found.get("text", "injected"))

    # ---- done at once

    def _server_dies(self, cluster: SimCluster, server: int) -> None:
        world, gone = self._world, cluster.servers[server]
        gone.alive = False
        cluster.dead.append(gone.name)
        gone.wal.closed_ms = world.now_ms
        cluster.old_wals += [*gone.closed, gone.wal]
        gone.closed = []
        world.at(world.now_ms + FAILOVER_MS, lambda: self._take_over(cluster, server))

    def _take_over(self, cluster: SimCluster, dead: int) -> None:
        heirs = [server.index for server in cluster.live()]
        if not heirs:
            return
        moved = 0
        for table in cluster.tables.values():
            for region in table.regions:
                if region.server == dead:
                    region.server, region.writes = heirs[moved % len(heirs)], 0
                    moved += 1
        name = cluster.servers[dead].name
        for source in [s for s in cluster.sources if s.server == dead]:
            queue = f"{source.queue_id}-{name}"
            cluster.sources.remove(source)
            cluster.sources.append(
                Source(source.peer, heirs[0], queue, source.wals, recovered=True, position=source.position)
            )

    def _server_joins(self, cluster: SimCluster, server: int) -> None:
        back, now = cluster.servers[server], self._world.now_ms
        back.started_ms, back.alive = now, True
        back.wal = new_wal(back, now)
        for peer in cluster.peers.values():
            cluster.sources.append(Source(peer.id, server, peer.id, [back.wal]))
            back.wal.held += 1
        cluster.beat(back, now)
        cluster.sample(back)

    def _region_moves(self, cluster: SimCluster, table: str, region: int, to: int) -> None:
        moved = cluster.tables[table].regions[region]
        moved.server, moved.writes = to, 0

    def _roll(self, cluster: SimCluster) -> None:
        for server in cluster.live():
            cluster.roll(server, self._world.now_ms)

    def _disk_fills(self, cluster: SimCluster, remaining: int) -> None:
        free = cluster.capacity - cluster.used()
        cluster.other_bytes += (free - remaining) // REPLICAS

    def _clock_skew(self, cluster: SimCluster, ms: int) -> None:
        cluster.skew_ms = ms

    def _major_compaction(self, cluster: SimCluster, table: str) -> None:
        cluster.tables[table].rows.major_compact()

    def _corrupt_row(self, cluster: SimCluster, table: str, row: int, delete: bool = False) -> None:
        """Changes a row behind replication's back."""
        found = cluster.tables[table]
        if delete:
            found.rows.delete(row, found.all_mask, self._world.now_ms)
        else:
            found.rows.put(row, found.all_mask, self._world.now_ms, -1)

    def _job_lost(self, cluster: SimCluster, job: str) -> None:
        self._world.jobs.lose(cluster.side, job)

    def _client_dies(self, cluster: SimCluster, job: str) -> None:
        self._world.jobs.lose(cluster.side, job, client_only=True)

    def _job_fails(self, cluster: SimCluster, job: str) -> None:
        self._world.jobs.fail(cluster.side, job)
