"""A Bigtable instance as a wire: the methods of `cluster.wire` whose kinds hold "bigtable".

Invariant: a change for another instance is refused before anything is sent; each call ends within its deadline. Admin
requests that the emulator does not survive (backups, hot tablets, views, change streams, schema bundles, undelete) are
never made. Built by `wiring`, called by `cluster.client` from several threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hbase_ferry.cluster.bigtable import rows
from hbase_ferry.cluster.bigtable.calls import Ask
from hbase_ferry.cluster.bigtable.clients import Clients, open_clients
from hbase_ferry.cluster.bigtable.identity import identity, reach
from hbase_ferry.cluster.bigtable.requests import checked
from hbase_ferry.cluster.bigtable.schema import Schema
from hbase_ferry.errors import Unreachable
from hbase_ferry.model.event import Json

if TYPE_CHECKING:
    from hbase_ferry.cluster.wire import Wire
    from hbase_ferry.migration.bigtable.settings import BigtableSettings


def connect_instance(name: str, settings: BigtableSettings) -> Wire:
    """The wire of that instance. `name`: the side's, for messages. The first call connects.

    Raises Unreachable: the extra `bigtable` is not installed, the key file cannot be used, there are no credentials.
    """
    return InstanceWire(name, open_clients(name, settings))


class InstanceWire:
    """Implements `cluster.wire.Wire`."""

    def __init__(self, name: str, clients: Clients) -> None:
        self._name = name
        self._clients = clients
        self._schema = Schema(clients)
        self._began = time.monotonic()
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._clients.close()

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The answer's result. Raises AgentError, Unreachable, DeadlineExceeded."""
        if self._closed:
            raise Unreachable(f"{self._name}: the connection was closed")
        given = checked(method, params, self._clients.cluster_id)
        login = self._clients.login
        return _ANSWERS[method](self, Ask(self._name, method, deadline, login.user, login.source), given)

    def _ping(self, ask: Ask) -> Json:
        reach(self._clients, ask)
        return {"up_ms": round((time.monotonic() - self._began) * 1000)}


_Answer = Callable[[InstanceWire, Ask, dict[str, Any]], Json]
_ANSWERS: Mapping[str, _Answer] = {
    "ping": lambda wire, ask, q: wire._ping(ask),
    "cluster.identity": lambda wire, ask, q: identity(wire._clients, ask),
    "tables.list": lambda wire, ask, q: wire._schema.listing(ask, q["max"], q["names"]),
    "table.create": lambda wire, ask, q: wire._schema.create(ask, q["table"], q["families"], q["splits"]),
    "table.families": lambda wire, ask, q: wire._schema.families(ask, q["table"], q["families"]),
    "table.protect": lambda wire, ask, q: wire._schema.protect(ask, q["table"], q["on"]),
    "table.drop": lambda wire, ask, q: wire._schema.drop(ask, q["table"]),
    "rows.scan": lambda wire, ask, q: rows.scan(wire._clients, ask, q),
    "rows.write": lambda wire, ask, q: rows.write(wire._clients, ask, q["table"], q["rows"]),
    "canary.read": lambda wire, ask, q: rows.canaries(wire._clients, ask, q["table"], q["rows"]),
}
