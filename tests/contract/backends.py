"""What the contract suite runs against: the simulator and real servers, all behind one face.

Each backend is the source of a pair: a cluster with a table of four regions, families `d` and `m`, and the key of
another cluster to replicate to. Every raw answer is held against the schema on its way: keys that are missing or
that nobody declared fail the test, because the simulator and the agent must not drift apart in either direction.
"""

from __future__ import annotations

import subprocess
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from lab.standalone import Standalone

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import connect
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.cluster import Pages
from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, SOURCE_NAME, embedded_pair
from hbase_ferry.cluster.simulator.wire import SimulatedWire
from hbase_ferry.cluster.wire import METHODS, Items, Wire
from hbase_ferry.errors import AgentError
from hbase_ferry.migration.settings import SideSettings
from hbase_ferry.model.clock import Clock, SystemClock
from hbase_ferry.model.cluster import Side, Table
from hbase_ferry.model.event import Json
from hbase_ferry.model.view import JobState
from lab import Cluster as LabCluster

REAL_TABLE = "ferrycontract:t"
REAL_ROWS = "ferrycontract:rows"
"""A table of several versions and strange cells; the simulator keeps neither."""
ANSWERED: dict[str, set[str]] = {}
"""The wire's methods that each backend answered, for the table at the end."""
MAKE_TABLE = Path(__file__).with_name("make_table.rb")


OTHERS = frozenset({"Identity.product", "Table.attributes", "Family.retention"})
"""What only another kind of side says of itself."""


class Checked:
    """A wire whose raw answers must have exactly the declared keys, but for the fields of `without`."""

    def __init__(self, wire: Wire, seen: set[str], without: frozenset[str] = frozenset()) -> None:
        self._wire = wire
        self._seen = seen
        self._without = without

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        raw = self._wire.call(method, params, deadline)
        problems = list(mismatches(raw, METHODS[method].answer, method, self._without))
        assert not problems, problems
        self._seen.add(method)
        return raw

    def close(self) -> None:
        self._wire.close()


def mismatches(raw: Any, kind: Any, where: str, without: frozenset[str]) -> typing.Iterator[str]:
    """Keys of `raw` that the dataclass behind `kind` lacks, and the other way round, at any depth."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if raw is not None:
            yield from mismatches(raw, next(one for one in inside if one is not type(None)), where, without)
    elif origin is Items:
        yield from keys(raw, {"items", "total"}, where)
        for item in raw["items"]:
            yield from mismatches(item, inside[0], f"{where}[]", without)
    elif origin is tuple:
        for item in raw:
            yield from mismatches(item, inside[0], f"{where}[]", without)
    elif is_dataclass(kind):
        declared = {f.name for f in fields(kind) if f"{kind.__name__}.{f.name}" not in without}
        declared -= {"side"} if kind is JobState else set()
        yield from keys({k: v for k, v in raw.items() if k != "side"}, declared, where)
        hints = typing.get_type_hints(kind)
        for name in declared & set(raw):
            yield from mismatches(raw[name], hints[name], f"{where}.{name}", without)


def keys(raw: Any, declared: set[str], where: str) -> typing.Iterator[str]:
    if not isinstance(raw, dict):
        yield f"{where}: not an object"
    elif set(raw) != declared:
        yield f"{where}: missing {sorted(declared - set(raw))}, undeclared {sorted(set(raw) - declared)}"


@dataclass
class Backend:
    """One server line, or the simulator, with short words for what the tests do to it."""

    name: str
    cluster: Cluster
    clock: Clock
    line: tuple[int, int]
    table: str
    peer_key: str
    "cluster key of another cluster"
    open_port: tuple[str, int]
    seen: set[str] = field(default_factory=set)

    @property
    def simulated(self) -> bool:
        return self.name == "simulator"

    def call(self, method: str, **params: Any) -> Any:
        return self.cluster.call(method, params)

    def refusal(self, method: str, **params: Any) -> AgentError:
        """The error the call ends with; the test fails if it does not."""
        try:
            answer = self.call(method, **params)
        except AgentError as error:
            return error
        raise AssertionError(f"{method} was not refused: {answer}")

    def until(self, condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        """The condition's first true value; waits on the backend's own clock."""
        end = self.clock.now() + seconds
        while not (value := condition()) and self.clock.now() < end:
            self.clock.sleep(0.1)
        return value

    def scan(self, **changes: Any) -> Any:
        """A page of the table's rows."""
        usual = {"table": self.table, "families": [], "start": "", "stop": "", "max_rows": 10, "max_bytes": 1_000_000,
                 "versions": 0, "values": "full"}  # fmt: skip
        return self.call("rows.scan", **{**usual, **changes})

    def the_table(self) -> Table:
        found = self.call("tables.list", max=10, names=[self.table]).items
        assert len(found) == 1
        return typing.cast(Table, found[0])

    def add_peer(self, peer_id: str, **changes: Any) -> Any:
        params = {"id": peer_id, "cluster_key": self.peer_key, "table_cfs": {self.table: ["d"]}, "bandwidth": 0,
                  "serial": False, "window_ok": self.line < (2, 0)}  # fmt: skip
        return self.until(lambda: self._added({**params, **changes}))

    def _added(self, params: dict[str, Any]) -> Any:
        """None while the servers of a 1.x cluster have not yet deleted the queue of a peer just removed."""
        try:
            return self.call("peer.add", **params)
        except AgentError as error:
            if self.line >= (2, 0) or "undeleted queue" not in error.text.lower():
                raise
            return None

    def peer(self, peer_id: str) -> Any:
        return next((p for p in self.call("peers.list", max=100).items if p.id == peer_id), None)

    def queues(self, peer_id: str) -> list[Any]:
        loads = self.call("replication.load", max=100).items
        return [q for load in loads for q in load.queues if q.peer == peer_id]


