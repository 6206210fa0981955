"""The embedded cluster and instance with short words for what tests do to them."""

from __future__ import annotations

from typing import Any

from hbase_ferry.cluster.answers import read_answer
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded_bigtable import ORDERS, embedded_bigtable
from hbase_ferry.cluster.simulator.endpoint import BigtableEndpoint, class_of
from hbase_ferry.cluster.simulator.instance import SimInstance
from hbase_ferry.cluster.simulator.instance_wire import SimulatedInstanceWire
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.wire import METHODS, Wire
from hbase_ferry.model.cluster import ReplicationQueue, Side
from hbase_ferry.model.rows import Row

START = 1_800_000_000.0
SOURCE, TARGET = Side.SOURCE, Side.TARGET
FAMILIES = {"d": "maxversions=1", "m": "maxversions=1"}


class InstancePair:
    """A world on a stepping clock and a wire to each side. Quiet: no bystanders, and no writers unless asked for."""

    def __init__(self, *, writers: bool = False, **options: Any) -> None:
        self.clock = SteppingClock(START)
        self.world: World = embedded_bigtable(7, self.clock, **{"busy": False, **options})
        self.source = self.world.clusters[SOURCE]
        instance = self.world.instance
        assert isinstance(instance, SimInstance)
        self.instance = instance
        self.wires: dict[Side, Wire] = {
            SOURCE: SimulatedWire(self.world, SOURCE),
            TARGET: SimulatedInstanceWire(self.world),
        }
        if not writers:
            self.world.stop_writers()

    @property
    def endpoint(self) -> BigtableEndpoint:
        found = self.source.endpoints[class_of(self.source)]
        assert isinstance(found, BigtableEndpoint)
        return found

    def call(self, side: Side, method: str, **params: Any) -> Any:
        """The typed answer; a change is sent with the right id."""
        if METHODS[method].changes:
            params.setdefault("expect_cluster_id", self.instance.path if side is TARGET else self.source.cluster_id)
        return read_answer(method, self.wires[side].call(method, params, METHODS[method].deadline), side)

    def wait(self, seconds: float) -> None:
        """In small steps, so that what happens within it happens in order."""
        for _ in range(round(seconds * 2)):
            self.clock.sleep(0.5)
            self.world.advance_to(self.clock.now())

    # ---- steps of a crossing

    def create(self, table: str = ORDERS, **families: str) -> None:
        self.call(TARGET, "table.create", table=table, families=families or FAMILIES, splits=[])

    def add_peer(self, peer: str = "f", table: str = ORDERS, **config: str) -> None:
        self.call(SOURCE, "table.scope", table=table, scopes={"d": 1, "m": 1})
        self.call(SOURCE, "peer.add", id=peer, cluster_key="", table_cfs={table: []}, bandwidth=0, serial=False,
                  window_ok=False, endpoint=class_of(self.source), config=config or None)  # fmt: skip

    def enable(self, peer: str = "f") -> None:
        self.call(SOURCE, "peer.enable", id=peer)

    def flow(self, **config: str) -> None:
        """A peer that ships to a table that is there."""
        self.create()
        self.add_peer(**config)
        self.enable()

    def put(self, count: int = 30, table: str = ORDERS) -> None:
        """Rows written at this moment, a third of them through each server (regions are dealt out in turn)."""
        found = self.source.tables[table]
        for number in range(count):
            row = found.regions[number % 3].start + number // 3
            self.source.write(found, row, 0, 3, self.world.now_ms)

    def delete(self, row: int, table: str = ORDERS) -> None:
        self.source.write(self.source.tables[table], row, 1, 3, self.world.now_ms)

    def copy(self, table: str = ORDERS, pages: int = 1_000) -> None:
        """The history, page by page over the wire."""
        following: str | None = ""
        while following is not None:
            page = self.page(SOURCE, table, following, pages)
            rows = [[key, [list(cell) for cell in cells]] for key, cells in page.rows]
            self.call(TARGET, "rows.write", table=table, rows=rows)
            following = page.next

    # ---- what is seen

    def page(self, side: Side, table: str = ORDERS, start: str = "", rows: int = 100_000) -> Any:
        """The newest version of each column: the instance keeps older ones until they are collected."""
        return self.call(side, "rows.scan", table=table, families=[], start=start, stop="", max_rows=rows,
                         max_bytes=8_000_000, versions=1, values="full")  # fmt: skip

    def rows(self, side: Side, table: str = ORDERS) -> dict[str, Row]:
        return {row[0]: row for row in self.page(side, table).rows}

    def queues(self, peer: str = "f") -> list[ReplicationQueue]:
        loads = self.call(SOURCE, "replication.load", max=100).items
        return [queue for load in loads for queue in load.queues if queue.peer == peer]

    def counter(self, name: str, peer: str = "f") -> int:
        """Summed over the servers, as it is now: their pages show it up to 10 s later."""
        full = f"source.{peer}.{name}"
        return sum(found.get(full, 0) for found in self.source.library_counters.values())

    def pages(self, *metrics: str) -> dict[str, dict[str, int]]:
        """What the region servers' pages show of these names."""
        found = self.call(SOURCE, "servers.read", settings=[], metrics=list(metrics), jars=[], max=99).items
        return {facts.server: dict(facts.metrics) for facts in found if facts.role == "region server"}
