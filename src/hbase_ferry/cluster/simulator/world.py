"""Two clusters, their applications and jobs, and the time they live in.

Invariant: the state is a pure function of the seed, the clock's readings and the changing calls. Time moves in ticks
of 500 ms; operations and jobs are generators that yield how many seconds they take and are resumed by the world, so
an operation goes on after its caller gave up, as it does on a real master. Everything happens under one lock, which
is never held while time passes.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable, Generator
from typing import Any

from hbase_ferry.cluster.simulator.cluster import BEAN_MS, HEARTBEAT_MS, SimCluster
from hbase_ferry.cluster.simulator.faults import Faults
from hbase_ferry.cluster.simulator.hdfs import Archived, Area
from hbase_ferry.cluster.simulator.instance import SimInstance
from hbase_ferry.cluster.simulator.jobs import JobBook
from hbase_ferry.cluster.simulator.replication import Endpoint, Route, SimPeer, Sink
from hbase_ferry.cluster.simulator.rows import KeyBook
from hbase_ferry.cluster.simulator.tables import SimTable
from hbase_ferry.cluster.simulator.tools import script_of
from hbase_ferry.cluster.simulator.verification import Hashes
from hbase_ferry.cluster.simulator.writers import Writer
from hbase_ferry.model.clock import Clock
from hbase_ferry.model.cluster import Side

TICK_MS = 500
LIVE_SCALE = 0.2
LIVE_LIMIT_MS = 1_000
SUSPENDED_MS = 60_000
"""A machine that slept longer than this finds the applications as quiet as itself."""

Script = Generator[float, None, Any]
"""An operation: yields seconds of simulated time, returns its answer, raises AgentError."""


class Operation:
    """A running operation. `due_ms`: when it goes on; `answer` or `error` once `done`."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.due_ms = 0
        self.done = False
        self.answer: Any = None
        self.error: Exception | None = None


