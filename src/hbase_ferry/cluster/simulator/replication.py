"""Replication sources: one queue a peer and region server, shipping WAL entries in order.

What is modelled on purpose, because operators and this product get hurt by it:
- a disabled peer reports running, lag 0 and a frozen age, exactly as a healthy idle one (lab-hbase.md §4);
- the open WAL is shipped from its start for every new peer and after every disable, while the counters go on;
- edits are shipped by the scope stamped when they were written;
- a missing target table or family blocks the queue at that entry: lag climbs, EditsRead stops after a read-ahead;
- the reader of 2.6+ sleeps longer after each empty poll (HBASE-27632) and notices new edits only when it wakes;
- a peer with a bandwidth limit ships a whole batch and pays afterwards: nothing moves until the limit allows for it
  (ReplicationThrottler).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.wal import BULK, DELETE, ROW_MASK, Wal
from hbase_ferry.model.event import Json

if TYPE_CHECKING:
    from hbase_ferry.cluster.simulator.cluster import SimCluster

READ_AHEAD = 500
"""Edits read into the batch that cannot be shipped."""
BATCH_EDITS = 25_000
BATCH_BYTES = 64 << 20
"""replication.source.nb.capacity's and replication.source.size.capacity's defaults."""
AGE_WINDOW_MS = 300_000
"""After so long AgeOfLastShippedOp forgets its maximum, as its histogram's window does."""


@dataclass
class SimPeer:
    """A peer's configuration and state."""

    id: str
    cluster_key: str
    table_cfs: dict[str, tuple[str, ...]]
    enabled: bool
    bandwidth: int = 0
    serial: bool = False
    endpoint: str = ""
    config: Mapping[str, str] = field(default_factory=dict)


class Endpoint(Protocol):
    """A replication endpoint class that servers can load: where its peers' edits go instead of to another HBase."""

    def starts(self, cluster: SimCluster, peer: SimPeer, source: Source) -> bool:
        """Asked each tick, of disabled peers too: a queue whose endpoint does not start reads nothing."""
        ...

    def ship(
        self, cluster: SimCluster, peer: SimPeer, source: Source, table: SimTable, row: int, op: int, mask: int, ts: int
    ) -> bool:
        """One edit: PUT or DELETE in the families of `mask`. False: it stays, and is tried again in the next tick."""
        ...


Sink = Callable[["Source", int, int, int, int], bool]
"""An endpoint's `ship` for one peer and table."""


@dataclass(frozen=True)
class Route:
    """Where the edits of one table go for one peer. `missing`: bits of families the target lacks; `order`: where
    each of the source's families stands on the target, None where in the same place; `sink`: an endpoint of its own."""

    table: SimTable | None
    mask: int
    missing: int = 0
    ready: bool = True
    order: tuple[int, ...] | None = None
    sink: Sink | None = None


Router = Callable[[SimPeer, int], Route | None]