def simulated() -> Backend:
    """The embedded pair, its source speaking as 2.6.1, without writers."""
    clock = SteppingClock(1_800_000_000.0)
    world = embedded_pair(7, clock, 12, source_version="2.6.1", busy=False)
    world.writers = []
    world.clusters[Side.SOURCE].own_pages[f"rs3.{SOURCE_NAME}"] = Pages(
        error="it serves none: hbase.regionserver.info.port is off"
    )
    seen: set[str] = set()
    cluster = Cluster(
        Side.SOURCE, "simulator", lambda: Checked(SimulatedWire(world, Side.SOURCE), seen, OTHERS), clock,
        side_by_side=False,
    )  # fmt: skip
    target = Cluster(Side.TARGET, "simulated target", lambda: SimulatedWire(world, Side.TARGET), clock)
    peer_key = target.call("cluster.identity", {"settings": None}).cluster_key
    return ready("simulator", cluster, clock, CUSTOMERS, peer_key, ("zk1.prod-bj", 2181), seen)


def real(name: str, server: LabCluster | Standalone, peer_key: str) -> Backend:
    """An agent on that server, with the contract's table made."""
    made = subprocess.run(
        [server.hbase, "org.jruby.Main", str(MAKE_TABLE), REAL_TABLE], capture_output=True, text=True, timeout=120
    )
    assert "made" in made.stdout, made.stderr[-2000:]
    side = SideSettings(name=name, hbase=(server.hbase,), env=server.env, work_dir=str(server.work_dir))
    seen: set[str] = set()
    clock = SystemClock()
    cluster = Cluster(Side.SOURCE, name, lambda: Checked(connect(side), seen, OTHERS), clock)
    return ready(name, cluster, clock, REAL_TABLE, peer_key, ("127.0.0.1", server.ports["zookeeper"]), seen)


def ready(
    name: str, cluster: Cluster, clock: Clock, table: str, peer_key: str, port: tuple[str, int], seen: set[str]
) -> Backend:
    identity = cluster.call("cluster.identity", {"settings": []})
    cluster.pin(identity.cluster_id)
    major, minor = (int(part) for part in identity.hbase_version.split(".")[:2])
    return Backend(name, cluster, clock, (major, minor), table, peer_key, port, seen)