class World:
    """See the module. `clusters`, `writers`, `jobs` and `faults` may be reached into by tests under `lock`."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.lock = threading.RLock()
        self.start_ms = round(clock.now() * 1000)
        self.now_ms = self.start_ms
        self.keys = KeyBook()
        self.random = random.Random(f"world/{seed}")
        self.clusters: dict[Side, SimCluster] = {}
        self.instance: SimInstance | None = None
        "the target, where it is a Bigtable instance; then there is one cluster"
        self.areas: dict[str, Area] = {}
        self.outside_keys: set[str] = set()
        "cluster keys of clusters outside the pair that answer and take every edit"
        self.hashes: dict[str, Hashes] = {}
        "what HashTable wrote, by folder"
        self.answers: dict[tuple[Any, ...], str] = {}
        "JSON texts of answers that only change with the tables"
        self.table_numbers: dict[str, int] = {}
        self.writers: list[Writer] = []
        self.faults = Faults(self)
        self.jobs = JobBook(self, script_of)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._next_tick_ms = self.start_ms + TICK_MS
        self._awake_ms = 0
        self._live = not getattr(clock, "simulated", False)

    # ---- for those who set it up

    def number_of(self, table: str) -> int:
        """The number a table name has in WAL entries, on both sides."""
        return self.table_numbers.setdefault(table, len(self.table_numbers) + 1)

    def area(self, uri: str) -> Area:
        """The root or staging folder of that URI."""
        return self.areas.setdefault(uri, Area(uri))

    def other(self, cluster: SimCluster) -> SimCluster:
        return self.clusters[cluster.side.other]

    def archive_files(self, cluster: SimCluster, table: SimTable) -> None:
        """A dropped or replaced table's own files go to the archive, where snapshots may still need them."""
        there = cluster.area.archived(table.name)
        for file in table.files:
            if not file.link:
                there[file.key] = Archived(file.bytes, self.now_ms)

    # ---- the applications

    def stop_writers(self, table: str | None = None) -> None:
        """The applications of `table`, or all of them, stop writing: what a cutover asks operators to do."""
        self._point_writers(table, None)

    def start_writers(self, side: Side, table: str | None = None) -> None:
        """The applications write to `side` from now on."""
        self._point_writers(table, side)

    def _point_writers(self, table: str | None, side: Side | None) -> None:
        with self.lock:
            self.advance_to(self.clock.now())
            for writer in self.writers:
                if table in (None, writer.table):
                    writer.side = side

    def fault(self, side: Side, kind: str, **details: Any) -> None:
        """Breaks something at once; see `faults.Faults`."""
        with self.lock:
            self.advance_to(self.clock.now())
            self.faults.inject(side, kind, **details)

    def heal(self, side: Side, kind: str) -> None:
        """Takes a lasting fault back."""
        with self.lock:
            self.advance_to(self.clock.now())
            self.faults.heal(side, kind)

    # ---- time

    def at(self, due_ms: int, action: Callable[[], None]) -> None:
        """Runs `action` when simulated time reaches `due_ms`; in order of time, then of scheduling."""
        self._sequence += 1
        heapq.heappush(self._events, (due_ms, self._sequence, action))

    def advance_to(self, now: float) -> None:
        """Lets the world live up to `now` (epoch seconds). Earlier moments change nothing."""
        with self.lock:
            until = round(now * 1000)
            self._awake_ms = until - SUSPENDED_MS if self._live else 0
            while True:
                event = self._events[0][0] if self._events else until + 1
                if min(event, self._next_tick_ms) > until:
                    break
                if event <= self._next_tick_ms:
                    due, _, action = heapq.heappop(self._events)
                    self.now_ms = max(self.now_ms, due)
                    action()
                else:
                    self.now_ms = self._next_tick_ms
                    self._next_tick_ms += TICK_MS
                    self._tick()
            self.now_ms = max(self.now_ms, until)

    def _tick(self) -> None:
        now = self.now_ms
        for writer in self.writers:
            if writer.side is not None and now >= self._awake_ms:
                elsewhere = None if writer.side in self.clusters or self.instance is None else self.instance.take
                writer.tick(self.clusters.get(writer.side) or self.clusters[Side.SOURCE], now, TICK_MS, elsewhere)
        number = (now - self.start_ms) // TICK_MS
        for cluster in self.clusters.values():
            cluster.tick(now, TICK_MS, self._route(cluster))
            self._periodic(cluster, number)

    def _periodic(self, cluster: SimCluster, number: int) -> None:
        beats = HEARTBEAT_MS // TICK_MS
        for server in cluster.live():
            if (number - 2 * server.index) % beats == 0:
                cluster.beat(server, self.now_ms)
            if number % (BEAN_MS // TICK_MS) == 0:
                cluster.sample(server)
        if number % beats == 0:
            cluster.full = cluster.used() >= cluster.capacity
        every = cluster.setting_ms("hbase.master.cleaner.interval", 600_000) // TICK_MS
        if number % max(1, every) == 0:
            cluster.clean_logs(self.now_ms)
            cluster.clean_files(self.now_ms)

    # ---- operations

    def start(self, script: Script) -> Operation:
        """Begins an operation; whoever waits for it sleeps until `due_ms` and advances the world."""
        operation = Operation(script)
        self._resume(operation)
        return operation

    def _resume(self, operation: Operation) -> None:
        try:
            seconds = next(operation.script)
        except StopIteration as end:
            operation.answer, operation.done = end.value, True
            return
        except Exception as error:
            operation.error, operation.done = error, True
            return
        operation.due_ms = self.now_ms + self.lasting_ms(seconds)
        self.at(operation.due_ms, lambda: self._resume(operation))

    def lasting_ms(self, seconds: float) -> int:
        """What an operation of that length takes here: less where a person waits for it."""
        wanted = round(seconds * 1000)
        return min(LIVE_LIMIT_MS, round(wanted * LIVE_SCALE)) if self._live else wanted

    # ---- replication between the two

    def reaches(self, cluster: SimCluster, cluster_key: str) -> SimCluster | None:
        """The other side, if `cluster_key` is its and it can be reached."""
        if cluster.side.other not in self.clusters:
            return None
        other = self.other(cluster)
        known = cluster_key == other.cluster_key
        return other if known and not self.faults.cut_off(other.side) else None

    @staticmethod
    def _sink(endpoint: Endpoint, cluster: SimCluster, peer: SimPeer, table: SimTable) -> Sink:
        return lambda source, row, op, mask, ts: endpoint.ship(cluster, peer, source, table, row, op, mask, ts)

    def _route(self, cluster: SimCluster) -> Callable[[SimPeer, int], Route | None]:
        def route(peer: SimPeer, number: int) -> Route | None:
            table = cluster.numbers.get(number)
            if table is None or table.name not in peer.table_cfs:
                return None
            wanted = peer.table_cfs[table.name]
            names = table.names
            mask = sum(1 << i for i, name in enumerate(names) if not wanted or name in wanted)
            if peer.endpoint:
                endpoint = cluster.endpoints.get(peer.endpoint)
                sink = self._sink(endpoint, cluster, peer, table) if endpoint is not None else None
                return Route(None, mask, sink=sink)
            if peer.cluster_key in self.outside_keys:
                return Route(None, mask)
            other = self.reaches(cluster, peer.cluster_key)
            there = other.tables.get(table.name) if other is not None else None
            if other is None or there is None or not there.enabled or other.full:
                return Route(None, mask, ready=False)
            missing = sum(1 << i for i, name in enumerate(names) if name not in there.names)
            if there.names == names:
                return Route(there, mask, missing)
            order = tuple(there.names.index(name) if name in there.names else 0 for name in names)
            return Route(there, mask, missing, order=order)

        return route
