"""The embedded pair with short words for what tests do to it: typed calls, waiting, jobs, a whole crossing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hbase_ferry.cluster.answers import read_answer
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded import ORDERS, embedded_pair
from hbase_ferry.cluster.simulator.rows import Comparison, compare
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.wire import METHODS
from hbase_ferry.model.cluster import ReplicationQueue, Side
from hbase_ferry.model.view import JobPhase, JobState

START = 1_800_000_000.0
SOURCE, TARGET = Side.SOURCE, Side.TARGET
MAPREDUCE = "org.apache.hadoop.hbase.mapreduce."
EXPORT = "org.apache.hadoop.hbase.snapshot.ExportSnapshot"
HASHES = "hdfs://prod-bj/tmp/hashes/1"


class Pair:
    """A world on a stepping clock and a wire to each side."""

    def __init__(self, seed: int = 7, **options: Any) -> None:
        self.clock = SteppingClock(START)
        self.world: World = embedded_pair(seed, self.clock, **options)
        self.wires = {side: SimulatedWire(self.world, side) for side in Side}

    def call(self, side: Side, method: str, *, within: float | None = None, **params: Any) -> Any:
        """The typed answer; a change is sent with the right cluster id."""
        known = METHODS[method]
        if known.changes:
            params.setdefault("expect_cluster_id", self.world.clusters[side].cluster_id)
        raw = self.wires[side].call(method, params, within or known.deadline)
        return read_answer(method, raw, side)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.world.advance_to(self.clock.now())

    def key(self, side: Side) -> str:
        return str(self.call(side, "cluster.identity").cluster_key)

    def root(self, side: Side) -> str:
        return str(self.call(side, "cluster.identity").rootdir)

    def differences(self, table: str = ORDERS, families: Sequence[str] = ()) -> Comparison:
        """The truth, from the content of both tables."""
        tables = [self.world.clusters[side].tables[table] for side in Side]
        return compare(tables[0].rows, tables[1].rows, families)

    # ---- steps of a crossing

    def add_peer(self, peer: str = "f", table: str = ORDERS, **more: Any) -> Any:
        params = {"id": peer, "cluster_key": self.key(TARGET), "table_cfs": {table: []}, "bandwidth": 0,
                  "serial": False, "window_ok": False, **more}  # fmt: skip
        return self.call(SOURCE, "peer.add", **params)

    def scope(self, table: str = ORDERS, scope: int = 1) -> Any:
        return self.call(SOURCE, "table.scope", table=table, scopes={"d": scope, "m": scope})

    def snapshot(self, name: str = "s", table: str = ORDERS) -> Any:
        return self.call(SOURCE, "snapshot.create", name=name, table=table)

    def start(self, side: Side, job: str, *argv: str) -> JobState:
        state: JobState = self.call(side, "job.start", id=job, argv=list(argv), env={})
        return state

    def finished(self, side: Side, job: str) -> JobState:
        """The job's state once it runs no more."""
        for _ in range(2000):
            state: JobState = self.call(side, "job.state", id=job)
            if state.phase is not JobPhase.RUNNING:
                return state
            self.wait(1)
        raise AssertionError(f"{job} did not end")

    def run(self, side: Side, job: str, *argv: str) -> JobState:
        self.start(side, job, *argv)
        return self.finished(side, job)

    def export(self, job: str = "export", name: str = "s", *more: str) -> JobState:
        return self.run(SOURCE, job, "hbase", EXPORT, "-snapshot", name, "-copy-to", self.root(TARGET), *more)

    def restore(self, name: str = "s") -> Any:
        self.call(TARGET, "namespace.create", name="shop")
        return self.call(TARGET, "snapshot.restore", name=name)

    def cross(self, table: str = ORDERS, **peer: Any) -> None:
        """The safe order, up to the enabled peer."""
        self.add_peer(table=table, **peer)
        self.scope(table)
        self.snapshot(table=table)
        assert self.export().succeeded
        self.restore()
        self.call(SOURCE, "peer.enable", id="f")

    def stop_and_drain(self, seconds: float = 60) -> None:
        self.world.stop_writers()
        self.wait(seconds)

    # ---- what is seen

    def queues(self, peer: str = "f", side: Side = SOURCE) -> list[ReplicationQueue]:
        loads = self.call(side, "replication.load", max=100).items
        return [queue for load in loads for queue in load.queues if queue.peer == peer]

    def count(self, side: Side, job: str, table: str = ORDERS) -> int:
        return self.run(side, job, "hbase", MAPREDUCE + "RowCounter", table).counters["ROWS"]

    def sync(self, job: str = "sync", table: str = ORDERS) -> JobState:
        """HashTable on the source, SyncTable dry run on the target."""
        folder = f"{HASHES}-{job}"
        assert self.run(SOURCE, f"hash-{job}", "hbase", MAPREDUCE + "HashTable", table, folder).succeeded
        return self.run(TARGET, job, "hbase", MAPREDUCE + "SyncTable", "--dryrun=true",
                        f"--sourcezkcluster={self.key(SOURCE)}", folder, table, table)  # fmt: skip

    def verify(self, job: str = "verify", table: str = ORDERS, peer: str = "f") -> JobState:
        return self.run(SOURCE, job, "hbase", MAPREDUCE + "replication.VerifyReplication", peer, table)