@dataclass
class Source:
    """One queue. `paid_ms`: until when the peer's bandwidth limit holds the next batch back."""

    peer: str
    server: int
    queue_id: str
    wals: list[Wal]
    recovered: bool = False
    position: int = 0
    edits: int = 0
    ahead: int = 0
    ops: int = 0
    age_ms: int = 0
    age_since_ms: int = 0
    last_shipped_ms: int = 0
    next_ms: int = 0
    in_flight: bool = False
    has_edits: bool = False
    wake_ms: int = 0
    paid_ms: int = 0
    idle_polls: int = 0
    running: bool = True
    batches: int = 0
    filtered: int = 0
    routes: dict[int, Route | None] = field(default_factory=dict)

    def restart(self) -> None:
        """The source object is made anew (disable, configuration change): the first WAL again from its start."""
        self.position = 0
        self.last_shipped_ms = self.next_ms = 0
        self.has_edits = self.in_flight = False
        self.idle_polls = self.wake_ms = self.paid_ms = 0
        self.ahead = 0

    def report(self, server: str, now_ms: int) -> dict[str, Json]:
        """ReplicationLoadSource as the heartbeat carries it (2.3+)."""
        return {
            "server": server, "peer": self.peer, "queue_id": self.queue_id, "recovered": self.recovered,
            "running": self.running, "size": len(self.wals), "age_last_shipped_ms": self.age_ms,
            "last_shipped_ms": self.last_shipped_ms, "next_to_ship_ms": self.next_ms,
            "lag_ms": max(0, now_ms - self.next_ms) if self.in_flight else 0,
            "edits_read": self.edits + self.ahead, "ops_shipped": self.ops,
            "has_edits_since_restart": self.has_edits,
        }  # fmt: skip

    def bean(self) -> dict[str, int]:
        """Its numbers in the replication bean, by their last part (MetricsReplicationSourceSourceImpl)."""
        return {
            "sizeOfLogQueue": len(self.wals), "shippedOps": self.ops, "shippedBatches": self.batches,
            "failedBatches": 0, "logEditsRead": self.edits + self.filtered + self.ahead,
            "logEditsFiltered": self.filtered, "sizeOfHFileRefsQueue": 0, "isInitializing": int(not self.running),
        }  # fmt: skip

    def run(
        self, peer: SimPeer, router: Router, now_ms: int, budget: int, *, backs_off: bool, edit_ms: float = 0.0
    ) -> None:
        """Ships up to `budget` rows. `edit_ms`: for how long each holds the next batch back."""
        if not peer.enabled or now_ms < self.wake_ms:
            return
        if now_ms < self.paid_ms:
            self._wait()
            return
        self.routes.clear()
        before = self.ops
        read, blocked = self._ship(peer, router, now_ms, budget)
        self.paid_ms = now_ms + int((self.ops - before) * edit_ms)
        if read or blocked:
            self.idle_polls = 0
        elif backs_off:
            self.idle_polls = min(self.idle_polls + 1, 300)
            self.wake_ms = now_ms + 1000 * self.idle_polls
        else:
            self.wake_ms = now_ms + 1000

    def _ship(self, peer: SimPeer, router: Router, now_ms: int, budget: int) -> tuple[int, bool]:
        read = 0
        self.in_flight = False
        while True:
            wal = self.wals[0]
            count, blocked = self._ship_wal(wal, peer, router, now_ms, budget)
            read += count
            budget -= count
            at_end = self.position >= len(wal.codes)
            if blocked or not at_end:
                self._hold(wal, blocked=blocked)
                return read, blocked
            if len(self.wals) == 1:
                self.ahead = 0
                self.next_ms = self.last_shipped_ms
                return read, False
            self.wals.pop(0)
            self.position = 0
            wal.release()
            read += 1

    def _wait(self) -> None:
        """In flight is the oldest edit that is left, of whichever WAL."""
        at = self.position
        for wal in self.wals:
            if at < len(wal.times):
                self.in_flight = self.has_edits = True
                self.next_ms = wal.times[at]
                return
            at = 0

    def _hold(self, wal: Wal, *, blocked: bool) -> None:
        self.in_flight = self.has_edits = True
        self.next_ms = wal.times[self.position]
        if blocked:
            self.ahead = max(self.ahead, min(READ_AHEAD, len(wal.codes) - self.position))

    def _ship_wal(
        self, wal: Wal, peer: SimPeer, router: Router, now_ms: int, budget: int
    ) -> tuple[int, bool]:
        """Entries read from here on, and whether the next one cannot be shipped."""
        codes, times, routes = wal.codes, wal.times, self.routes
        start = index = self.position
        stop = min(len(codes), start + budget)
        shipped = blocked = False
        while index < stop:
            code = codes[index]
            scopes = code >> 41 & 15
            if scopes:
                number = code >> 45
                if number not in routes:
                    routes[number] = router(peer, number)
                route = routes[number]
                wanted = scopes & code >> 37 & route.mask if route is not None else 0
                if wanted and route is not None:
                    if not self._apply(route, code, wanted, times[index]):
                        blocked = True
                        break
                    shipped = True
                else:
                    self.filtered += 1
            index += 1
        self.position = index
        if shipped:
            self._shipped(times[index - 1], now_ms)
        return index - start, blocked

    def _apply(self, route: Route, code: int, families: int, ts: int) -> bool:
        """Whether the edit could be shipped."""
        row, op = code & ROW_MASK, code >> 35 & 3
        if not route.ready or families & route.missing:
            return False
        if route.sink is not None and op != BULK and not route.sink(self, row, op, families, ts):
            return False
        self.ahead = 0
        if op == BULK:
            self.edits += row
            self.ops += row
            return True
        self.edits += 1
        self.ops += 1
        table = route.table
        if table is None:
            return True
        if route.order is not None:
            families = sum(1 << to for at, to in enumerate(route.order) if families >> at & 1)
        if op == DELETE:
            table.rows.delete(row, families, ts)
        else:
            table.rows.put(row, families, ts, ts)
            table.unflushed += table.edit_bytes
        table.replicated(row)
        return True

    def _shipped(self, ts: int, now_ms: int) -> None:
        self.has_edits = True
        self.batches += 1
        self.last_shipped_ms = ts
        age = max(0, now_ms - ts)
        if now_ms - self.age_since_ms > AGE_WINDOW_MS:
            self.age_ms, self.age_since_ms = 0, now_ms
        self.age_ms = max(self.age_ms, age)
