"""One connection to one simulated cluster: the wire's method table answered by the world.

Invariant: parameters and results go through JSON text, so nothing of the world leaks out and nothing of the caller
gets in. A call that outlives its deadline raises DeadlineExceeded while the operation goes on, as on a real master.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hbase_ferry.cluster.simulator.changes import CHANGES
from hbase_ferry.cluster.simulator.pages import PAGES
from hbase_ferry.cluster.simulator.params import checked
from hbase_ferry.cluster.simulator.reads import READS, Text
from hbase_ferry.cluster.simulator.snapshots import SNAPSHOT_CHANGES
from hbase_ferry.cluster.simulator.table_changes import TABLE_CHANGES
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.cluster.wire import METHODS, WRONG_CLUSTER
from hbase_ferry.errors import AgentError, DeadlineExceeded, Unreachable
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Json

_ALL_READS = {**READS, **PAGES}
_ALL_CHANGES = {**CHANGES, **TABLE_CHANGES, **SNAPSHOT_CHANGES}


class SimulatedWire:
    """Implements `cluster.wire.Wire`."""

    def __init__(self, world: World, side: Side) -> None:
        self._world = world
        self._side = side
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The answer's result. Raises AgentError, Unreachable, DeadlineExceeded."""
        sent: dict[str, Any] = json.loads(json.dumps(dict(params)))
        self._connected(method, deadline)
        if method in METHODS and METHODS[method].changes:
            self._expect(method, sent.get("expect_cluster_id"))
        given = checked(method, sent)
        answer = self._read(method, given) if method in _ALL_READS else self._change(method, given, deadline)
        result: Json = json.loads(answer if isinstance(answer, Text) else json.dumps(answer))
        return result

    def _connected(self, method: str, deadline: float) -> None:
        world, side = self._world, self._side
        with world.lock:
            world.advance_to(world.clock.now())
            name = world.clusters[side].name
            unreachable = self._closed or world.faults.unreachable(side)
            hung = world.faults.hung(side)
            delay = world.faults.delay(side, method)
            error = world.faults.error(side, method)
        if unreachable:
            raise Unreachable(f"{name}: the agent does not answer: connection closed")
        if hung or delay >= deadline:
            world.clock.sleep(deadline)
            raise DeadlineExceeded(f"{name}: no answer to {method} within {deadline:g} s")
        if delay:
            world.clock.sleep(delay)
        if error is not None:
            raise AgentError(error[0], error[1], method=method, cluster=name)

    def _expect(self, method: str, expected: Any) -> None:
        own = self._world.clusters[self._side].cluster_id
        if not isinstance(expected, str):
            raise AgentError(WRONG_CLUSTER, "a change needs expect_cluster_id", method=method)
        if expected != own:
            raise AgentError(WRONG_CLUSTER, f"this is cluster {own}, not {expected}", method=method)

    def _read(self, method: str, params: dict[str, Any]) -> Any:
        world = self._world
        with world.lock:
            return _ALL_READS[method](world, world.clusters[self._side], params)

    def _change(self, method: str, params: dict[str, Any], deadline: float) -> Any:
        world = self._world
        cluster = world.clusters[self._side]
        begun = world.clock.now()
        with world.lock:
            operation = world.start(_ALL_CHANGES[method](world, cluster, params))
        while not operation.done:
            left = begun + deadline - world.clock.now()
            wait = operation.due_ms / 1000 - world.clock.now()
            if wait > left:
                world.clock.sleep(max(0.0, left))
                raise DeadlineExceeded(f"{cluster.name}: no answer to {method} within {deadline:g} s")
            world.clock.sleep(max(0.0, wait))
            world.advance_to(world.clock.now())
        if operation.error is not None:
            raise self._named(operation.error, method, cluster.name)
        return operation.answer

    @staticmethod
    def _named(error: Exception, method: str, cluster: str) -> Exception:
        if isinstance(error, AgentError):
            return AgentError(error.kind, error.text, method=method, cluster=cluster)
        return error
